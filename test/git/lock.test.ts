import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { lockRepository } from '../../src/git/lock.ts'
import type { Store } from '../../src/git/store.ts'
import { makeWorkDir } from '../../src/git/work-dir.ts'
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

test('the lock of another host is never taken over', async () => {
  const { store, file } = await lockedBy({ pid: deadPid(), host: 'elsewhere', since })
  await expect(lockRepository(store.dir)).rejects.toMatchObject({
    message: expect.stringMatching(
      /a backup by process \d+ on elsewhere is running since 2024-01-01T00:00:00.000Z$/,
    ),
    hint: expect.stringContaining(`rm ${file}`),
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
