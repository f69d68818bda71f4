import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { lockRepository } from '../../src/git/lock.ts'
import { isAlive, ownOwner } from '../../src/git/lock-owner.ts'
import type { Store } from '../../src/git/store.ts'
import { makeWorkDir } from '../../src/git/work-dir.ts'
import { rowback } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { canRunAsNobody, nobody } from '../support/rights.ts'
import { tempDir } from '../support/temp.ts'
import { testdir, testStore } from './testdir.ts'

const since = '2024-01-01T00:00:00.000Z'

async function lockedBy(owner: object | string): Promise<{ store: Store; file: string }> {
  const store = await testStore()
  const file = join(store.gitDir, 'rowback', 'lock')
  await mkdir(join(store.gitDir, 'rowback'))
  await writeFile(file, typeof owner === 'string' ? owner : JSON.stringify(owner))
  return { store, file }
}

function deadPid(): number {
  return spawnSync('true').pid
}

test('a lock is held by one at a time, names its owner, and can be taken again', async () => {
  const store = await testStore()
  const release = await lockRepository(store.dir)
  const file = join(store.gitDir, 'rowback', 'lock')
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() })
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  await expect(lockRepository(store.dir)).rejects.toMatchObject({
    code: 'repository',
    message: expect.stringMatching(
      `^lock ${store.dir}: a backup by process ${process.pid} is running since 20`,
    ),
    hint: `ps -p ${process.pid}`,
  })
  await release()
  await release()
  await (await lockRepository(store.dir))()
  expect(await readdir(join(store.gitDir, 'rowback'))).toEqual([])
})

test('the lock of a dead process is taken over, by one of many', async () => {
  const { store } = await lockedBy({ pid: deadPid(), host: hostname(), since })
  const takers = await Promise.allSettled(Array.from({ length: 20 }, () => lockRepository(store.dir)))
  const winners = takers.filter((taker) => taker.status === 'fulfilled')
  expect(winners).toHaveLength(1)
  for (const taker of takers)
    if (taker.status === 'rejected') expect(taker.reason).toMatchObject({ code: 'repository' })
  await winners[0]?.value()
  expect(await readdir(join(store.gitDir, 'rowback'))).toEqual([])
})

test('a taker that died while taking over does not block the next one', async () => {
  const text = JSON.stringify({ pid: deadPid(), host: hostname(), since })
  const { store, file } = await lockedBy(text)
  const name = execFileSync('sha1sum', { input: text }).toString().slice(0, 12)
  await writeFile(`${file}.${name}`, JSON.stringify({ pid: deadPid(), host: hostname(), since }))
  await (await lockRepository(store.dir))()
  expect(await readdir(join(store.gitDir, 'rowback'))).toEqual([])
})

test('a process id that was given out again does not keep a lock alive', async () => {
  const { store } = await lockedBy({ pid: process.pid, host: hostname(), since, started: 'another boot 1' })
  const result = await lockRepository(store.dir).then(
    () => 'taken',
    () => 'held',
  )
  expect(result).toBe(existsSync('/proc/self/stat') ? 'taken' : 'held')
})

test('of an owner of another boot only silence tells anything, where other machines reach the lock', async (context) => {
  if (process.platform !== 'linux') return context.skip('it needs a boot id')
  const own = await ownOwner()
  const [boot, start] = (own.started as string).split(' ')
  const elsewhere = { ...own, pid: deadPid(), started: `${'0'.repeat(36)} ${start}` }
  expect(await isAlive(elsewhere, { isShared: true })).toBe(undefined)
  expect(await isAlive({ ...elsewhere, pid: process.pid }, { isShared: true })).toBe(undefined)
  // A disk of this machine's own: it has been started anew since.
  expect(await isAlive(elsewhere, { isShared: false })).toBe(false)
  expect(await isAlive({ ...elsewhere, pid: process.pid }, { isShared: false })).toBe(false)
  // Of the same boot, the process says it.
  for (const isShared of [true, false]) {
    expect(await isAlive({ ...own, pid: deadPid() }, { isShared })).toBe(false)
    expect(await isAlive({ ...own, started: `${boot} 1` }, { isShared })).toBe(false)
    expect(await isAlive(own, { isShared })).toBe(true)
  }
})

