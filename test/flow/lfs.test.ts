/** Large files in Git LFS, with the real client of it, a server of its protocol, and directories as remotes. */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { BackupResult } from '../../src/backup.ts'
import { contents, type Ended } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, craftCommit, filesOf, git, gitBytes } from '../support/git.ts'
import { httpServer } from '../support/git-servers.ts'
import { rowback } from '../support/in-process.ts'
import {
  clientPointer,
  gitLfs,
  hasGitLfs,
  type LfsServer,
  lfsHome,
  lfsServer,
  pathWithoutLfs,
} from '../support/lfs.ts'
import { tempDir } from '../support/temp.ts'

const password = 'tr0ub4dor'
const big = Buffer.alloc(200_000, 'big content; ')
/** Over what is held in memory. */
const huge = Buffer.alloc(9_000_000, 'huge content; ')
const odd = 'sub dir/*odd* [x] "q" #é\t!.bin'

interface Place {
  dir: string
  source: string
  repository: string
  remote: string
  url: string
  lfs: LfsServer
  env: Record<string, string>
  run: (...args: string[]) => Promise<Ended>
}

/** A data directory whose `*.bin` go to Git LFS, and a server that wants a password. */
async function place(settings = ''): Promise<Place> {
  const [dir, root] = [tempDir(), tempDir()]
  const remote = bareRepository(join(root, 'app.git'))
  const lfs = lfsServer()
  const login = { user: 'git', password }
  const port = await httpServer(root, { login, answer: lfs.answer })
  const url = `http://127.0.0.1:${port}/app.git`
  const env = lfsHome({ ...login, port })
  const source = join(dir, 'data')
  mkdirSync(join(source, 'sub dir'), { recursive: true })
  databaseFrom(
    'CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1, 1)',
    join(source, 'app.db'),
  )
  for (const [name, content] of [
    ['big.bin', big],
    [odd, huge],
    ['empty.bin', ''],
    ['small.txt', 'small'],
  ] as const) {
    writeFileSync(join(source, name), content)
    // A restore brings back times to the microsecond only.
    utimesSync(join(source, name), 1_700_000_000, 1_700_000_000)
  }
  const rules = `assets: { rules: [{ match: ['*.bin'], store: lfs }] }\n`
  writeFileSync(
    join(dir, 'rowback.yaml'),
    `source: data\nrepository: repo.git\nretries: 0\n${rules}${settings}`,
  )
  const run = (...args: string[]) => rowback(args, { cwd: dir, env })
  return { dir, source, repository: join(dir, 'repo.git'), remote, url, lfs, env, run }
}

