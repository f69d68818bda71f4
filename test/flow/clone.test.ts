/** A new machine that goes on from a remote, with all of it or with what it needs. */

import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { contents, type Ended, type RunOptions } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom, facts, tableFacts } from '../support/database.ts'
import { bareRepository, foreignRepository, git } from '../support/git.ts'
import { type HttpOptions, httpServer, network } from '../support/git-servers.ts'
import { rowback } from '../support/in-process.ts'

interface Place {
  dir: string
  remote: string
  url: string
  commits: string[]
  rowback: (...args: string[]) => Promise<Ended>
}

const password = 'tr0ub4dor'

/** Two backups of a directory with two databases and two assets, at a server that wants a password. */
async function place(): Promise<Place> {
  const dir = await madePlace()
  const remote = join(dir, 'server', 'app.git')
  const commits = git(remote, ['rev-list', '--reverse', 'main']).split('\n')
  const url = await serve(dir)
  return { dir, remote, url, commits, rowback: (...args) => rowback(args, userOf(dir)) }
}

const madePlace = copiedPlace(async (dir) => {
  const remote = bareRepository(join(dir, 'server', 'app.git'))
  git(remote, ['config', 'uploadpack.allowFilter', 'true'])
  mkdirSync(join(dir, 'data'))
  const note =
    'CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note(text) VALUES (hex(randomblob(50)))'
  databaseFrom(`${note}; CREATE TABLE tag(a); INSERT INTO tag VALUES (1)`, join(dir, 'data', 'one.db'))
  databaseFrom(note, join(dir, 'data', 'two.db'))
  for (const name of ['a.bin', 'b.bin']) {
    writeFileSync(join(dir, 'data', name), name)
    // A restore brings back times to the microsecond only.
    utimesSync(join(dir, 'data', name), 1_700_000_000, 1_700_000_000)
  }
  const args = ['backup', 'data', '--repo', 'repo.git', '--remote', await serve(dir)]
  expect(await rowback(args, userOf(dir))).toMatchObject({ code: 0, stderr: '' })
  execFileSync('sqlite3', [join(dir, 'data', 'one.db'), 'INSERT INTO tag VALUES (2)'])
  expect(await rowback(args, userOf(dir))).toMatchObject({ code: 0, stderr: '' })
})

/** A user at home in that folder. */
function userOf(dir: string): RunOptions {
  return { cwd: dir, env: { HOME: dir, TMPDIR: dir, XDG_CONFIG_HOME: dir, no_proxy: '*' } }
}

/** Serves the remote to those who know the password, as the user of the folder does; returns its address. */
async function serve(dir: string, options: HttpOptions = {}): Promise<string> {
  const port = await httpServer(join(dir, 'server'), { login: { user: 'git', password }, ...options })
  writeFileSync(join(dir, '.git-credentials'), `http://git:${password}@127.0.0.1%3a${port}\n`)
  writeFileSync(join(dir, '.gitconfig'), '[credential]\n\thelper = store\n')
  return `http://127.0.0.1:${port}/app.git`
}

/** Ids of the blobs that are here, without asking git to fetch any. */
function blobs(repository: string): string[] {
  const listed = git(repository, [
    'cat-file',
    '--batch-all-objects',
    '--batch-check=%(objectname) %(objecttype)',
  ])
  return listed.split('\n').filter((line) => line.endsWith(' blob'))
}

function blobOf(repository: string, rev: string, path: string): string {
  return `${git(repository, ['rev-parse', `${rev}:${path}`])} blob`
}