test.each([
  ['another host', { host: 'elsewhere' }, ' on elsewhere'],
  ['another container', { host: hostname(), space: 'pid:[1]' }, ''],
])('the lock of %s is taken over when it has been silent for five minutes', async (_, other, where) => {
  const { store, file } = await lockedBy({ pid: deadPid(), since, ...other })
  await utimes(file, new Date(), new Date(Date.now() - 200_000))
  await expect(lockRepository(store.dir)).rejects.toMatchObject({
    message: expect.stringMatching(
      `a backup by process \\d+${where} is running since 2024-01-01T00:00:00.000Z$`,
    ),
    hint: where === '' ? expect.stringMatching(/^ps -p/) : expect.stringContaining('5 minutes later'),
  })
  // A clock that was set back gives times in the future.
  for (const silent of [-400_000, 400_000]) {
    await writeFile(file, JSON.stringify({ pid: deadPid(), since, ...other }))
    await utimes(file, new Date(), new Date(Date.now() + silent))
    await (await lockRepository(store.dir))()
  }
  expect(await readdir(join(store.gitDir, 'rowback'))).toEqual([])
})

test('an owner gives signs of life while it has the lock, and only then', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  onTestFinished(() => void vi.useRealTimers())
  const store = await testStore()
  const release = await lockRepository(store.dir)
  const file = join(store.gitDir, 'rowback', 'lock')
  const text = await readFile(file, 'utf8')
  await utimes(file, new Date(0), new Date(0))
  vi.advanceTimersByTime(20_000)
  await vi.waitFor(async () => expect((await stat(file)).mtimeMs).toBeGreaterThan(0))
  expect(await readFile(file, 'utf8')).toBe(text)
  await release()
  vi.advanceTimersByTime(20_000)
  expect(await readdir(join(store.gitDir, 'rowback'))).toEqual([])
})

test('whoever lost the lock to another does not take it away', async () => {
  const store = await testStore()
  const release = await lockRepository(store.dir)
  const file = join(store.gitDir, 'rowback', 'lock')
  await rm(file)
  await writeFile(file, 'of another')
  await release()
  expect(await readFile(file, 'utf8')).toBe('of another')
})

test('a lock is waited for as long as one is told to', async () => {
  const store = await testStore()
  const release = await lockRepository(store.dir)
  await expect(lockRepository(store.dir, { waitMs: 300 })).rejects.toMatchObject({
    code: 'repository',
    message: expect.stringMatching(/ is running since \S+, and was waited for 0\.3 s$/),
  })
  const waiting = lockRepository(store.dir, { waitMs: 60_000 })
  await release()
  await (await waiting)()
})

describe("git's own locks", () => {
  const locks = [
    'index.lock',
    'HEAD.lock',
    'config.lock',
    'packed-refs.lock',
    'refs/heads/main.lock',
    'refs/rowback/safety/1.lock',
    'objects/maintenance.lock',
    'objects/info/commit-graphs.lock',
  ]

  async function withLocks(): Promise<{ store: Store; left(): string[] }> {
    const store = await testStore()
    for (const path of locks) {
      await mkdir(dirname(join(store.gitDir, path)), { recursive: true })
      await writeFile(join(store.gitDir, path), '')
    }
    return { store, left: () => locks.filter((path) => existsSync(join(store.gitDir, path))) }
  }

  test('go where their owners are dead, however young they are', async (context) => {
    if (process.platform !== 'linux') return context.skip('it needs /proc')
    const { store, left } = await withLocks()
    await writeFile(join(store.gitDir, 'gc.pid'), `${deadPid()} ${hostname()}`)
    await utimes(join(store.gitDir, 'index.lock'), new Date(0), new Date(0))
    // Of the future, as after a clock was set back.
    await utimes(join(store.gitDir, 'HEAD.lock'), new Date(), new Date(Date.now() + 7_000_000))
    await (await lockRepository(store.dir))()
    expect(left()).toEqual([])
    expect(existsSync(join(store.gitDir, 'gc.pid'))).toBe(false)
  })

  test('stay while a git is at work in the repository, or a process has one open', async (context) => {
    if (process.platform !== 'linux') return context.skip('it needs /proc')
    const { store, left } = await withLocks()
    await writeFile(join(store.gitDir, 'gc.pid'), `${process.pid} ${hostname()}`)
    const busy = [
      spawn('git', ['hash-object', '--stdin'], { cwd: store.gitDir }),
      spawn('sh', ['-c', 'exec 9>packed-refs.lock; echo ready; read line'], { cwd: store.gitDir }),
    ]
    for (const child of busy) {
      onTestFinished(() => void child.kill('SIGKILL'))
      if (child === busy[1]) await once(child.stdout, 'data')
      await (await lockRepository(store.dir))()
      expect(left()).toEqual(locks)
      child.stdin.end('\n')
      await once(child, 'exit')
    }
    await (await lockRepository(store.dir))()
    expect(left()).toEqual([])
    expect(existsSync(join(store.gitDir, 'gc.pid'))).toBe(true)
  })
})

