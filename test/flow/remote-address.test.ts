/** Where git leads a remote: by its name, by its settings, from the work tree. A push goes there, and looks there. */

import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openStore } from '../../src/git/open-store.ts'
import { pushTargets } from '../../src/git/remote-address.ts'
import { setEnv } from '../git/testdir.ts'
import type { Ended } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { rowback } from '../support/in-process.ts'

interface Place {
  dir: string
  repository: string
  env: Record<string, string>
  rowback: (...args: string[]) => Promise<Ended>
}

/** A repository with one backup; nothing of it was pushed. */
async function place(): Promise<Place> {
  const dir = await madePlace()
  const env = homeOf(dir)
  const run = (...args: string[]) => rowback(args, { cwd: dir, env })
  return { dir, repository: join(dir, 'repo.git'), env, rowback: run }
}

function homeOf(dir: string): Record<string, string> {
  return { HOME: dir, TMPDIR: dir, XDG_CONFIG_HOME: dir, no_proxy: '*' }
}

const madePlace = copiedPlace(async (dir) => {
  databaseFrom('CREATE TABLE note(id INTEGER PRIMARY KEY, text)', join(dir, 'app.db'))
  const made = await rowback(['backup', 'app.db', '--repo', 'repo.git'], { cwd: dir, env: homeOf(dir) })
  expect(made).toMatchObject({ code: 0, stderr: '' })
})

function tip(repository: string): string {
  return git(repository, ['for-each-ref', '--format=%(objectname)', 'refs/heads/main'])
}

describe('a remote of git with a relative address is where git leads it', () => {
  /** Each gives the directory that is named by `--repo`, and the one that git takes the address from. */
  const layouts = {
    'from a work tree': ({ dir }: Place) => {
      git(dir, ['clone', '--quiet', 'repo.git', 'work'])
      return ['work', 'work']
    },
    'from the .git of a work tree': ({ dir }: Place) => {
      git(dir, ['clone', '--quiet', 'repo.git', 'work'])
      return [join('work', '.git'), 'work']
    },
    'from a work tree whose git directory is elsewhere': ({ dir }: Place) => {
      mkdirSync(join(dir, 'elsewhere'))
      git(dir, ['clone', '--quiet', '--separate-git-dir=elsewhere/its.git', 'repo.git', 'work'])
      return ['work', 'work']
    },
    'from a linked work tree': ({ dir }: Place) => {
      git(dir, ['clone', '--quiet', 'repo.git', 'elsewhere/main'])
      git(join(dir, 'elsewhere', 'main'), ['worktree', 'add', '--quiet', '--detach', '../../work'])
      return ['work', 'work']
    },
    'from a bare repository': () => ['repo.git', 'repo.git'],
  }

  test.each(Object.entries(layouts))('%s.', async (_, lay) => {
    const found = await place()
    const [repository = '', base = ''] = lay(found)
    const remote = bareRepository(join(found.dir, base, '..', 'nas.git'))
    const [own, decoy] = [join(found.dir, repository), join(found.dir, base, 'nas.git')]
    bareRepository(decoy)
    git(own, ['remote', 'add', 'nas', '../nas.git'])
    expect(await found.rowback('push', '--repo', repository, '--remote', 'nas')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('pushed 1 commit to nas'),
    })
    expect(tip(remote)).toBe(tip(own))
    expect(tip(decoy)).toBe('')
    git(join(found.dir, base), ['push', '--quiet', '--no-verify', 'nas', 'main:by-hand'])
    expect(git(remote, ['rev-parse', 'by-hand'])).toBe(tip(own))
  })
})

