import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { AssetEntry, FileEntry } from '../../src/assets/manifest.ts'
import { planAssets } from '../../src/assets/plan.ts'
import { entryWithoutContent, readAsset } from '../../src/assets/read.ts'
import { type CopyContent, restoreAssets } from '../../src/assets/restore.ts'
import { scanSource } from '../../src/assets/scan.ts'
import { testDirectory, withoutPrivilege, writeTree } from './test-directory.ts'

const everything = { include: ['**'], exclude: [] }

function fileEntry(path: string, content: string, more: Partial<FileEntry> = {}): FileEntry {
  const sha256 = createHash('sha256').update(content).digest('hex')
  return { kind: 'file', path, size: content.length, mode: 0o644, mtimeNs: 10n ** 18n, sha256, ...more }
}

/** Writes each file's own path as its content. */
const copyPath: CopyContent = (entry, handle) => handle.writeFile(entry.path)

/** The entries of all assets of a directory, with their contents by path. */
async function entriesOf(root: string): Promise<{ entries: AssetEntry[]; contents: Map<string, Buffer> }> {
  const contents = new Map<string, Buffer>()
  const entries: AssetEntry[] = []
  for (const file of (await scanSource(root, everything)).assets) {
    const options = { spoolDir: root, keepsContent: true }
    const read = file.kind === 'file' ? await readAsset(root, file, options) : undefined
    if (read !== undefined && 'problem' in read) throw new Error(read.problem)
    entries.push(read?.entry ?? entryWithoutContent(file))
    if (read !== undefined) contents.set(file.path, read.content as Buffer)
  }
  return { entries, contents }
}

describe('planAssets', () => {
  it('lists every directory that is needed, each behind the one it is in', () => {
    const entries: AssetEntry[] = [
      { kind: 'directory', path: 'a/b', mode: 0o700 },
      fileEntry('a/b/c/d', ''),
      { kind: 'symlink', path: 'x/l', target: '..' },
      { kind: 'directory', path: 'empty', mode: 0o755 },
    ]
    const plan = planAssets(entries)
    expect(plan.directories).toEqual([
      { path: 'a', mode: 0o755 },
      { path: 'a/b', mode: 0o700 },
      { path: 'a/b/c', mode: 0o755 },
      { path: 'empty', mode: 0o755 },
      { path: 'x', mode: 0o755 },
    ])
    expect([plan.files.length, plan.symlinks.length, plan.collision]).toEqual([1, 1, undefined])
  })

  const link: AssetEntry = { kind: 'symlink', path: 'l', target: '/etc' }
  it.each<[string, AssetEntry[]]>([
    ['restore l/passwd: l is a symlink, no directory', [link, fileEntry('l/passwd', '')]],
    ['restore l/a/b: l is a symlink, no directory', [fileEntry('l/a/b', ''), link]],
    ['restore l/d: l is a symlink, no directory', [link, { kind: 'directory', path: 'l/d', mode: 0o755 }]],
    ['restore a/b: a is a file, no directory', [fileEntry('a', ''), fileEntry('a/b', '')]],
    [
      'restore a/b: a is a path that could not be read, no directory',
      [{ kind: 'unreadable', path: 'a' }, fileEntry('a/b', '')],
    ],
    [
      'restore a: the manifest lists it twice',
      [fileEntry('a', ''), { kind: 'symlink', path: 'a', target: 'b' }],
    ],
    ['restore ../a: its path is not safe', [fileEntry('../a', '')]],
    ['restore /a: its path is not safe', [fileEntry('/a', '')]],
  ])('throws: %s', (message, entries) => {
    expect(() => planAssets(entries)).toThrow(expect.objectContaining({ code: 'dump', message }))
  })

  it('finds two paths that differ in case or composition only, also of directories', () => {
    expect(planAssets([fileEntry('A/x', ''), fileEntry('a/y', '')]).collision).toEqual(['A', 'a'])
    expect(planAssets([fileEntry('é', ''), fileEntry('e\u0301', '')]).collision).toEqual(['é', 'e\u0301'])
    expect(planAssets([fileEntry('a/x', ''), fileEntry('b/x', '')]).collision).toBeUndefined()
  })
})