test.each(['', '{"pid":', '{}', 'null', '{"pid":-1}'])(
  'an unfinished lock (%j) counts for some seconds only',
  async (text) => {
    const { store, file } = await lockedBy(text)
    await expect(lockRepository(store.dir)).rejects.toThrow('another backup is just starting')
    await utimes(file, new Date(0), new Date(0))
    await (await lockRepository(store.dir))()
  },
)

test('taking the lock removes what dead runs have left, and work directories are private', async () => {
  const store = await testStore()
  const left = await makeWorkDir(store.gitDir)
  await writeFile(join(left, 'file'), 'left')
  const release = await lockRepository(store.dir)
  expect(existsSync(left)).toBe(false)
  const dir = await makeWorkDir(store.gitDir)
  expect(dir.startsWith(join(store.gitDir, 'rowback', 'tmp'))).toBe(true)
  expect((await stat(dir)).mode & 0o777).toBe(0o700)
  expect(await makeWorkDir(store.gitDir)).not.toBe(dir)
  await release()
})

test('only a repository can be locked', async () => {
  const dir = await testdir()
  await expect(lockRepository(dir)).rejects.toMatchObject({ code: 'repository' })
  expect(await readdir(dir)).toEqual([])
})

test('a lock that cannot be written is one clear error', async () => {
  const store = await testStore()
  await writeFile(join(store.gitDir, 'rowback'), 'a file')
  await expect(lockRepository(store.dir)).rejects.toMatchObject({
    code: 'repository',
    message: expect.stringMatching(`^lock ${store.dir}: E`),
  })
})

test('a git of another user, which nobody may look into, keeps a lock of git for an hour only', async () => {
  if (!(await canRunAsNobody())) return
  const dir = tempDir()
  chownSync(dir, nobody, nobody)
  const source = databaseFrom('CREATE TABLE t(a); INSERT INTO t VALUES (1);', join(dir, 'app.db'))
  const repository = join(dir, 'repo.git')
  const run = () =>
    rowback(['backup', source, '--repo', repository], { uid: nobody, cwd: dir, env: { HOME: dir } })
  expect(await run()).toMatchObject({ code: 0 })
  const other = spawn('git', ['hash-object', '--stdin'], { cwd: '/' })
  onTestFinished(() => void other.kill('SIGKILL'))
  execFileSync('sqlite3', [source, 'INSERT INTO t VALUES (2)'])
  const lock = join(repository, 'refs', 'heads', 'main.lock')
  const leftSince = async (ageMs: number) => {
    await writeFile(lock, '')
    const at = new Date(Date.now() - ageMs)
    await utimes(lock, at, at)
    return run()
  }
  expect(await leftSince(60_000)).toMatchObject({ code: 11, stderr: expect.stringContaining('main.lock') })
  expect(await leftSince(2 * 3_600_000)).toMatchObject({ code: 0, stderr: '' })
})