describe('an address that the settings of git lead elsewhere', () => {
  const secret = 'S3CRET'

  /** Has everything that begins with `nas:` be there. */
  function lead({ dir }: Place, to: string): void {
    writeFileSync(join(dir, '.gitconfig'), `[url "${to}"]\n\tinsteadOf = nas:\n`)
  }

  /** What the processes had for arguments that were started meanwhile, one a line. */
  function noteArguments(found: Place): string {
    const [programs, noted] = [join(found.dir, 'programs'), join(found.dir, 'noted')]
    const real = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()
    mkdirSync(programs)
    for (const name of readdirSync(real)) symlinkSync(join(real, name), join(programs, name))
    for (const name of ['git', 'git-remote-http']) {
      rmSync(join(programs, name))
      const script = `#!/bin/sh\necho "$0 $@" >> ${noted}\nexec ${join(real, name)} "$@"\n`
      writeFileSync(join(programs, name), script, { mode: 0o755 })
    }
    found.env.GIT_EXEC_PATH = programs
    return noted
  }

  test('is refused where that has a password, which is in no argument; another remote gets the commit.', async () => {
    const found = await place()
    lead(found, `http://joe:${secret}@127.0.0.1:9/`)
    const noted = noteArguments(found)
    const copy = bareRepository(join(found.dir, 'copy.git'))
    const said = expect.stringMatching(
      /rowback: (clone \S+: )?use remote "http:\/\/\*\*\*@127\.0\.0\.1:9\/x\.git": it holds a secret/,
    )
    const pushed = await found.rowback(
      'push',
      '--repo',
      'repo.git',
      '--remote',
      'nas:x.git',
      '--remote',
      copy,
    )
    expect(pushed).toMatchObject({ code: 2, stderr: said })
    expect(tip(copy)).toBe(tip(found.repository))
    expect(await found.rowback('clone', 'nas:x.git', 'new.git')).toMatchObject({ code: 2, stderr: said })
    expect(await found.rowback('clone', 'nas:x.git', 'new.git', '--partial')).toMatchObject({ code: 2 })
    expect(readFileSync(noted, 'utf8')).toContain('receive-pack')
    expect(readFileSync(noted, 'utf8')).not.toContain(secret)
    expect(JSON.stringify(pushed)).not.toContain(secret)
  })

  test('is refused where a partial clone has its files from there.', async () => {
    const found = await place()
    git(found.repository, ['config', 'uploadpack.allowFilter', 'true'])
    lead(found, `file://${found.dir}/`)
    expect(await found.rowback('clone', 'nas:repo.git', 'new.git', '--partial')).toMatchObject({ code: 0 })
    lead(found, `http://joe:${secret}@127.0.0.1:9/`)
    const noted = noteArguments(found)
    const restored = await found.rowback('restore', 'latest', '--to', 'out', '--repo', 'new.git')
    expect(restored).toMatchObject({ code: 2, stderr: expect.stringContaining('it holds a secret') })
    expect(existsSync(noted) ? readFileSync(noted, 'utf8') : '').not.toContain(secret)
  })

  test('is a directory where it leads to one: what a push brings is synced, and a lock that was left goes.', async () => {
    const found = await place()
    lead(found, `${found.dir}/`)
    const remote = bareRepository(join(found.dir, 'x.git'))
    mkdirSync(join(remote, 'refs', 'heads'), { recursive: true })
    const lock = join(remote, 'refs', 'heads', 'main.lock')
    writeFileSync(lock, '')
    utimesSync(lock, 0, 0)
    const noted = noteArguments(found)
    expect(await found.rowback('push', '--repo', 'repo.git', '--remote', 'nas:x.git')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('pushed 1 commit to nas:x.git'),
    })
    expect(tip(remote)).toBe(tip(found.repository))
    expect(readFileSync(noted, 'utf8')).toContain('-c core.fsync=all -c receive.unpackLimit=1 receive-pack')
  })
})