async function pushed(settings?: string): Promise<Place> {
  const at = await place(settings)
  expect(await at.run('backup', '--remote', at.url)).toMatchObject({ code: 0, stderr: '' })
  return at
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Equality of large buffers takes a test runner minutes. */
function hasContent(file: string, content: Buffer): boolean {
  return readFileSync(file).equals(content)
}

function objectFile(repository: string, content: Buffer): string {
  const id = sha256(content)
  return join(repository, 'lfs', 'objects', id.slice(0, 2), id.slice(2, 4), id)
}

function forget({ repository }: Pick<Place, 'repository'>): void {
  rmSync(join(repository, 'lfs'), { recursive: true, force: true })
}

/** Overwrites a content by as many other bytes. */
function damage({ repository }: Pick<Place, 'repository'>, content: Buffer): void {
  const file = objectFile(repository, content)
  rmSync(file)
  writeFileSync(file, Buffer.alloc(content.length, 'x'))
}

/** The files of a data directory that are no database. */
function assetsOf(dir: string): string[] {
  return contents(dir, ['app.db', 'app.db-wal', 'app.db-shm']).filter((line) => !line.startsWith('sub dir/ '))
}

const suite = hasGitLfs() ? describe : describe.skip

suite('files of a rule that says lfs', () => {
  test('are pointers as the client writes them, and any clone with git-lfs has their bytes.', async () => {
    const { dir, repository, url, lfs, env } = await pushed()
    const files = [...filesOf(repository, 'main').keys()]
    expect(files.filter((path) => path.startsWith('assets'))).toEqual([
      'assets-lfs/big.bin',
      `assets-lfs/${odd}`,
      expect.stringMatching(/^assets-manifest\//),
      'assets/empty.bin',
      'assets/small.txt',
    ])
    for (const [name, content] of [
      ['big.bin', big],
      [odd, huge],
    ] as const) {
      expect(gitBytes(repository, ['show', `main:assets-lfs/${name}`]).toString()).toBe(
        clientPointer(content),
      )
      expect(hasContent(objectFile(repository, content), content)).toBe(true)
      expect(lfs.objects.get(sha256(content))?.equals(content)).toBe(true)
    }
    expect([...lfs.objects.keys()].sort()).toEqual([sha256(big), sha256(huge)].sort())
    git(repository, ['fsck', '--strict'])

    await gitLfs(dir, ['clone', '--quiet', url, 'work'], env)
    const work = join(dir, 'work')
    expect(hasContent(join(work, 'assets-lfs', 'big.bin'), big)).toBe(true)
    expect(hasContent(join(work, 'assets-lfs', odd), huge)).toBe(true)
    expect(await gitLfs(work, ['lfs', 'fsck'], env)).toBe('Git LFS fsck OK')
    expect((await gitLfs(work, ['lfs', 'ls-files', '--name-only'], env)).split('\n').sort()).toEqual(
      ['assets-lfs/big.bin', `assets-lfs/${odd}`].sort(),
    )
    expect(await gitLfs(work, ['status', '--porcelain'], env)).toBe('')
    // No filter touches anything else.
    for (const path of files.filter((name) => !name.startsWith('assets-lfs/')))
      expect(hasContent(join(work, path), gitBytes(repository, ['show', `main:${path}`]))).toBe(true)
  })

  test('come back from the remote, only those that are missing, and after their bytes were checked.', async () => {
    const at = await pushed()
    const { dir, source, repository, lfs, run } = at
    rmSync(objectFile(repository, big))
    lfs.log.length = 0
    expect(await run('restore', 'latest', '--to', 'whole')).toMatchObject({ code: 0, stderr: '' })
    expect(lfs.log).toEqual(['batch download 1', 'get'])
    expect(assetsOf(join(dir, 'whole'))).toEqual(assetsOf(source))
    expect(hasContent(objectFile(repository, big), big)).toBe(true)
    expect(await run('restore', 'latest', '--to', 'again')).toMatchObject({ code: 0, stderr: '' })
    expect(lfs.log).toHaveLength(2)

    forget(at)
    const one = await run('restore', 'latest', '--file', odd, '--output', 'one.bin')
    expect(one).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(join(dir, 'one.bin'), huge)).toBe(true)
    expect(existsSync(objectFile(repository, big))).toBe(false)

    lfs.objects.set(sha256(big), Buffer.alloc(big.length, 'x'))
    const wrong = await run('restore', 'latest', '--to', 'wrong')
    expect(wrong).toMatchObject({ code: 12, stdout: '' })
    expect(wrong.stderr).toContain('restore latest: contents in Git LFS are not here: big.bin; fetch from')
    expect(wrong.stderr).toContain('it gives other contents (expected OID')
    expect(wrong.stderr).toContain('; nothing was written\n')
    lfs.objects.delete(sha256(big))
    const gone = await run('restore', 'latest', '--to', 'wrong')
    expect(gone.stderr).toContain('app.git: it does not have them (')
    expect(existsSync(join(dir, 'wrong'))).toBe(false)
    expect(existsSync(objectFile(repository, big))).toBe(false)
  })

  test('are neither kept nor sent twice where they did not change, and a full backup gives the same.', async () => {
    const at = await pushed()
    const { source, repository, url, lfs, run } = at
    lfs.log.length = 0
    chmodSync(join(source, 'small.txt'), 0o600)
    const next = JSON.parse((await run('backup', '--remote', url, '--json')).stdout) as BackupResult
    expect(next.subject).toBe('data: manifest changed')
    expect(lfs.log).toEqual([])
    const times = statSync(objectFile(repository, big), { bigint: true }).mtimeNs
    const full = JSON.parse((await run('backup', '--full', '--json')).stdout) as BackupResult
    expect(full).toMatchObject({ tree: next.tree, subject: 'nothing changed' })
    expect(statSync(objectFile(repository, big), { bigint: true }).mtimeNs).toBe(times)

    // What Git LFS has lost is kept again from the source, though the file did not change.
    forget(at)
    chmodSync(join(source, 'small.txt'), 0o644)
    expect(await run('backup')).toMatchObject({ code: 0 })
    expect(hasContent(objectFile(repository, big), big)).toBe(true)

    writeFileSync(join(source, 'big.bin'), 'other')
    expect((await run('backup', '--remote', url)).stdout).toContain('data: 1 asset changed\n')
    expect(lfs.log).toEqual(['batch upload 1', 'put', 'verify'])
    expect(hasContent(objectFile(repository, big), big)).toBe(true)
  })

  test('are kept again where they are lost or damaged, as long as the source has them.', async () => {
    const at = await place()
    const { repository, run } = at
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    forget(at)
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(repository, big), big)).toBe(true)
    expect(hasContent(objectFile(repository, huge), huge)).toBe(true)
    damage(at, big)
    expect(await run('backup', '--full')).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(repository, big), big)).toBe(true)
  })

  test('are all sent, whatever the name of one that went looks like.', async () => {
    const { dir, source, repository, url, lfs, run } = await place()
    writeFileSync(
      join(dir, 'rowback.yaml'),
      "source: data\nrepository: repo.git\nassets: { rules: [{ match: ['*'], store: lfs }] }\n",
    )
    expect(await run('backup')).toMatchObject({ code: 0 })
    const attributes = git(repository, ['rev-parse', 'main:.gitattributes'])
    const name = `x:1 1 a ${attributes} A`
    writeFileSync(join(source, name), 'with a name like what git prints')
    expect(await run('backup', '--remote', url)).toMatchObject({ code: 0, stderr: '' })
    rmSync(join(source, name))
    writeFileSync(join(source, 'y'), 'behind it')
    expect(await run('backup', '--remote', url)).toMatchObject({ code: 0, stderr: '' })
    expect(lfs.objects.has(sha256(Buffer.from('behind it')))).toBe(true)
  })

  test('are not in Git LFS by a rule about sizes until they are over it, and the way there is a change.', async () => {
    const { dir, repository, run } = await place()
    const settings = (rule: string) =>
      writeFileSync(
        join(dir, 'rowback.yaml'),
        `source: data\nrepository: repo.git\nassets: { rules: [${rule}] }\n`,
      )
    settings('{ over: 1 MB, store: lfs }')
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    const inLfs = () =>
      [...filesOf(repository, 'main').keys()].filter((path) => path.startsWith('assets-lfs'))
    expect(inLfs()).toEqual([`assets-lfs/${odd}`])
    settings(`{ match: ['${odd.replace(/[*[\]#"\t]/g, '?')}'], store: git }, { over: 1 kB, store: lfs }`)
    expect((await run('backup')).stdout).toContain('data: 2 assets changed\n')
    expect(inLfs()).toEqual(['assets-lfs/big.bin'])
    expect((await run('diff', 'latest~1', '--stat')).stdout).toContain('2 assets changed')
    expect((await run('show', 'latest')).stdout).toMatch(/200\.0 kB {2}big\.bin {2}\(Git LFS\)\n/)
    settings('')
    expect((await run('backup')).stdout).toContain('data: 1 asset changed\n')
    expect([...filesOf(repository, 'main').keys()].filter((path) => /lfs|attributes/.test(path))).toEqual([])
    expect(await run('verify', '--all')).toMatchObject({ code: 0, stderr: '' })
  })
})

