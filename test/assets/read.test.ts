import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setImmediate, setTimeout } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type AssetContent,
  entryWithoutContent,
  memoryBytes,
  type ReadAsset,
  readAsset,
  type UnreadableAsset,
} from '../../src/assets/read.ts'
import { type AssetFile, scanSource } from '../../src/assets/scan.ts'
import { testDirectory, withoutPrivilege, writeTree } from './test-directory.ts'

function fileAt(path: string): AssetFile {
  return { path, kind: 'file', size: 0, mode: 0o644, mtimeNs: 0n }
}

/** A source and a spool, both empty. */
function places(): { root: string; spool: string } {
  const directory = testDirectory()
  mkdirSync(join(directory, 'root'))
  mkdirSync(join(directory, 'spool'))
  chmodSync(join(directory, 'spool'), 0o777)
  return { root: join(directory, 'root'), spool: join(directory, 'spool') }
}

type Read = ReadAsset & { content: AssetContent }

/** Reads a file with its content; throws where it cannot be read. */
async function read(root: string, file: AssetFile, spoolDir: string): Promise<Read | undefined> {
  const result = await readAsset(root, file, { spoolDir, keepsContent: true })
  if (result !== undefined && 'problem' in result) throw new Error(result.problem)
  return result as Read | undefined
}

/** Why a file cannot be read. */
async function problemOf(root: string, file: AssetFile, spoolDir: string): Promise<string | undefined> {
  const result = await readAsset(root, file, { spoolDir, keepsContent: true })
  return (result as UnreadableAsset).problem
}

function bytesOf(content: AssetContent): Buffer {
  return Buffer.isBuffer(content) ? content : readFileSync(content.file)
}