describe('what git pushes elsewhere than it reads from', () => {
  const push = (found: Place, remote: string, ...flags: string[]) =>
    found.rowback('push', '--repo', 'repo.git', '--remote', remote, '--retries', '0', ...flags)

  test('goes to each address of a name, and fails until the last one has it.', async () => {
    const found = await place()
    const [one, two] = [join(found.dir, 'one.git'), join(found.dir, 'two.git')]
    bareRepository(one)
    git(found.repository, ['remote', 'add', 'both', one])
    git(found.repository, ['remote', 'set-url', '--add', 'both', 'http://127.0.0.1:9/two.git'])
    const unreachable = /^rowback: read remote http:\/\/127\.0\.0\.1:9\/two\.git: it is unreachable /
    for (const commits of [1, 0]) {
      const { code, stderr, stdout } = await push(found, 'both', '--json')
      expect({ code, stderr }).toEqual({ code: 12, stderr: expect.stringMatching(unreachable) })
      expect(JSON.parse(stdout).pushes).toMatchObject([{ remote: one, commits }])
    }
    expect(tip(one)).toBe(tip(found.repository))

    git(found.repository, ['remote', 'set-url', '--delete', 'both', '127.0.0.1'])
    for (const address of [one, '../two.git'])
      git(found.repository, ['remote', 'set-url', '--add', '--push', 'both', address])
    expect(await push(found, 'both')).toMatchObject({ code: 12, stderr: expect.stringContaining(two) })
    bareRepository(two)
    // The name is what is remembered.
    expect(await found.rowback('push', '--repo', 'repo.git')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: `${one} is up to date\npushed 1 commit to ${two}\n`,
    })
    expect(tip(two)).toBe(tip(found.repository))

    // So it is where something is wrong with it in the settings for once.
    writeFileSync(
      join(found.dir, 'wrong.yaml'),
      `remotes: [{ url: both, password-variable: NOT_OF_USE }, { url: ${JSON.stringify(one)} }]\n`,
    )
    expect(await found.rowback('push', '--repo', 'repo.git', '--config', 'wrong.yaml')).toMatchObject({
      code: 2,
    })
    expect(git(found.repository, ['config', '--get-all', 'rowback.remote'])).toBe(`both\n${one}`)
  })

  test('is looked for where it was pushed to, though settings lead from there to where it is read.', async () => {
    const found = await place()
    const [read, written] = ['read', 'written'].map((name) => {
      mkdirSync(join(found.dir, name))
      return bareRepository(join(found.dir, name, 'x.git'))
    }) as [string, string]
    git(found.repository, ['remote', 'add', 'nas', read])
    git(found.repository, ['config', 'remote.nas.pushurl', written])
    expect(await push(found, 'nas')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`pushed 1 commit to ${written}`),
    })
    git(written, ['update-ref', '-d', 'refs/heads/main'])
    const led = [
      [`url.${found.dir}/written/.pushInsteadOf`, `${found.dir}/read/`],
      [`url.${found.dir}/read/.insteadOf`, `${found.dir}/written/`],
    ] as const
    for (const [key, value] of led) git(found.repository, ['config', key, value])
    expect((await push(found, read)).stdout).toBe(`pushed 1 commit to ${written}\n`)
    expect((await push(found, read)).stdout).toBe(`${written} is up to date\n`)
    expect([tip(read), tip(written)]).toEqual(['', tip(found.repository)])
  })

  test('goes to a server as to one, whatever it is read from.', async () => {
    const found = await place()
    const remote = bareRepository(join(found.dir, 'x.git'))
    const [ssh, noted] = [join(found.dir, 'ssh'), join(found.dir, 'noted')]
    const script = `#!/bin/sh\nfor command; do :; done\necho "$command" >> ${noted}\nexec sh -c "$command"\n`
    writeFileSync(ssh, script, { mode: 0o755 })
    found.env.GIT_SSH_COMMAND = ssh
    writeFileSync(
      join(found.dir, '.gitconfig'),
      `[url "ssh://nas${found.dir}/"]\n\tpushInsteadOf = ${found.dir}/\n`,
    )
    expect(await push(found, remote)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(`pushed 1 commit to ssh://nas${remote}`),
    })
    expect(readFileSync(noted, 'utf8')).toContain(`git-receive-pack '${remote}'`)
    expect(readFileSync(noted, 'utf8')).not.toContain('core.fsync')
    expect(tip(remote)).toBe(tip(found.repository))
  })

  test('is not pushed where that has a password; nor is a password given to another server than its own.', async () => {
    const found = await place()
    const remote = bareRepository(join(found.dir, 'x.git'))
    git(found.repository, ['remote', 'add', 'nas', remote])
    git(found.repository, ['config', 'remote.nas.pushurl', 'http://joe:S3CRET@127.0.0.1:9/x.git'])
    const refused = await push(found, 'nas')
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining('it holds a secret') })
    expect(refused.stderr).not.toContain('S3CRET')

    setEnv({ ...found.env, TOKEN: 'hush' })
    git(found.repository, ['config', 'url.http://other.example/.pushInsteadOf', 'http://nas.example/'])
    const store = await openStore(found.repository)
    const settled = await Promise.all(
      ['nas', 'one'].map((host) =>
        pushTargets(store, { url: `http://${host}.example/x`, passwordVariable: 'TOKEN' }),
      ),
    )
    await store.close()
    expect(settled.flat()).toMatchObject([
      { url: 'http://other.example/x', name: 'http://nas.example/x', passwordVariable: undefined },
      { url: 'http://one.example/x', name: 'http://one.example/x', passwordVariable: 'TOKEN' },
    ])
  })
})
