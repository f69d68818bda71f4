import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open, readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BlobPack } from '../../src/git/blob-pack.ts'
import { packIndex } from '../../src/git/pack-format.ts'
import { blobOid } from '../../src/git/tree.ts'
import { stockGit, testdir } from './testdir.ts'

/** A repository without objects, and its folder of packs. */
async function emptyRepository(): Promise<{ dir: string; packs: string }> {
  const dir = await testdir()
  await stockGit(dir, 'init', '--quiet', '--bare', '.')
  return { dir, packs: join(dir, 'objects', 'pack') }
}

/** What stock git finds in the only pack: id, size and type of each object, in the order of their ids. */
async function objectsOf(dir: string): Promise<string[]> {
  const format = '--batch-check=%(objectname) %(objecttype) %(objectsize)'
  const listed = await stockGit(dir, 'cat-file', '--batch-all-objects', format)
  return listed === '' ? [] : listed.split('\n')
}

test('stock git reads every blob of a pack, and finds no fault with it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.uint8Array({ maxLength: 5000 }), { minLength: 1, selector: (bytes) => bytes.join() }),
      async (contents) => {
        const { dir, packs } = await emptyRepository()
        const blobs = contents.map((bytes) => Buffer.from(bytes))
        const pack = await BlobPack.create(packs)
        for (const content of blobs) await pack.add(blobOid(content), content)
        for (const content of blobs) expect(await pack.read(blobOid(content))).toEqual(content)
        await pack.finish()
        const expected = blobs.map((content) => `${blobOid(content)} blob ${content.length}`).sort()
        expect(await objectsOf(dir)).toEqual(expected)
        expect(await stockGit(dir, 'fsck', '--strict', '--no-dangling')).toBe('')
      },
    ),
    { numRuns: 15 },
  )
})

test('sizes around each length of an entry header are what git reads', async () => {
  const { dir, packs } = await emptyRepository()
  const pack = await BlobPack.create(packs)
  const contents = [0, 1, 15, 16, 2047, 2048, 262_143, 262_144, 33_554_432].map((size) =>
    Buffer.alloc(size, 'r'),
  )
  const expected = contents.map((content) => `${blobOid(content)} blob ${content.length}`).sort()
  for (const content of contents) await pack.add(blobOid(content), content)
  await pack.finish()
  expect(await objectsOf(dir)).toEqual(expected)
})

test('the same blobs give the same pack', async () => {
  const names: string[][] = []
  for (let run = 0; run < 2; run++) {
    const { packs } = await emptyRepository()
    const pack = await BlobPack.create(packs)
    for (let blob = 0; blob < 500; blob++) {
      const content = Buffer.from(`${blob}`.repeat(blob))
      await pack.add(blobOid(content), content)
    }
    await pack.finish()
    names.push(await readdir(packs))
  }
  expect(names[0]).toHaveLength(2)
  expect(names[1]).toEqual(names[0])
})

test('a file that is not the blob leaves no trace in the pack', async () => {
  const { dir, packs } = await emptyRepository()
  const path = join(dir, 'large')
  const content = randomBytes(3_000_000)
  await writeFile(path, content)
  const file = await open(path)
  const pack = await BlobPack.create(packs)
  await pack.add(blobOid(Buffer.from('a')), Buffer.from('a'))
  expect(await pack.addFile(blobOid(Buffer.from('other')), file, content.length)).toBe(false)
  expect(await pack.addFile(blobOid(content), file, content.length)).toBe(true)
  await truncate(path, 1000)
  expect(await pack.addFile(blobOid(Buffer.from('gone')), file, content.length)).toBe(false)
  await pack.add(blobOid(Buffer.from('b')), Buffer.from('b'))
  await pack.finish()
  await file.close()
  expect(await objectsOf(dir)).toHaveLength(3)
  expect(await stockGit(dir, 'fsck', '--strict', '--no-dangling')).toBe('')
})

test('neither a pack nor an object in it becomes larger than it may', async () => {
  const { dir, packs } = await emptyRepository()
  const refusal = new RangeError('too large')
  const pack = await BlobPack.create(packs, (bytes) => {
    if (bytes > 10_000) throw refusal
  })
  const path = join(dir, 'zeros')
  await writeFile(path, Buffer.alloc(10_001))
  const addZeros = async (size: number) => {
    const file = await open(path)
    return await pack.addFile(blobOid(Buffer.alloc(size)), file, size).finally(() => file.close())
  }
  await expect(addZeros(10_001)).rejects.toBe(refusal)
  expect(await addZeros(10_000)).toBe(true)
  for (const content of [randomBytes(9000), randomBytes(9000)]) await pack.add(blobOid(content), content)
  await expect(pack.finish()).rejects.toBe(refusal)
  await pack.close()
  expect((await stat(join(packs, 'tmp_blobs'))).size).toBeLessThanOrEqual(10_000)
})

test('an index says where blobs beyond 2 and 4 GiB stand', async () => {
  const starts = [12, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 7]
  const entries = starts.map((start, at) => ({
    oid: blobOid(Buffer.from(`${at}`)),
    size: 1,
    start,
    content: start + 1,
    end: start + 2,
    crc: 2 ** 32 - 1 - at,
  }))
  const path = join(await testdir(), 'index')
  await writeFile(path, packIndex([...entries], Buffer.alloc(20)))
  const shown = execFileSync('sh', ['-c', `git show-index <"$1"`, 'sh', path]).toString().trim().split('\n')
  expect(shown.sort()).toEqual(
    entries.map(({ oid, start, crc }) => `${start} ${oid} (${crc.toString(16).padStart(8, '0')})`).sort(),
  )
})