suite('without git-lfs', () => {
  test('a backup is made, its push and a restore that needs it say what is missing.', async () => {
    const at = await place()
    const { dir, repository, remote, url, env, run } = at
    const without = (...args: string[]) =>
      rowback(args, { cwd: dir, env: { ...env, PATH: pathWithoutLfs() } })
    const made = await without('backup', '--remote', url)
    expect(made).toMatchObject({ code: 12, stdout: expect.stringContaining('first backup') })
    expect(made.stderr).toContain(
      `push to the Git LFS of ${url}: there is no git-lfs (git: 'lfs' is not a git command. See 'git --help'.); nothing was pushed, the commit is safe in ${repository}\nrowback: try: install git-lfs`,
    )
    expect(git(remote, ['for-each-ref'])).toBe('')
    expect(await without('verify')).toMatchObject({ code: 0, stderr: '' })
    expect(await without('restore', 'latest', '--to', 'local')).toMatchObject({ code: 0, stderr: '' })

    forget(at)
    const nowhere = await run('restore', 'latest', '--to', 'target')
    expect(nowhere.code).toBe(11)
    expect(nowhere.stderr).toContain(
      'restore latest: contents in Git LFS are not here: big.bin, "sub dir/*odd* [x] \\"q\\" #é\\t!.bin"; no remote is known that could have them; nothing was written\n',
    )
    expect(nowhere.stderr).toContain('try: copy the folder lfs/objects of a repository that has them\n')
    expect(await run('backup', '--full')).toMatchObject({ code: 0 })
    expect(await run('push', '--remote', url)).toMatchObject({ code: 0, stderr: '' })
    forget(at)
    const restored = await without('restore', 'latest', '--to', 'target')
    expect(restored.code).toBe(12)
    expect(restored.stderr).toMatch(
      /are not here: big\.bin, .*: there is no git-lfs .*; nothing was written\n/,
    )
    expect(restored.stderr).toContain('try: install git-lfs')
    expect(existsSync(join(dir, 'target'))).toBe(false)
  })
})

