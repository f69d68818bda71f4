/** What a disk that loses bytes does to a repository: `verify` finds it, names it, and heals it from a remote. */

import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { exitCodes } from '../../src/errors.ts'
import { projectRoot, rowback as rowbackProcess } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

interface Place {
  dir: string
  repository: string
  remote: string
}

/** A repository whose first commit the remote has, and whose second one it lacks unless it is told. */
async function place(isPushed: boolean): Promise<Place> {
  const dir = await (isPushed ? pushedPlace() : aheadPlace())
  return { dir, repository: join(dir, 'repo.git'), remote: join(dir, 'remote.git') }
}

const pushedPlace = copiedPlace((dir) => makePlace(dir, true))
const aheadPlace = copiedPlace((dir) => makePlace(dir, false))

async function makePlace(dir: string, isPushed: boolean): Promise<void> {
  const source = join(dir, 'data')
  mkdirSync(source)
  const database = databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<4000)
     INSERT INTO note SELECT i, hex(randomblob(30)) FROM n;`,
    join(source, 'app.db'),
  )
  const [repository, remote] = [join(dir, 'repo.git'), bareRepository(join(dir, 'remote.git'))]
  await backup({ source, repository, remotes: [{ url: remote }] })
  databaseFrom('UPDATE note SET text=1 WHERE id=7', database)
  await backup({ source, repository, ...(isPushed ? { remotes: [{ url: remote }] } : {}) })
}

/** The packs of a repository, the largest first. */
function packs(repository: string): string[] {
  const folder = join(repository, 'objects', 'pack')
  const files = readdirSync(folder).filter((file) => file.endsWith('.pack'))
  const paths = files.map((file) => join(folder, file))
  return paths.sort((a, b) => readFileSync(b).length - readFileSync(a).length)
}

function flip(file: string, at: number): void {
  const content = readFileSync(file)
  const position = Math.floor(at * content.length)
  content[position] = (content[position] as number) ^ 0x10
  chmodSync(file, 0o644)
  writeFileSync(file, content)
}

/** Flips a bit of that object in its pack. */
function flipObject(pack: string, oid: string): void {
  const index = execFileSync('git', ['show-index'], { input: readFileSync(indexOf(pack)) })
  const line = index
    .toString()
    .split('\n')
    .find((text) => text.includes(oid))
  flip(pack, (Number(line?.split(' ')[0]) + 20) / readFileSync(pack).length)
}

const indexOf = (pack: string) => pack.replace(/pack$/, 'idx')

/** Takes all objects out of their packs. */
function loosen(repository: string): string[] {
  for (const pack of packs(repository)) {
    const moved = join(repository, 'moved.pack')
    renameSync(pack, moved)
    rmSync(pack.replace(/pack$/, 'idx'))
    execFileSync('git', ['unpack-objects', '-q'], { cwd: repository, input: readFileSync(moved) })
    rmSync(moved)
  }
  return git(repository, ['rev-list', '--objects', '--no-object-names', 'main'])
    .split('\n')
    .map((oid) => join(repository, 'objects', oid.slice(0, 2), oid.slice(2)))
}

const damages: Record<string, (repository: string) => void> = {
  'a byte in the middle of a pack': (repository) => flip(packs(repository)[0] as string, 0.5),
  'a byte at the start of a pack': (repository) => flip(packs(repository)[0] as string, 0.001),
  'the checksum of a pack': (repository) => flip(packs(repository)[0] as string, 0.9999),
  'the end of a pack': (repository) => truncateSync(packs(repository)[0] as string, 1000),
  'a whole pack': (repository) => rmSync(packs(repository)[0] as string),
  'the trees and the commit': (repository) => flip(packs(repository).at(-1) as string, 0.5),
  'a byte of a loose object': (repository) => flip(loosen(repository).at(-1) as string, 0.5),
  'the end of a loose object': (repository) => {
    const file = loosen(repository).at(-1) as string
    chmodSync(file, 0o644)
    truncateSync(file, 10)
  },
  'a loose object': (repository) => rmSync(loosen(repository).at(-1) as string),
  'the commit as a loose object': (repository) => flip(loosen(repository)[0] as string, 0.5),
}

describe('verify heals from the remote', () => {
  for (const [what, damage] of Object.entries(damages))
    test(`${what}.`, async () => {
      const { repository } = await place(true)
      damage(repository)
      expect(spawnSync('git', ['fsck', '--full'], { cwd: repository }).status).not.toBe(0)
      const { code, stdout, stderr } = await rowback(['verify', '--repo', repository])
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: expect.stringContaining(' is proved: '),
        stderr: expect.stringMatching(
          /^rowback: (?:1 object was|\d+ objects were) damaged or missing, and came back from \S+remote\.git: [0-9a-f ]*\n$/,
        ),
      })
      expect(git(repository, ['fsck', '--full', '--strict', '--no-dangling'])).toBe('')
      expect(existsSync(join(repository, 'rowback', 'damaged'))).toBe(false)
      expect(await rowbackJson(['verify', '--all', '--repo', repository])).toMatchObject({
        commits: 2,
        failures: [],
      })
    })

  test('what it has, though it is damaged itself elsewhere.', async () => {
    const { repository, remote } = await place(true)
    for (const [broken, path] of [
      [repository, 'manifest.json'],
      [remote, 'README.md'],
    ] as const) {
      loosen(broken)
      const oid = git(broken, ['rev-parse', `main:${path}`])
      flip(join(broken, 'objects', oid.slice(0, 2), oid.slice(2)), 0.5)
    }
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('1 object was damaged or missing'),
    })
    expect(git(repository, ['fsck', '--full', '--strict', '--no-dangling'])).toBe('')
  })

  test('where only another branch has them.', async () => {
    const { repository, remote } = await place(true)
    const blob = git(repository, ['hash-object', '-w', join(projectRoot, 'package.json')])
    const tree = execFileSync('git', ['mktree'], { cwd: repository, input: `100644 blob ${blob}\tfile\n` })
    const env = {
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a',
    }
    const commit = git(repository, ['commit-tree', '-m', 'other', String(tree).trim()], env)
    git(repository, ['update-ref', 'refs/heads/hosts/other', commit])
    git(repository, ['push', '--quiet', '--no-verify', remote, 'hosts/other'])
    git(remote, ['config', 'uploadpack.allowAnySHA1InWant', 'true'])
    rmSync(join(repository, 'objects', blob.slice(0, 2), blob.slice(2)))
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining(`came back from ${remote}: ${blob}`),
    })
    expect(git(repository, ['fsck', '--full', '--strict', '--no-dangling'])).toBe('')
  })

  test('whose address git knows, relative to the repository.', async () => {
    const { repository } = await place(true)
    git(repository, ['remote', 'add', 'copy', '../remote.git'])
    expect(await rowback(['push', '--repo', repository, '--remote', 'copy'])).toMatchObject({ code: 0 })
    flip(packs(repository)[0] as string, 0.5)
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('came back from copy: ') })
    expect(git(repository, ['fsck', '--full', '--strict', '--no-dangling'])).toBe('')
  })

  test('and keeps what is intact and nowhere else: commits that were not pushed.', async () => {
    const { repository } = await place(false)
    git(repository, ['repack', '-a', '-d', '-q'])
    const [pack] = packs(repository) as [string]
    // The oldest content lies where the remote has it: only commit and chunk of the second backup are its own.
    const shared = git(repository, ['rev-parse', 'main~1:README.md'])
    flipObject(pack, shared)
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining(shared) })
    expect(git(repository, ['fsck', '--full', '--strict', '--no-dangling'])).toBe('')
  })
})

/** What a heal does before it is killed: damaged files lie aside. */
function setAside(repository: string, files: readonly string[]): void {
  const aside = join(repository, 'rowback', 'damaged')
  git(repository, ['init', '--quiet', '--bare', aside])
  writeFileSync(join(aside, 'objects', 'info', 'alternates'), '../../../objects\n')
  for (const file of files) renameSync(file, join(aside, 'objects', 'pack', basename(file)))
}

const lostIndexes: Record<string, (repository: string, pack: string) => void> = {
  'an index that is damaged': (_, pack) => flip(indexOf(pack), 0.9),
  'an index that is gone': (_, pack) => rmSync(indexOf(pack)),
  'a pack that a killed heal has brought back without its index': (repository, pack) => {
    flip(indexOf(pack), 0.9)
    setAside(repository, [indexOf(pack)])
  },
  'a pack that a killed heal has set aside': (repository, pack) => {
    flip(indexOf(pack), 0.9)
    setAside(repository, [pack, indexOf(pack)])
  },
}

describe('verify heals by itself, while the remote is away or none is known', () => {
  for (const [what, damage] of Object.entries(lostIndexes))
    test(`${what}.`, async () => {
      const { dir, repository, remote } = await place(false)
      if (what.startsWith('an index')) git(repository, ['config', '--unset', 'rowback.remote'])
      else renameSync(remote, join(dir, 'away.git'))
      damage(repository, packs(repository)[0] as string)
      expect(spawnSync('git', ['fsck', '--full'], { cwd: repository }).status).not.toBe(0)
      const { code, stdout, stderr } = await rowback(['verify', '--repo', repository])
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: expect.stringContaining(' is proved: '),
        stderr: expect.stringMatching(
          /^rowback: \d+ objects were damaged or missing, and came back from the repository itself: [0-9a-f ]+\n$/,
        ),
      })
      expect(git(repository, ['fsck', '--full', '--strict', '--no-dangling'])).toBe('')
      expect(existsSync(join(repository, 'rowback', 'damaged'))).toBe(false)
      expect(await rowbackJson(['verify', '--all', '--repo', repository])).toMatchObject({
        commits: 2,
        failures: [],
      })
    })

  test.each(['objects', 'refs'])(
    'what is left of a folder of damaged files that was being removed: no %s.',
    async (gone) => {
      const { repository } = await place(false)
      setAside(repository, [])
      rmSync(join(repository, 'rowback', 'damaged', gone), { recursive: true })
      expect(await rowback(['verify', '--repo', repository])).toMatchObject({ code: 0, stderr: '' })
      expect(existsSync(join(repository, 'rowback', 'damaged'))).toBe(false)
    },
  )

  test('what is intact in a damaged pack that a killed heal has set aside, and names the rest.', async () => {
    const { dir, repository, remote } = await place(false)
    git(repository, ['repack', '-a', '-d', '-q'])
    const [pack] = packs(repository) as [string]
    const shared = git(repository, ['rev-parse', 'main~1:README.md'])
    flipObject(pack, shared)
    renameSync(remote, join(dir, 'away.git'))
    setAside(repository, [pack, indexOf(pack)])
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({
      code: exitCodes.repository,
      stderr: expect.stringMatching(
        new RegExp(`^rowback: verify .* nothing came from the remote: .*\n  ${shared} \\(README.md\\)\n`),
      ),
    })
    const left = spawnSync('git', ['fsck', '--full'], { cwd: repository }).stdout.toString()
    expect(left.split('\n').filter((line) => /missing|error/.test(line))).toEqual([`missing blob ${shared}`])
    renameSync(join(dir, 'away.git'), remote)
    expect(await rowback(['verify', '--repo', repository])).toMatchObject({ code: 0 })
    expect(existsSync(join(repository, 'rowback', 'damaged'))).toBe(false)
  })
})

describe('verify, when it was killed while it healed', () => {
  const isLong = process.env.ROWBACK_LONG !== undefined
  const hook = join(projectRoot, 'test', 'support', 'kill-at.js')

  /** Runs it with one pack that is damaged and one without a sound index, both with commits that the remote lacks. */
  async function healed(env: Record<string, string>): Promise<string> {
    const { dir, repository } = await place(false)
    git(repository, ['repack', '-a', '-d', '-q'])
    const [old] = packs(repository) as [string]
    flipObject(old, git(repository, ['rev-parse', 'main~1:README.md']))
    databaseFrom('UPDATE note SET text=2 WHERE id=9', join(dir, 'data', 'app.db'))
    await backup({ source: join(dir, 'data'), repository, verify: 'never' })
    flip(indexOf(packs(repository).find((pack) => pack !== old) as string), 0.9)
    const options = { env: { ...process.env, ...env }, stdio: 'ignore' } as const
    const args = ['--import', hook, join(projectRoot, 'bin', 'rowback.js'), 'verify', '--repo', repository]
    spawnSync(process.execPath, args, options)
    return repository
  }

  test('goes on from there, and loses nothing.', async () => {
    const count = join(tempDir(), 'count')
    await healed({ ROWBACK_COUNT_TO: count })
    const steps = Number(readFileSync(count, 'utf8'))
    expect(steps).toBeGreaterThan(20)
    for (let at = 1; at <= steps; at += isLong ? 1 : Math.ceil(steps / 3)) {
      const repository = await healed({ ROWBACK_KILL_AT: String(at) })
      expect({ at, ...(await rowback(['verify', '--repo', repository])) }).toMatchObject({ at, code: 0 })
      expect({ at, fsck: git(repository, ['fsck', '--full', '--strict', '--no-dangling']) }).toEqual({
        at,
        fsck: '',
      })
      expect(git(repository, ['rev-list', '--count', 'main'])).toBe('3')
      expect({ at, isKept: existsSync(join(repository, 'rowback', 'damaged')) }).toEqual({
        at,
        isKept: false,
      })
    }
  })
})

describe('verify names what nobody has', () => {
  async function expectDamage(repository: string, args: string[], text: RegExp): Promise<void> {
    const { code, stderr } = await rowback([...args, '--repo', repository])
    expect({ code, stderr }).toEqual({ code: exitCodes.repository, stderr: expect.stringMatching(text) })
  }

  test('where there is no remote, with the path of the object, and leaves all as it is.', async () => {
    const { repository } = await place(true)
    git(repository, ['config', '--unset', 'rowback.remote'])
    const readme = git(repository, ['rev-parse', 'main:README.md'])
    loosen(repository)
    const file = join(repository, 'objects', readme.slice(0, 2), readme.slice(2))
    flip(file, 0.5)
    const before = readFileSync(file)
    await expectDamage(
      repository,
      ['verify'],
      new RegExp(
        `^rowback: verify \\S+: objects are damaged or missing, and no remote is known that could have them\n(?:.*\n)*  ${readme} \\(README\\.md\\)\n`,
      ),
    )
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test('where the remote is away, and where it lacks them.', async () => {
    const { dir, repository, remote } = await place(false)
    loosen(repository)
    const change = git(repository, ['diff-tree', '-r', 'main~1', 'main', '--', 'databases']).split('\n')[0]
    const oid = change?.split(' ')[3] as string
    rmSync(join(repository, 'objects', oid.slice(0, 2), oid.slice(2)))
    renameSync(remote, join(dir, 'away.git'))
    await expectDamage(
      repository,
      ['verify'],
      new RegExp(`and nothing came from the remote: fetch from .*\n  ${oid} \\(databases/`),
    )
    renameSync(join(dir, 'away.git'), remote)
    await expectDamage(
      repository,
      ['verify', 'main~1'],
      new RegExp(`and \\S+ does not have them; the damaged files are in \\S+\n  ${oid} \\(databases/`),
    )
    const all = await rowback(['verify', '--all', '--repo', repository])
    expect({ code: all.code, stderr: all.stderr }).toEqual({
      code: exitCodes.difference,
      stderr: expect.stringContaining('1 of 2 commits does not restore'),
    })
  })
  test('and the list of the commits that need it, where it is a tree.', async () => {
    const { repository } = await place(true)
    git(repository, ['config', '--unset', 'rowback.remote'])
    loosen(repository)
    const tree = git(repository, ['rev-parse', 'main~1^{tree}'])
    rmSync(join(repository, 'objects', tree.slice(0, 2), tree.slice(2)))
    const { code, stderr } = await rowback(['verify', '--all', '--repo', repository])
    expect({ code, stderr }).toEqual({
      code: exitCodes.difference,
      stderr: expect.stringContaining('1 of 2 commits does not restore'),
    })
  })
})

/** Puts a shell script in front of the real git. */
function gitThat(script: string): { env: { PATH: string } } {
  const bin = tempDir()
  const real = execFileSync('sh', ['-c', 'command -v git']).toString().trim()
  writeFileSync(join(bin, 'git'), `#!/bin/sh\n${script}\nexec '${real}' "$@"\n`, { mode: 0o755 })
  return { env: { PATH: `${bin}:${process.env.PATH}` } }
}

test.each([
  ['is killed', 'kill -KILL $$', 'git was ended by SIGKILL'],
  [
    'is killed when it has found something',
    `echo 'error: object ${'0'.repeat(40)} is odd' >&2; kill -KILL $$`,
    'git was ended by SIGKILL',
  ],
  [
    'gets no memory',
    "echo 'fatal: Out of memory, malloc failed (tried to allocate 1048576 bytes)' >&2; exit 128",
    'Out of memory, malloc failed (tried to allocate 1048576 bytes)',
  ],
])('A git that %s while it reads all is no damage, and nothing is fetched.', async (_, script, cause) => {
  const { repository, dir } = await place(true)
  const options = gitThat(
    `case " $* " in *" fsck "*) ${script} ;; *" fetch "*) touch '${dir}/fetched' ;; esac`,
  )
  const { code, stderr } = await rowbackProcess(['verify', '--repo', repository], options)
  expect({ code, stderr }).toEqual({
    code: exitCodes.repository,
    stderr: `rowback: read the objects of ${repository}: ${cause}\n`,
  })
  expect(existsSync(join(dir, 'fetched'))).toBe(false)
})

test('A pack that an upkeep has joined while git reads all is no damage.', async () => {
  const { repository, dir } = await place(true)
  const gone = `./objects/pack/pack-${'0'.repeat(40)}.pack`
  const options = gitThat(
    `case " $* " in *" fsck "*) [ -e '${dir}/asked' ] || {
      touch '${dir}/asked'; echo 'fatal: packfile ${gone} cannot be accessed' >&2; exit 128; } ;; esac`,
  )
  const { code, stderr } = await rowbackProcess(['verify', '--repo', repository], options)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(existsSync(join(dir, 'asked'))).toBe(true)
})

test('What git has noted of a commit that is gone is no damage.', async () => {
  const { repository } = await place(true)
  const env = {
    GIT_AUTHOR_NAME: 'a',
    GIT_AUTHOR_EMAIL: 'a',
    GIT_COMMITTER_NAME: 'a',
    GIT_COMMITTER_EMAIL: 'a',
  }
  const gone = git(repository, ['commit-tree', '-m', 'gone', '-p', 'main', 'main^{tree}'], env)
  git(repository, ['update-ref', 'refs/rowback/safety/1', gone])
  git(repository, ['commit-graph', 'write', '--reachable'])
  git(repository, ['update-ref', '-d', 'refs/rowback/safety/1'])
  git(repository, ['prune', '--expire=now'])
  expect(spawnSync('git', ['fsck'], { cwd: repository }).status).not.toBe(0)
  expect(await rowback(['verify', '--repo', repository])).toMatchObject({ code: 0, stderr: '' })
})
