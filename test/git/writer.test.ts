import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { collectGarbage } from '../../src/buffers.ts'
import { blobOid } from '../../src/git/tree.ts'
import { author, commitFiles, setEnv, testdir, testStore, traces, wrapGit } from './testdir.ts'

const commit = { add: [], remove: [], message: 'm\n', author, time: 1 }

test('a fast-import that is killed is one clear error', async () => {
  const store = await testStore()
  await wrapGit('[ "$1" = fast-import ] && kill -KILL $$')
  await expect(commitFiles(store, { a: '1' })).rejects.toMatchObject({
    code: 'repository',
    message: `write ${store.dir}: git was ended by SIGKILL; the last commit is intact`,
  })
  expect(await traces(store)).toEqual([])
})

test('without git there is one clear error', async () => {
  const store = await testStore()
  setEnv({ PATH: await testdir() })
  const error = { code: 'repository', message: 'run git: there is no program of that name in PATH' }
  await expect(store.tip()).rejects.toMatchObject(error)
  await expect(store.readBlob('0'.repeat(40))).rejects.toMatchObject(error)
  await expect(store.begin().commit(commit)).rejects.toMatchObject(error)
  await store.close()
})

test('a blob that was read is not held by those that are read later', async () => {
  const store = await testStore()
  const writer = store.begin()
  const contents = ['a', 'b', 'c'].map((letter) => Buffer.from(letter.repeat(10_000)))
  const oids = contents.map(blobOid)
  for (const [index, content] of contents.entries()) await writer.writeBlob(oids[index] as string, content)
  const first = new WeakRef(await writer.readBlob(oids[0] as string))
  await writer.readBlob(oids[1] as string)
  contents.length = 0
  await setImmediate()
  collectGarbage()
  expect(first.deref()).toBeUndefined()
  await writer.readBlob(oids[2] as string)
  await writer.abort()
})