suite('verify', () => {
  test('reads contents, brings back what is damaged or missing, and names what nobody has.', async () => {
    const at = await pushed()
    const { repository, lfs, run } = at
    damage(at, big)
    rmSync(objectFile(repository, huge))
    const healed = await run('verify')
    expect(healed).toMatchObject({
      code: 0,
      stderr: 'rowback: 1 Git LFS file was damaged, and came back from a remote: big.bin\n',
    })
    expect(healed.stdout).toMatch(/^1 Git LFS file was not here, and came from a remote: "sub dir/)
    expect(hasContent(objectFile(repository, big), big)).toBe(true)
    expect(existsSync(join(repository, 'lfs', 'bad', sha256(big)))).toBe(true)

    damage(at, big)
    expect((await run('verify', '--all')).stderr).toContain(
      'was damaged, and came back from a remote: big.bin',
    )

    lfs.objects.delete(sha256(big))
    damage(at, big)
    const lost = await run('verify')
    expect(lost.code).toBe(11)
    expect(lost.stderr).toMatch(
      /verify \w+: contents in Git LFS are not here: big\.bin; .*it does not have them/,
    )
    const all = await run('verify', '--all')
    expect(all.code).toBe(13)
    expect(all.stderr).toContain('1 of 1 commit does not restore')
    expect(all.stderr).toContain('big.bin')
  })

  test('and restore refuse a pointer that is not that of the manifest, and damage that was not looked for.', async () => {
    const at = await pushed()
    const { dir, repository, run } = at
    damage(at, big)
    const damaged = await run('restore', 'latest', '--to', 'target')
    expect(damaged.code).toBe(11)
    expect(damaged.stderr).toContain('has damaged content of big.bin')
    expect(damaged.stderr).toContain('try: rowback verify')
    expect(existsSync(join(dir, 'target'))).toBe(false)

    const other = Buffer.from('other')
    craftCommit(repository, { 'assets-lfs/big.bin': () => clientPointer(other) })
    const crafted = await run('restore', 'latest', '--to', 'target')
    expect(crafted.code).toBe(14)
    expect(crafted.stderr).toContain('restore big.bin: its pointer to Git LFS is not that of the manifest')
    const verified = await run('verify')
    expect(verified.code).toBe(13)
    expect(verified.stderr).toContain('has a pointer to Git LFS that is not that of the manifest')
  })
})

suite('a remote', () => {
  test('that is a directory takes and gives contents, and a file that looks like a pointer is one like others.', async () => {
    const at = await place()
    const { dir, source, env, run } = at
    const unknown = clientPointer(Buffer.from('nobody has it'))
    writeFileSync(join(source, 'pointer.txt'), unknown)
    utimesSync(join(source, 'pointer.txt'), 1_700_000_000, 1_700_000_000)
    const [one, two] = ['usb disk.git', 'two %41#?.git'].map((name) => bareRepository(join(dir, name))) as [
      string,
      string,
    ]
    expect(await run('backup', '--remote', one, '--remote', './two %41#?.git')).toMatchObject({
      code: 0,
      stderr: '',
    })
    for (const remote of [one, two]) expect(hasContent(objectFile(remote, huge), huge)).toBe(true)
    forget({ repository: two })
    forget(at)
    expect(await run('restore', 'latest', '--to', 'target')).toMatchObject({ code: 0, stderr: '' })
    expect(assetsOf(join(dir, 'target'))).toEqual(assetsOf(source))

    await gitLfs(dir, ['clone', '--quiet', one, 'work'], env)
    expect(readFileSync(join(dir, 'work', 'assets', 'pointer.txt'), 'utf8')).toBe(unknown)
    expect(hasContent(join(dir, 'work', 'assets-lfs', 'big.bin'), big)).toBe(true)

    // What is only at one of them goes from there to another.
    forget(at)
    const three = bareRepository(join(dir, 'three.git'))
    expect(await run('push', '--remote', three)).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(three, big), big)).toBe(true)
  })

  test('is sent no commit whose contents it did not take, and gets both at the next try.', async () => {
    const { repository, remote, url, lfs, run } = await place()
    lfs.status = 503
    const failed = await run('backup', '--remote', url)
    expect(failed.code).toBe(12)
    expect(failed.stderr).toContain(`push to the Git LFS of ${url}: the server cannot answer now (`)
    expect(failed.stderr).toContain(`; nothing was pushed, the commit is safe in ${repository}\n`)
    expect(git(remote, ['for-each-ref'])).toBe('')
    delete lfs.status
    expect(await run('push', '--remote', url)).toMatchObject({ code: 0, stderr: '' })
    expect(git(remote, ['rev-parse', 'main'])).toBe(git(repository, ['rev-parse', 'main']))
    expect(lfs.objects.size).toBe(2)
  })

  test('is asked for all contents by push --contents, and gets what it has lost of older commits.', async () => {
    const at = await pushed()
    const { dir, source, url, lfs, run } = at
    rmSync(join(source, 'big.bin'))
    expect(await run('backup', '--remote', url)).toMatchObject({ code: 0, stderr: '' })
    lfs.objects.delete(sha256(big))
    const plain = await run('push', '--remote', url)
    expect(plain).toMatchObject({ code: 0, stdout: `${url} is up to date\n` })
    expect(lfs.objects.has(sha256(big))).toBe(false)

    lfs.log.length = 0
    const all = await run('push', '--remote', url, '--contents')
    expect(all).toMatchObject({
      code: 0,
      stderr: '',
      stdout: `${url} is up to date, and has all 2 files of Git LFS\n`,
    })
    expect(lfs.log).toEqual(['batch upload 2', 'put', 'verify'])
    expect(lfs.objects.get(sha256(big))?.equals(big)).toBe(true)

    // What is not here comes from there; what neither has is named.
    rmSync(objectFile(at.repository, big))
    expect(await run('push', '--remote', url, '--contents')).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(at.repository, big), big)).toBe(true)
    rmSync(objectFile(at.repository, big))
    lfs.objects.delete(sha256(big))
    const lost = await run('push', '--remote', url, '--contents')
    expect(lost).toMatchObject({ code: 12, stdout: '' })
    expect(lost.stderr).toContain(
      `push to ${url}: contents in Git LFS are not here: big.bin; fetch from the Git LFS of ${url}: it does not`,
    )

    const disk = bareRepository(join(dir, 'disk.git'))
    writeFileSync(join(source, 'big.bin'), big)
    expect(await run('backup', '--remote', disk)).toMatchObject({ code: 0, stderr: '' })
    rmSync(objectFile(disk, big))
    expect(await run('push', '--remote', disk, '--contents')).toMatchObject({
      code: 0,
      stderr: `rowback: ${disk}: 1 Git LFS file was missing there, and sent again: big.bin\n`,
    })
    expect(hasContent(objectFile(disk, big), big)).toBe(true)
  })

  test('gets no damaged contents: they come from another remote, or nothing is sent.', async () => {
    const at = await place()
    const { dir, source, repository, run } = at
    const [one, two] = ['one.git', 'two.git'].map((name) => bareRepository(join(dir, name))) as [
      string,
      string,
    ]
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    expect(await run('verify')).toMatchObject({ code: 0, stderr: '' })
    damage(at, big)
    const refused = await run('push', '--remote', one)
    expect(refused).toMatchObject({ code: 12, stdout: '' })
    expect(refused.stderr).toContain(
      `push to ${one}: contents in Git LFS are not here: big.bin; fetch from the Git LFS of ${one}: it does not have them`,
    )
    expect(refused.stderr).toContain(`; nothing was pushed, the commit is safe in ${repository}\n`)
    expect(git(one, ['for-each-ref'])).toBe('')
    expect(existsSync(objectFile(one, huge))).toBe(false)

    // The source has it still.
    expect(await run('backup', '--full', '--remote', one)).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(one, big), big)).toBe(true)
    damage(at, big)
    expect(await run('push', '--remote', two)).toMatchObject({
      code: 0,
      stderr: 'rowback: 1 Git LFS file was damaged, and came back from a remote: big.bin\n',
    })
    expect(hasContent(objectFile(repository, big), big)).toBe(true)
    expect(hasContent(objectFile(two, big), big)).toBe(true)

    // What the remote has is not read for a push of something else.
    writeFileSync(join(source, 'new.bin'), 'new')
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    expect(await run('verify')).toMatchObject({ code: 0, stderr: '' })
    damage(at, big)
    expect(await run('push', '--remote', one)).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(repository, big), Buffer.alloc(big.length, 'x'))).toBe(true)
  })

  test('that is a directory gets what is damaged there again by push --contents.', async () => {
    const at = await place()
    const { dir, repository, run } = at
    const disk = bareRepository(join(dir, 'disk.git'))
    expect(await run('backup', '--remote', disk)).toMatchObject({ code: 0, stderr: '' })
    damage({ repository: disk }, big)
    expect(await run('push', '--remote', disk)).toMatchObject({ code: 0, stdout: `${disk} is up to date\n` })
    expect(await run('push', '--remote', disk, '--contents')).toMatchObject({
      code: 0,
      stdout: `${disk} is up to date, and has all 2 files of Git LFS\n`,
      stderr: `rowback: ${disk}: 1 Git LFS file was damaged, and sent again: big.bin\n`,
    })
    rmSync(objectFile(disk, big))
    // What the remote need not have yet is not lost.
    writeFileSync(join(at.source, 'new.bin'), Buffer.alloc(big.length, 'y'))
    expect(await run('backup')).toMatchObject({ code: 0 })
    expect(await run('push', '--remote', disk, '--contents')).toMatchObject({
      code: 0,
      stderr: `rowback: ${disk}: 1 Git LFS file was missing there, and sent again: big.bin\n`,
    })
    expect(hasContent(objectFile(disk, big), big)).toBe(true)
    expect(hasContent(objectFile(disk, big), big)).toBe(true)
    expect(existsSync(join(disk, 'lfs', 'bad', sha256(big)))).toBe(true)

    damage(at, big)
    expect(await run('push', '--remote', disk, '--contents')).toMatchObject({ code: 0 })
    expect(hasContent(objectFile(repository, big), big)).toBe(true)

    for (const where of [repository, disk]) damage({ repository: where }, big)
    const lost = await run('push', '--remote', disk, '--contents')
    expect(lost).toMatchObject({ code: 12, stdout: '' })
    expect(lost.stderr).toContain(
      `contents in Git LFS are not here: big.bin; fetch from the Git LFS of ${disk}: it gives other contents (`,
    )
  })

  test('gets its password from the variable of the settings, which is in no argument, file or message.', async () => {
    const at = await place()
    const { dir, repository, url, lfs, env } = at
    writeFileSync(join(env.HOME as string, '.git-credentials'), '')
    const settings = readFileSync(join(dir, 'rowback.yaml'), 'utf8')
    writeFileSync(
      join(dir, 'x.yaml'),
      `${settings}remotes: [{ url: "${url}", password-variable: APP_TOKEN }]\n`,
    )
    // A client that notes with what it was called.
    const bin = join(tempDir(), 'bin')
    mkdirSync(bin)
    const real = execFileSync('sh', ['-c', 'command -v git-lfs']).toString().trim()
    writeFileSync(join(bin, 'git-lfs'), `#!/bin/sh\necho "$@" >> ${dir}/calls\nexec ${real} "$@"\n`, {
      mode: 0o755,
    })
    const own = { ...env, PATH: `${bin}:${process.env.PATH}`, APP_TOKEN: password }
    const run = (...args: string[]) => rowback([...args, '--config', 'x.yaml'], { cwd: dir, env: own })
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    expect(lfs.objects.size).toBe(2)
    forget(at)
    expect(await run('restore', 'latest', '--to', 'target')).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(join(dir, 'calls'), 'utf8')).toMatch(
      /^version\npush --object-id rowback-own \w{64} \w{64}\n/,
    )
    expect(readFileSync(join(dir, 'calls'), 'utf8')).not.toContain(password)
    const secret = execFileSync('sh', ['-c', `grep -rl ${password} ${repository} || true`]).toString()
    expect(secret).toBe('')
    expect(readdirSync(env.TMPDIR as string).filter((name) => name.startsWith('rowback-'))).toEqual([])
  })

  test('that git knows by a name has its contents where the settings of that name say.', async () => {
    const at = await place()
    const { dir, source, repository, run } = at
    const [far, contents, inbox] = ['far.git', 'contents #1.git', 'inbox.git'].map((name) =>
      bareRepository(join(dir, name)),
    ) as [string, string, string]
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    git(repository, ['remote', 'add', 'Far.off', far])
    git(repository, ['config', 'remote.Far.off.lfsurl', pathToFileURL(contents).href])
    expect(await run('push', '--remote', 'Far.off')).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(contents, big), big)).toBe(true)
    expect(existsSync(join(far, 'lfs'))).toBe(false)
    forget(at)
    expect(await run('restore', 'latest', '--to', 'target')).toMatchObject({ code: 0, stderr: '' })
    expect(assetsOf(join(dir, 'target'))).toEqual(assetsOf(source))

    git(repository, ['config', 'remote.Far.off.lfspushurl', pathToFileURL(inbox).href])
    writeFileSync(join(source, 'big.bin'), 'other')
    expect(await run('backup', '--remote', 'Far.off')).toMatchObject({ code: 0, stderr: '' })
    const other = Buffer.from('other')
    expect([far, contents, inbox].map((remote) => existsSync(objectFile(remote, other)))).toEqual([
      false,
      false,
      true,
    ])
  })

  test('takes and gives contents of a repository whose work tree is elsewhere, as that of a submodule is.', async () => {
    const at = await place()
    const { dir, repository, run } = at
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    mkdirSync(join(dir, 'work'))
    git(repository, ['config', 'core.bare', 'false'])
    git(repository, ['config', 'core.worktree', '../work'])
    const disk = bareRepository(join(dir, 'disk.git'))
    expect(await run('push', '--remote', disk)).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(disk, big), big)).toBe(true)
    forget(at)
    expect(await run('verify')).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(objectFile(repository, big), big)).toBe(true)
  })

  test('is the only one that is asked, whatever a commit has in its .lfsconfig.', async () => {
    const at = await pushed()
    const { dir, repository, lfs, run } = at
    const other = lfsServer()
    const port = await httpServer(tempDir(), { answer: other.answer })
    const redirect = `[lfs]\n\turl = http://127.0.0.1:${port}/other.git/info/lfs\n`
    craftCommit(repository, { '.lfsconfig': () => redirect })
    forget(at)
    lfs.log.length = 0
    expect(await run('restore', 'latest', '--to', 'target')).toMatchObject({ code: 0, stderr: '' })
    expect(lfs.log[0]).toBe('batch download 2')
    expect(other.log).toEqual([])
    expect(existsSync(join(dir, 'target'))).toBe(true)
  })

  test('that GitHub is, is sent large files by Git LFS, and a dry run does not count them.', async () => {
    const { dir, source, env, url, run } = await place()
    truncateSync(join(source, 'big.bin'), 101 * 2 ** 20)
    expect(await run('backup')).toMatchObject({ code: 0, stderr: '' })
    const dry = await run('push', '--dry-run', '--remote', url)
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout).toMatch(/, 2 files by Git LFS, all of the branch is [\d.]+ kB\n$/)
    const gitHub = bareRepository(join(dir, 'github.git'))
    const settings = readFileSync(join(env.HOME as string, '.gitconfig'), 'utf8')
    const address = 'https://github.com/me/app.git'
    writeFileSync(
      join(env.HOME as string, '.gitconfig'),
      `${settings}[url "${gitHub}"]\n\tinsteadOf = ${address}\n`,
    )
    expect(await run('push', '--remote', address)).toMatchObject({ code: 0, stderr: '' })
  })
})