describe('restoreAssets', () => {
  it('brings back what was scanned and read', async () => {
    const [source, target] = [testDirectory(), testDirectory()]
    const many = Object.fromEntries(
      Array.from({ length: 40 }, (_, index) => [`many/${index}`, `${index}`.repeat(index)]),
    )
    writeTree(source, {
      ...many,
      'a b/\n': '1',
      'Case/x': '2',
      'case/x': '3',
      é: '4',
      'e\u0301': '5',
      'empty/': '',
      zero: '',
    })
    const odd = Buffer.concat([Buffer.from(`${source}/caf`), Buffer.from([0xe9])])
    mkdirSync(odd, { mode: 0o700 })
    writeFileSync(Buffer.concat([odd, Buffer.from('/\xff', 'latin1')]), '6')
    symlinkSync(Buffer.from('to \xe9', 'latin1'), Buffer.concat([odd, Buffer.from('/l\xff', 'latin1')]))
    symlinkSync('/nowhere', join(source, 'broken'))
    symlinkSync('many', join(source, 'dir link'))
    chmodSync(join(source, 'many'), 0o500)
    chmodSync(join(source, 'many/7'), 0)
    execFileSync('touch', ['-d', '@1234567890.123456789', join(source, 'many/1')])
    execFileSync('touch', ['-d', '@-1.5', join(source, 'many/2')])
    execFileSync('touch', ['-d', '@0', join(source, 'many/3')])
    execFileSync('touch', ['-d', '@4200000000.999999999', join(source, 'many/4')])
    const { entries, contents } = await entriesOf(source)
    await restoreAssets(target, entries, (entry, handle) =>
      handle.writeFile(contents.get(entry.path) as Buffer),
    )
    const restored = (await entriesOf(target)).entries
    expect(restored.map(withMicroseconds)).toEqual(entries.map(withMicroseconds))
    expect(restored.filter(({ path }) => path.startsWith('caf\udce9'))).toHaveLength(3)
  })

  it('makes what its owner may not enter, also where permission bits hold', async () => {
    const target = testDirectory()
    chmodSync(target, 0o777)
    const entries: AssetEntry[] = [
      { kind: 'directory', path: 'a', mode: 0 },
      { kind: 'directory', path: 'a/b', mode: 0o500 },
      { kind: 'directory', path: 'a/b/c', mode: 0o111 },
      fileEntry('a/b/c/d', 'a/b/c/d', { mode: 0 }),
      { kind: 'symlink', path: 'a/b/l', target: 'c' },
    ]
    await withoutPrivilege(() => restoreAssets(target, entries, copyPath))
    const modes = ['a', 'a/b', 'a/b/c', 'a/b/c/d'].map((path) => {
      const { mode } = lstatSync(join(target, path))
      chmodSync(join(target, path), 0o700)
      return mode & 0o7777
    })
    expect(modes).toEqual([0, 0o500, 0o111, 0])
  })

  it('never sets setuid, setgid or sticky', async () => {
    const target = testDirectory()
    await restoreAssets(
      target,
      [{ kind: 'directory', path: 'd', mode: 0o7777 }, fileEntry('f', 'f', { mode: 0o7755 })],
      copyPath,
    )
    expect(lstatSync(join(target, 'd')).mode & 0o7777).toBe(0o777)
    expect(lstatSync(join(target, 'f')).mode & 0o7777).toBe(0o755)
  })

  it('uses directories that are there, and gives them their mode', async () => {
    const target = testDirectory()
    mkdirSync(join(target, 'a'), { mode: 0o700 })
    await restoreAssets(target, [fileEntry('a/b', 'a/b')], copyPath)
    expect(lstatSync(join(target, 'a')).mode & 0o777).toBe(0o755)
    expect(readFileSync(join(target, 'a/b'), 'utf8')).toBe('a/b')
  })

  it('copies in the order of the entries, large files one at a time', async () => {
    const target = testDirectory()
    const large = 'large'.repeat(20_000)
    const contents = Array.from({ length: 50 }, (_, index) => (index % 5 === 0 ? large : `${99 - index}`))
    const entries = contents.map((content, index) => fileEntry(`${99 - index}`, content))
    const order: string[] = []
    let [running, most] = [0, 0]
    await restoreAssets(target, entries, async ({ path, size }, handle) => {
      order.push(path)
      running += size
      most = Math.max(most, running)
      await handle.writeFile(contents[99 - Number(path)] as string)
      running -= size
    })
    expect(order).toEqual(entries.map(({ path }) => path))
    expect(most).toBeGreaterThan(large.length)
    expect(most).toBeLessThan(1.1 * large.length)
  })

  it.each([
    ['it has 3 bytes where the manifest says 4', fileEntry('abc', 'abcd')],
    ['its sha256 is not that of the manifest', fileEntry('abc', 'abd')],
  ])('checks each content: %s', async (problem, entry) => {
    const work = restoreAssets(testDirectory(), [fileEntry('a', 'a'), entry], copyPath)
    await expect(work).rejects.toMatchObject({ code: 'dump', message: `restore abc: ${problem}` })
  })

  it('writes nothing where an entry could leave the target', async () => {
    const target = testDirectory()
    const entries: AssetEntry[] = [
      fileEntry('a', 'a'),
      { kind: 'symlink', path: 'l', target: '/tmp' },
      fileEntry('l/x', 'l/x'),
    ]
    await expect(restoreAssets(target, entries, copyPath)).rejects.toMatchObject({ code: 'dump' })
    expect(readdirSync(target)).toEqual([])
  })

  it('neither follows nor replaces what is there already', async () => {
    const [target, other] = [testDirectory(), testDirectory()]
    symlinkSync(other, join(target, 'd'))
    symlinkSync(join(other, 'new'), join(target, 'f'))
    for (const entry of [
      fileEntry('d/x', 'd/x'),
      fileEntry('f', 'f'),
      { kind: 'symlink', path: 'f', target: 'x' } as const,
    ]) {
      await expect(restoreAssets(target, [entry], copyPath)).rejects.toMatchObject({
        code: 'target',
        message: expect.stringContaining('something else has its name'),
      })
    }
    expect(readdirSync(other)).toEqual([])
  })

  it('throws what the copy throws, and has closed every file by then', async () => {
    const target = testDirectory()
    const open = () => readdirSync('/proc/self/fd').length
    const before = existsSync('/proc/self/fd') ? open() : 0
    const work = restoreAssets(target, [fileEntry('a', 'a'), fileEntry('b', 'b')], async (entry, handle) => {
      if (entry.path === 'b') throw new Error('out of blobs')
      await handle.writeFile('a')
    })
    await expect(work).rejects.toThrow('out of blobs')
    if (before > 0) expect(open()).toBe(before)
  })

  it('names a file that the file system cannot hold', async () => {
    const path = 'x'.repeat(300)
    await expect(restoreAssets(testDirectory(), [fileEntry(path, path)], copyPath)).rejects.toMatchObject({
      code: 'target',
      message: expect.stringContaining(`restore ${path}: ENAMETOOLONG`),
    })
  })
})

/** What a restore keeps of the time of a file with any Node.js: microseconds; before 1970, milliseconds. */
function withMicroseconds(entry: AssetEntry): AssetEntry {
  if (entry.kind !== 'file') return entry
  return { ...entry, mtimeNs: entry.mtimeNs - (entry.mtimeNs % (entry.mtimeNs < 0n ? 1_000_000n : 1000n)) }
}