/** A process that runs `script` over and over, with `file` at hand, until the test ends; resolves once it runs. */
async function runMeanwhile(file: string, script: string): Promise<ChildProcess> {
  const program = `const fs = require('node:fs'), file = process.argv[1]; process.stdout.write('.'); ${script}`
  const child = spawn(process.execPath, ['-e', program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return child
}

/** Appends to a file at each turn of the event loop, of which a large file's copy needs several. */
function appendMeanwhile(file: string): () => Promise<void> {
  let running = true
  const appending = (async () => {
    while (running) {
      appendFileSync(file, 'x')
      await setImmediate()
    }
  })()
  return () => {
    running = false
    return appending
  }
}

describe('readAsset', () => {
  it.each([0, 1, 12_345, memoryBytes, memoryBytes + 1, 3 * memoryBytes])('reads %i bytes', async (size) => {
    const { root, spool } = places()
    const content = randomBytes(size)
    writeTree(root, { 'a b': content })
    chmodSync(join(root, 'a b'), 0o6751)
    const before = (await scanSource(root, { include: ['**'], exclude: [] })).assets[0] as AssetFile
    const found = await read(root, before, spool)
    if (found === undefined) throw new Error('it is gone')
    expect(found.entry).toEqual({
      kind: 'file',
      path: 'a b',
      size,
      mode: 0o751,
      mtimeNs: before.mtimeNs,
      sha256: createHash('sha256').update(content).digest('hex'),
    })
    expect(found.oid).toBe(
      execFileSync('git', ['hash-object', '--no-filters', join(root, 'a b')], { encoding: 'utf8' }).trim(),
    )
    expect(bytesOf(found.content).equals(content)).toBe(true)
    expect(Buffer.isBuffer(found.content)).toBe(size <= memoryBytes)
    if (!Buffer.isBuffer(found.content)) {
      expect(found.content.size).toBe(size)
      await found.content.dispose()
    }
    expect(readdirSync(spool)).toEqual([])
  })

  it('returns nothing for a file that is gone, or whose directory is', async () => {
    const { root, spool } = places()
    writeTree(root, { f: '' })
    expect(await read(root, fileAt('a'), spool)).toBeUndefined()
    expect(await read(root, fileAt('a/b'), spool)).toBeUndefined()
    expect(await read(root, fileAt('f/b'), spool)).toBeUndefined()
    expect(await read(root, fileAt('caf\udce9'), spool)).toBeUndefined()
  })

  it('takes a file as it is now, not as the scan saw it', async () => {
    const { root, spool } = places()
    writeTree(root, { a: 'one' })
    const [file] = (await scanSource(root, { include: ['**'], exclude: [] })).assets
    writeFileSync(join(root, 'a'), 'other')
    expect((await read(root, file as AssetFile, spool))?.entry.size).toBe(5)
  })

  it.each(['symlink', 'fifo', 'directory'])(
    'follows or waits for no %s that took the place of a file',
    async (kind) => {
      const { root, spool } = places()
      const file = join(root, 'a')
      if (kind === 'symlink') symlinkSync('/etc/passwd', file)
      else if (kind === 'fifo') execFileSync('mkfifo', [file])
      else mkdirSync(file)
      expect(await problemOf(root, fileAt('a'), spool)).toBe('it is no file any more')
    },
  )

  it('names a file that it may not read', async () => {
    const { root, spool } = places()
    writeTree(root, { a: 'x' })
    chmodSync(join(root, 'a'), 0)
    await withoutPrivilege(async () => {
      expect(await problemOf(root, fileAt('a'), spool)).toBe('permission denied')
    })
  })

  it('names a spool that cannot be written', async () => {
    const { root, spool } = places()
    writeTree(root, { a: Buffer.alloc(memoryBytes + 1) })
    rmSync(spool, { recursive: true })
    await expect(read(root, fileAt('a'), spool)).rejects.toMatchObject({
      code: 'target',
      message: expect.stringContaining(`copy a to ${spool}: `),
    })
  })
})

describe('a content that is not wanted', () => {
  it.each([0, 12_345, memoryBytes + 1])('is hashed without a copy, at %i bytes', async (size) => {
    const { root } = places()
    const content = randomBytes(size)
    writeTree(root, { a: content })
    const found = await readAsset(root, fileAt('a'), { spoolDir: '/nowhere', keepsContent: false })
    expect(found).toMatchObject({
      entry: { size, sha256: createHash('sha256').update(content).digest('hex') },
      content: undefined,
    })
  })
})

describe('a sparse file', () => {
  it('takes no more room in the spool than at home', async () => {
    const { root, spool } = places()
    const size = 40 * memoryBytes
    execFileSync('truncate', ['-s', String(size), join(root, 'disk')])
    const content = openSync(join(root, 'disk'), 'r+')
    writeSync(content, 'in the middle', 12 * memoryBytes + 7)
    closeSync(content)
    const found = await read(root, fileAt('disk'), spool)
    const copy = found?.content as Exclude<AssetContent, Buffer>
    expect(statSync(copy.file).size).toBe(size)
    expect(statSync(copy.file).blocks * 512).toBeLessThan(2 * memoryBytes)
    expect(execFileSync('cmp', [copy.file, join(root, 'disk')]).toString()).toBe('')
    await copy.dispose()
  })
})

describe('a file that changes', () => {
  it('and does not stop is recorded as unstable, as it was found', async () => {
    const { root, spool } = places()
    const file = join(root, 'app.log')
    writeFileSync(file, Buffer.alloc(memoryBytes + 1, 'x'))
    const stop = appendMeanwhile(file)
    const found = await read(root, fileAt('app.log'), spool)
    await stop()
    expect(found?.entry).toMatchObject({ kind: 'file', unstable: true })
    const content = bytesOf(found?.content as AssetContent)
    expect(content.length).toBe(found?.entry.size)
    expect(content.equals(Buffer.alloc(content.length, 'x'))).toBe(true)
    expect(createHash('sha256').update(content).digest('hex')).toBe(found?.entry.sha256)
    if (found !== undefined && !Buffer.isBuffer(found.content)) await found.content.dispose()
    expect(readdirSync(spool)).toEqual([])
  })

  it('and stops is read again', async () => {
    const { root, spool } = places()
    const file = join(root, 'a')
    writeFileSync(file, Buffer.alloc(memoryBytes + 1))
    const stop = appendMeanwhile(file)
    const reading = read(root, fileAt('a'), spool)
    await setTimeout(100)
    await stop()
    const found = await reading
    expect(found?.entry.size).toBe(statSync(file).size)
    if (found !== undefined && !Buffer.isBuffer(found.content)) await found.content.dispose()
    expect(readdirSync(spool)).toEqual([])
  })

  it.each([2 ** 20, memoryBytes + 1])('is never read as a mixture, at %i bytes', async (size) => {
    const { root, spool } = places()
    const file = join(root, 'a')
    writeFileSync(file, Buffer.alloc(size, 'A'))
    const pauses = join(testDirectory(), 'pauses')
    writeFileSync(pauses, '')
    await runMeanwhile(
      file,
      `const fd = fs.openSync(file, 'r+')
       const wait = new Int32Array(new SharedArrayBuffer(4))
       for (let turn = 0; ; turn++) {
         const piece = Buffer.alloc(65536, turn % 2 ? 'A' : 'B')
         for (let at = 0, last; at < ${size}; at += piece.length) {
           fs.writeSync(fd, piece, 0, Math.min(piece.length, ${size} - at), at)
           if (last !== undefined && performance.now() - last > 15) fs.appendFileSync(${JSON.stringify(pauses)}, '.')
           last = performance.now()
         }
         Atomics.wait(wait, 0, 0, 120)
       }`,
    )
    // A writer that a busy machine puts to sleep amid its write looks like one that has ended: it says when it was.
    const wasPaused = async (before: number): Promise<boolean> => {
      for (let tries = 0; tries < 100 && statSync(pauses).size === before; tries++) await setTimeout(50)
      return statSync(pauses).size > before
    }
    let uniform = 0
    for (let turn = 0; turn < 15; turn++) {
      const before = statSync(pauses).size
      const found = await read(root, fileAt('a'), spool)
      if (found === undefined || found.entry.unstable) continue
      const content = bytesOf(found.content)
      const isUniform = content.equals(Buffer.alloc(size, content[0]))
      expect(isUniform || (await wasPaused(before))).toBe(true)
      if (!Buffer.isBuffer(found.content)) await found.content.dispose()
      if (isUniform) uniform += 1
    }
    expect(uniform).toBeGreaterThan(0)
  })

  it.skipIf(process.platform !== 'linux')(
    'is not read from elsewhere, where a link has taken the place of its directory',
    async () => {
      const { root, spool } = places()
      for (const size of [10, memoryBytes + 1]) {
        const other = testDirectory()
        writeTree(root, { 'd/x': 'own' })
        writeFileSync(join(other, 'x'), Buffer.alloc(size, 's'))
        renameSync(join(root, 'd'), join(root, 'moved'))
        symlinkSync(other, join(root, 'd'))
        expect(await problemOf(root, fileAt('d/x'), spool)).toBe('it is no file any more')
        rmSync(join(root, 'd'))
        rmSync(join(root, 'moved'), { recursive: true })
      }
      expect(readdirSync(spool)).toEqual([])
    },
  )

  it('by being replaced is read as one or the other', async () => {
    const { root, spool } = places()
    const file = join(root, 'a')
    writeFileSync(file, 'A'.repeat(100_000))
    await runMeanwhile(
      file,
      `for (let turn = 0; ; turn++) {
         fs.writeFileSync(file + '.new', (turn % 2 ? 'A' : 'B').repeat(100_000))
         fs.renameSync(file + '.new', file)
       }`,
    )
    for (let turn = 0; turn < 20; turn++) {
      const found = await read(root, fileAt('a'), spool)
      if (found !== undefined)
        expect(['A', 'B'].map((letter) => letter.repeat(100_000))).toContain(String(found.content))
    }
  })
})

it('entryWithoutContent is the manifest entry of a symlink or a directory', () => {
  const common = { path: 'a', size: 0, mode: 0o700, mtimeNs: 5n }
  expect(entryWithoutContent({ ...common, kind: 'symlink', target: 'b' })).toEqual({
    kind: 'symlink',
    path: 'a',
    target: 'b',
  })
  expect(entryWithoutContent({ ...common, kind: 'directory' })).toEqual({
    kind: 'directory',
    path: 'a',
    mode: 0o700,
  })
  expect(entryWithoutContent({ ...common, kind: 'unreadable' })).toEqual({ kind: 'unreadable', path: 'a' })
  expect(() => entryWithoutContent({ ...common, kind: 'file' })).toThrow(
    expect.objectContaining({ code: 'fault' }),
  )
})
