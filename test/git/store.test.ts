import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ByteReader } from '../../src/git/byte-reader.ts'
import { copyObject, readObject } from '../../src/git/objects.ts'
import { startGit } from '../../src/git/run.ts'
import { blobOid } from '../../src/git/tree.ts'
import { commitFiles, testStore } from './testdir.ts'

test('a copy that cannot be written leaves the conversation with git in step', async () => {
  const store = await testStore()
  const [large, small] = ['x'.repeat(300_000), 'y'].map((text) => Buffer.from(text)) as [Buffer, Buffer]
  await commitFiles(store, { a: String(large), b: String(small) })
  const batch = startGit(store.gitDir, ['cat-file', '--batch'])
  batch.stdin.end(`${blobOid(large)}\n${blobOid(small)}\n`)
  const bytes = new ByteReader(batch.stdout)
  const readOnly = openSync(join(store.gitDir, 'HEAD'), 'r')
  onTestFinished(() => closeSync(readOnly))
  await expect(copyObject(bytes, blobOid(large), 'blob', readOnly)).rejects.toMatchObject({ code: 'EBADF' })
  expect(await readObject(bytes, blobOid(small), 'blob')).toEqual(small)
})