describe('a clone', () => {
  test('has the same history, restores at once, and goes on with backups and pushes.', async () => {
    const { dir, remote, url, commits, rowback } = await place()
    git(remote, ['branch', 'hosts/other', 'main~1'])
    git(remote, ['tag', 'monthly', 'main~1'])
    const done = await rowback('clone', url, 'new.git')
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toMatch(
      new RegExp(`^cloned 2 commits from ${url} to new.git, the latest is ${commits[1]?.slice(0, 10)}, in `),
    )
    const refs = (repository: string) =>
      git(repository, ['for-each-ref', '--format=%(refname) %(objectname)'])
    expect(refs(join(dir, 'new.git'))).toBe(refs(remote))
    expect(await rowback('verify', '--repo', 'new.git')).toMatchObject({ code: 0, stderr: '' })
    expect(await rowback('restore', 'latest', '--to', 'out', '--repo', 'new.git')).toMatchObject({ code: 0 })
    expect(facts(join(dir, 'out', 'one.db'))).toEqual(facts(join(dir, 'data', 'one.db')))

    // The restored data is the source of the new machine.
    const unchanged = await rowback('backup', 'out', '--repo', 'new.git', '--remote', url)
    expect(unchanged).toMatchObject({ code: 0, stderr: '' })
    expect(unchanged.stdout).toContain('nothing changed since')
    execFileSync('sqlite3', [join(dir, 'out', 'two.db'), 'INSERT INTO note(text) VALUES (1)'])
    expect(await rowback('backup', 'out', '--repo', 'new.git')).toMatchObject({ code: 0, stderr: '' })
    expect(await rowback('push', '--repo', 'new.git')).toMatchObject({
      code: 0,
      stdout: `pushed 1 commit to ${url}, 1 verified\n`,
    })
    expect(git(remote, ['rev-parse', 'main~1'])).toBe(commits[1])
    expect(existsSync(join(dir, 'new.git', 'hooks', 'pre-push'))).toBe(true)
  })

  test('is let in by a password variable of the settings, and keeps no password.', async () => {
    const { dir, url, rowback } = await place()
    writeFileSync(join(dir, '.gitconfig'), '')
    expect(await rowback('clone', url, 'new.git')).toMatchObject({ code: 12, stdout: '' })
    writeFileSync(join(dir, 'x.yaml'), `remotes: [{ url: "${url}", password-variable: HOME_TOKEN }]\n`)
    process.env.HOME_TOKEN = password
    const done = await rowback('clone', url, 'new.git', '--config', 'x.yaml').finally(() => {
      delete process.env.HOME_TOKEN
    })
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(execFileSync('cat', [join(dir, 'new.git', 'config')], { encoding: 'utf8' })).not.toContain(
      password,
    )
  })

  test('is made whole after the connection was cut, or not at all.', async () => {
    const { dir, url, commits, rowback } = await place()
    const port = Number(new URL(url).port)
    const way = await network(port, [{ cutAfterBytes: 10 }, { cutAfterBytes: 10 }])
    writeFileSync(join(dir, '.git-credentials'), `http://git:${password}@127.0.0.1%3a${way.port}\n`)
    const through = `http://127.0.0.1:${way.port}/app.git`
    const failed = await rowback('clone', through, 'new.git', '--retries', '0')
    expect(failed).toMatchObject({ code: 12, stdout: '' })
    expect(failed.stderr).toMatch(/^rowback: clone http:.*: it is unreachable \(.*\); nothing was made\n/)
    expect(readdirSync(dir).filter((name) => name.startsWith('new.git'))).toEqual([])
    expect(await rowback('clone', through, 'new.git', '--retries', '1')).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect(git(join(dir, 'new.git'), ['rev-parse', 'main'])).toBe(commits[1])
  })

  test('goes on with the only branch of the remote, whatever its name; of several it takes main or the one that is set.', async () => {
    const { dir, remote, commits, rowback } = await place()
    git(remote, ['branch', '-m', 'main', 'hosts/nas'])
    expect(await rowback('clone', remote, 'new.git')).toMatchObject({ code: 0, stderr: '' })
    expect(git(join(dir, 'new.git'), ['symbolic-ref', 'HEAD'])).toBe('refs/heads/hosts/nas')
    const restored = await rowback('restore', 'latest', '--to', 'out', '--repo', 'new.git')
    expect(restored.stdout).toContain(`restored ${commits[1]?.slice(0, 10)}`)
    expect(restored.stdout).toMatch(/2 databases, 4 rows, 2 assets, in/)

    git(remote, ['branch', 'hosts/pi', 'hosts/nas~1'])
    const several = await rowback('clone', remote, 'other.git')
    expect(several).toMatchObject({ code: 12, stdout: '' })
    expect(several.stderr).toContain('it has no branch main, its branches are hosts/nas, hosts/pi; nothing')
    writeFileSync(join(dir, 'rowback.yaml'), 'branch: hosts/pi\n')
    expect(await rowback('clone', remote, 'other.git')).toMatchObject({ code: 0, stderr: '' })
    expect(git(join(dir, 'other.git'), ['symbolic-ref', 'HEAD'])).toBe('refs/heads/hosts/pi')
  })

  test('refuses a directory that holds anything, a branch that is not there, and what is no backup.', async () => {
    const { dir, remote, url, rowback } = await place()
    const before = contents(join(dir, 'data'))
    const occupied = await rowback('clone', url, 'data')
    expect(occupied).toMatchObject({ code: 11, stdout: '' })
    expect(occupied.stderr).toContain('clone to data: it is not empty; it was left untouched')
    expect(contents(join(dir, 'data'))).toEqual(before)

    writeFileSync(join(dir, 'rowback.yaml'), 'branch: hosts/nas\n')
    const none = await rowback('clone', remote, 'new.git')
    expect(none).toMatchObject({ code: 12, stdout: '' })
    expect(none.stderr).toContain('it has no branch hosts/nas, its branches are main; nothing was made')
    writeFileSync(join(dir, 'rowback.yaml'), '')

    const foreign = await rowback('clone', foreignRepository(join(dir, 'foreign'), 'main'), 'new.git')
    expect(foreign).toMatchObject({ code: 11, stdout: '' })
    expect(foreign.stderr).toMatch(/^rowback: clone .*is no backup of Rowback's; nothing was made\n/)
    expect(readdirSync(dir).filter((name) => name.startsWith('new.git'))).toEqual([])
  })
})

test('a clone from a directory takes files as they were sent, and looks for no likeness between them', async () => {
  const { dir, rowback } = await place()
  const remote = bareRepository(join(dir, 'disk.git'))
  const content = randomBytes(100_000)
  for (const byte of [1, 2]) {
    content[50_000] = byte
    writeFileSync(join(dir, 'data', 'a.bin'), content)
    await rowback('backup', 'data', '--repo', 'repo.git', '--upkeep', 'never')
    const receive = '--receive-pack=git -c receive.unpackLimit=1 receive-pack'
    git(join(dir, 'repo.git'), ['-c', 'pack.window=0', 'push', '--no-verify', receive, remote, 'main'])
  }
  expect(await rowback('clone', remote, 'new.git')).toMatchObject({ code: 0, stderr: '' })
  const sizes = git(join(dir, 'new.git'), [
    'cat-file',
    '--batch-all-objects',
    '--batch-check=%(objectsize) %(objectsize:disk)',
  ])
  const onDisk = [...sizes.matchAll(/^100000 (\d+)$/gm)].map(([, bytes]) => Number(bytes))
  expect(onDisk).toHaveLength(2)
  expect(Math.min(...onDisk)).toBeGreaterThan(99_000)
})

describe('a partial clone', () => {
  test('fetches what a diff reads: the manifests and the chunks that differ.', async () => {
    const { dir, remote, url, rowback } = await place()
    expect(await rowback('clone', url, 'new.git', '--partial')).toMatchObject({ code: 0, stderr: '' })
    const clone = join(dir, 'new.git')
    expect(blobs(clone)).toEqual([blobOf(remote, 'main', 'manifest.json')])
    const diff = await rowback('diff', 'latest~1', '--repo', 'new.git')
    expect(diff).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('+ 2') })
    const chunk = 'databases/one.db/30-rows/tag/+first/+first.sql'
    const read = ['main', 'main~1'].flatMap((rev) => [
      blobOf(remote, rev, 'manifest.json'),
      blobOf(remote, rev, chunk),
    ])
    expect(blobs(clone).sort()).toEqual(read.sort())
  })

  test('fetches what a restore of one database reads, and later the rest.', async () => {
    const { dir, remote, url, rowback } = await place()
    await rowback('clone', url, 'new.git', '--partial')
    const clone = join(dir, 'new.git')
    const one = ['restore', 'latest', '--file', 'two.db', '--output', 'two.db', '--repo', 'new.git']
    expect(await rowback(...one)).toMatchObject({ code: 0, stderr: '' })
    expect(facts(join(dir, 'two.db'))).toEqual(facts(join(dir, 'data', 'two.db')))
    const own = git(remote, [
      'ls-tree',
      '-r',
      '--format=%(objectname) blob',
      'main',
      'databases/two.db',
      'manifest.json',
    ])
    const manifests = git(remote, ['ls-tree', '-r', '--format=%(objectname) blob', 'main', 'assets-manifest'])
    const expected = new Set([...own.split('\n'), ...manifests.split('\n')])
    expect(blobs(clone).filter((blob) => !expected.has(blob))).toEqual([])

    expect(await rowback('restore', 'latest', '--to', 'out', '--repo', 'new.git')).toMatchObject({ code: 0 })
    expect(facts(join(dir, 'out', 'one.db'))).toEqual(facts(join(dir, 'data', 'one.db')))
    expect(await rowback('verify', '--all', '--repo', 'new.git')).toMatchObject({ code: 0, stderr: '' })
  })

  test('fetches what a restore and a diff of one table read: the scripts, and its chunks alone.', async () => {
    const { dir, remote, url, rowback } = await place()
    const more = 'INSERT INTO tag VALUES (3); INSERT INTO note(text) VALUES (1)'
    execFileSync('sqlite3', [join(dir, 'data', 'one.db'), more])
    await rowback('backup', 'data', '--repo', 'repo.git', '--remote', url)
    const clone = join(dir, 'new.git')
    const chunk = (table: string) => `databases/one.db/30-rows/${table}/+first/+first.sql`
    const read = (paths: readonly string[], ...revs: string[]) =>
      new Set(revs.flatMap((rev) => paths.map((path) => blobOf(remote, rev, path))))

    await rowback('clone', url, 'new.git', '--partial')
    const one = [
      'restore',
      'latest',
      '--file',
      'one.db',
      '--table',
      'tag',
      '--output',
      'tag.db',
      '--repo',
      'new.git',
    ]
    expect(await rowback(...one)).toMatchObject({ code: 0, stderr: '' })
    expect(tableFacts(join(dir, 'tag.db'), 'tag')).toEqual(tableFacts(join(dir, 'data', 'one.db'), 'tag'))
    const scripts = ['10-open', '20-tables', '40-schema', '90-close'].map(
      (name) => `databases/one.db/${name}.sql`,
    )
    expect(new Set(blobs(clone))).toEqual(read(['manifest.json', ...scripts, chunk('tag')], 'main'))

    rmSync(clone, { recursive: true })
    await rowback('clone', url, 'new.git', '--partial')
    const diff = await rowback('diff', 'latest~1', '--table', 'note', '--file', 'one.db', '--repo', 'new.git')
    expect(diff).toMatchObject({ code: 0, stderr: '', stdout: 'table one.db note\n+ 2, 1\n' })
    expect(new Set(blobs(clone))).toEqual(read(['manifest.json', chunk('note')], 'main', 'main~1'))
  })

  test('of a directory, by its path, leaves files there.', async () => {
    const { dir, remote, rowback } = await place()
    const disk = join(dir, 'a disk %41.git')
    cpSync(remote, disk, { recursive: true })
    git(disk, ['config', 'uploadpack.allowFilter', 'true'])
    expect(await rowback('clone', 'a disk %41.git', 'new.git', '--partial')).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect(blobs(join(dir, 'new.git'))).toEqual([blobOf(remote, 'main', 'manifest.json')])
    rmSync(join(dir, 'out'), { recursive: true, force: true })
    expect(await rowback('restore', 'latest', '--to', 'out', '--repo', 'new.git')).toMatchObject({ code: 0 })
    expect(await rowback('push', '--repo', 'new.git')).toMatchObject({ code: 0, stderr: '' })
  })

  test('that the server makes a whole one of says so.', async () => {
    const { dir, remote, url, rowback } = await place()
    git(remote, ['config', 'uploadpack.allowFilter', 'false'])
    const { code, stdout, stderr } = await rowback('clone', url, 'new.git', '--partial', '--json')
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringMatching(/^rowback: the server does not leave files out, so all were fetched: /),
    })
    expect(JSON.parse(stdout)).toMatchObject({ partial: false })
    expect(blobs(join(dir, 'new.git')).sort()).toEqual(blobs(remote).sort())
  })

  test('goes on with backups and pushes, and says so where the remote is away.', async () => {
    const { dir, remote, url, rowback } = await place()
    await rowback('clone', url, 'new.git', '--partial')
    execFileSync('sqlite3', [join(dir, 'data', 'two.db'), 'INSERT INTO note(text) VALUES (1)'])
    const args = ['backup', 'data', '--repo', 'new.git', '--remote', url, '--upkeep', 'always']
    expect(await rowback(...args)).toMatchObject({ code: 0, stderr: '' })
    expect(git(remote, ['rev-parse', 'main'])).toBe(git(join(dir, 'new.git'), ['rev-parse', 'main']))
    expect(git(remote, ['fsck', '--strict'])).not.toMatch(/missing|broken/)

    writeFileSync(join(dir, '.git-credentials'), '')
    const failed = await rowback('restore', 'latest~2', '--to', 'out', '--repo', 'new.git')
    expect(failed).toMatchObject({ code: 12, stdout: '' })
    expect(failed.stderr).toMatch(
      /^rowback: fetch \d+ files? from http:.*: authentication failed \(.*\); this partial clone does not have them yet\n/,
    )
    expect(existsSync(join(dir, 'out'))).toBe(false)
  })

  describe('whose remote has a password variable', () => {
    /** A server that notes the arguments of all programs while it is asked, and what a user types who has no helper. */
    async function lockedPlace() {
      const dir = await madePlace()
      const server = { isGone: false, seen: '' }
      const refuse = (request: IncomingMessage): undefined => {
        server.seen += argumentLists()
        if (server.isGone) request.socket.resetAndDestroy()
      }
      const url = await serve(dir, { refuse })
      writeFileSync(
        join(dir, '.git-credentials'),
        url.replace('//', '//git:wrong@').replace('/app.git', '\n'),
      )
      writeFileSync(join(dir, 'x.yaml'), `remotes: [{ url: "${url}", password-variable: HOME_TOKEN }]\n`)
      const withToken = (token: string | undefined, ...args: string[]) => {
        const user = userOf(dir)
        const env = { ...user.env, ...(token === undefined ? {} : { HOME_TOKEN: token }) }
        return rowback([...args, '--config', 'x.yaml'], { ...user, env })
      }
      expect(await withToken(password, 'clone', url, 'new.git', '--partial')).toMatchObject({
        code: 0,
        stderr: '',
      })
      return { dir, url, server, withToken }
    }

    const steps = [
      ['show', 'latest'],
      ['diff', 'latest~1'],
      ['restore', 'latest', '--file', 'two.db', '--output', 'two.db'],
      ['restore', 'latest~1', '--to', 'out'],
      ['verify', 'latest~1', 'latest'],
      ['verify', '--all'],
    ]

    test('fetches by it in each step, and the password is in no argument, file or message.', async () => {
      const { dir, url, server, withToken } = await lockedPlace()
      const clone = join(dir, 'new.git')
      for (const step of steps) {
        execFileSync('cp', ['-a', clone, `${clone}.before`])
        server.seen = ''
        const done = await withToken(password, ...step, '--repo', 'new.git', '--verbose')
        expect(done, step.join(' ')).toMatchObject({ code: 0 })
        expect(server.seen, step.join(' ')).toContain('fetch')
        expect(done.stdout + done.stderr + server.seen).not.toContain(password)
        rmSync(clone, { recursive: true })
        execFileSync('mv', [`${clone}.before`, clone])
      }
      execFileSync('sqlite3', [join(dir, 'data', 'two.db'), 'INSERT INTO note(text) VALUES (1)'])
      server.seen = ''
      const backup = await withToken(password, 'backup', 'data', '--repo', 'new.git', '--verbose')
      expect(backup).toMatchObject({ code: 0, stdout: expect.stringContaining('1 row added') })
      expect(backup.stdout + backup.stderr + server.seen).not.toContain(password)
      expect(git(join(dir, 'server', 'app.git'), ['rev-parse', 'main'])).toBe(
        git(clone, ['rev-parse', 'main']),
      )
      expect(readFileSync(join(clone, 'config'), 'utf8')).toContain(url)
      const holders = spawnSync('grep', ['-rlF', password, dir], { encoding: 'utf8' })
      expect(holders).toMatchObject({ status: 1, stdout: '' })
    })

    test('fetches by it what a push to another remote proves, which takes what was made here alone.', async () => {
      const { dir, url, withToken } = await lockedPlace()
      const [clone, other] = [join(dir, 'new.git'), bareRepository(join(dir, 'other.git'))]
      const refused = await withToken(password, 'push', '--repo', 'new.git', '--remote', 'other.git')
      expect(refused).toMatchObject({ code: 12, stdout: '' })
      expect(refused.stderr).toMatch(
        /^rowback: push to \S+other\.git: the remote refused it: .*; the commit is safe in new.git\n/,
      )
      expect(refused.stderr).toContain(
        `rowback: try: new.git is a partial clone, and git sends only what was made in it: push from a whole one, by rowback clone ${url} DIR\n`,
      )
      execFileSync('git', ['-C', join(dir, 'server', 'app.git'), 'push', '-q', other, 'main'])
      execFileSync('sqlite3', [join(dir, 'data', 'two.db'), 'INSERT INTO note(text) VALUES (1)'])
      const here = ['--repo', 'new.git', '--remote', 'other.git', '--verify', 'always']
      expect(await withToken(password, 'backup', 'data', ...here)).toMatchObject({ code: 0, stderr: '' })
      expect(git(other, ['rev-parse', 'main'])).toBe(git(clone, ['rev-parse', 'main']))
    })

    test.each(steps.map((step) => [step.join(' '), step] as const))(
      'ends %s by one clear error where the variable is missing or wrong, or the server is gone.',
      async (_, step) => {
        const { dir, url, server, withToken } = await lockedPlace()
        const args = [...step, '--repo', 'new.git']
        const missing = await withToken(undefined, ...args)
        expect(missing).toMatchObject({ code: 2, stdout: '' })
        const told = missing.stderr.replace('database "one.db": ', '')
        expect(told).toBe(
          `rowback: use remote ${url}: the environment variable HOME_TOKEN is not set\nrowback: try: set HOME_TOKEN to the password or token of the remote\n`,
        )
        const failures = [
          ['n0t the one', 'authentication failed'],
          [password, 'it is unreachable'],
        ]
        for (const [token, cause] of failures) {
          server.isGone = token === password
          const failed = await withToken(token, ...args)
          expect(failed).toMatchObject({ code: 12, stdout: '' })
          expect(failed.stderr).toMatch(
            new RegExp(
              `^rowback: (?:database "one.db": )?fetch \\d+ files? from http:.*: ${cause} \\(.*\\); this partial clone does not have them yet\n.*\n$`,
            ),
          )
          expect(failed.stderr).not.toContain(token)
        }
        expect(readdirSync(dir).filter((name) => /^(out|two)/.test(name))).toEqual([])
      },
    )
  })
})

/** The arguments of every program that runs now. */
function argumentLists(): string {
  const read = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    } catch {
      return ''
    }
  }
  return existsSync('/proc/self')
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map(read)
        .join('\n')
    : 'fetch'
}