suite('a clone', () => {
  test('has the contents of the latest commit, and fetches those of others when they are needed.', async () => {
    const { dir, source, url, lfs, env, run } = await pushed()
    writeFileSync(join(source, 'big.bin'), 'newer')
    expect(await run('backup', '--remote', url)).toMatchObject({ code: 0, stderr: '' })
    lfs.log.length = 0
    expect(await run('clone', url, 'new.git')).toMatchObject({ code: 0, stderr: '' })
    expect(lfs.log.sort()).toEqual(['batch download 2', 'get', 'get'])
    const repository = join(dir, 'new.git')
    expect(existsSync(objectFile(repository, Buffer.from('newer')))).toBe(true)
    expect(existsSync(objectFile(repository, big))).toBe(false)
    expect(await run('restore', 'latest~1', '--repo', 'new.git', '--to', 'old')).toMatchObject({ code: 0 })
    expect(hasContent(join(dir, 'old', 'big.bin'), big)).toBe(true)

    expect(await run('clone', '--partial', url, 'partial.git')).toMatchObject({ code: 0 })
    expect(existsSync(join(dir, 'partial.git', 'lfs'))).toBe(false)
    expect(await run('restore', 'latest', '--repo', 'partial.git', '--to', 'now')).toMatchObject({ code: 0 })
    expect(readFileSync(join(dir, 'now', 'big.bin'), 'utf8')).toBe('newer')

    const without = { ...env, PATH: pathWithoutLfs() }
    const bare = await rowback(['clone', url, 'bare.git'], { cwd: dir, env: without })
    expect(bare.code).toBe(0)
    expect(bare.stderr).toMatch(
      /clone: contents in Git LFS are not here: big\.bin, .*no git-lfs .*made without\n/,
    )
  })
})

suite('a restore in place', () => {
  test('and its undo bring back contents in Git LFS, and the safety commit has them there.', async () => {
    const at = await pushed()
    const { source, repository, run } = at
    writeFileSync(join(source, 'big.bin'), 'live')
    writeFileSync(join(source, 'not-backed-up.bin'), 'live, too')
    for (const name of ['big.bin', 'not-backed-up.bin'])
      utimesSync(join(source, name), 1_700_000_001, 1_700_000_001)
    const before = assetsOf(source)
    forget(at)
    const restored = await run('restore', 'latest', '--in-place')
    expect(restored).toMatchObject({ code: 0, stderr: '' })
    expect(hasContent(join(source, 'big.bin'), big)).toBe(true)
    expect(existsSync(join(source, 'not-backed-up.bin'))).toBe(false)
    const safety = [...filesOf(repository, 'refs/rowback/safety/1').keys()]
    expect(safety).toContain('assets-lfs/not-backed-up.bin')
    expect(existsSync(objectFile(repository, Buffer.from('live')))).toBe(true)
    expect(await run('undo')).toMatchObject({ code: 0, stderr: '' })
    expect(assetsOf(source)).toEqual(before)
  })
})
