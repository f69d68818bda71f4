/**
 * Writes blobs, and without git trees and commits, as a pack and its index. fast-import could do that too, but compresses
 * in one thread and hashes a pack three times, which is a fifth of a whole backup (docs/design.md).
 */

import { createHash, type Hash } from 'node:crypto'
import { writeSync } from 'node:fs'
import { type FileHandle, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { crc32, createDeflate, createInflate, deflateSync } from 'node:zlib'
import { release, releaseArrays } from '../buffers.ts'
import { compression, compressionOf } from './compression.ts'
import { objectHeader, type PackEntry, type PackedType, packHeader, packIndex } from './pack-format.ts'

/** So much content may wait to be compressed and written: enough for all threads of Node's pool. */
const aheadBytes = 2 ** 20

/** The first blobs are kept so far as they are: a small change is compared with what it changes right after. */
const keptBytes = 2 ** 23

/**
 * Up to this size, handing content to a thread takes longer than to compress it: of 100,000 files of 5 kB that was 220 µs of
 * processor time each, and 90 µs without.
 */
const smallBytes = 2 ** 14

/** From this size on, content is compressed piece by piece: what comes of it is not held in memory. */
const longBytes = 2 ** 24

/** Throws where so many bytes are more than a pack, or an object in one, may have. */
export type SizeCheck = (bytes: number) => void

/** A pack that grows object by object. Calls must not overlap; they throw the system error of what cannot be written. */
export class BlobPack {
  readonly #folder: string
  readonly #file: FileHandle
  readonly #checkSize: SizeCheck
  readonly #entries = new Map<string, PackEntry>()
  readonly #kept = new Map<string, Buffer>()
  #room = keptBytes
  /** One a blob that is not in the file yet, oldest first, and how much they hold. */
  readonly #underWay: Promise<void>[] = []
  #ahead = 0
  /** Settles when all blobs so far are in the file. */
  #written: Promise<void> = Promise.resolve()
  #end = 0

  private constructor(folder: string, file: FileHandle, checkSize: SizeCheck) {
    this.#folder = folder
    this.#file = file
    this.#checkSize = checkSize
  }

  /** Starts a pack in a folder of packs. What is too large throws what `checkSize` does. */
  static async create(folder: string, checkSize: SizeCheck = () => {}): Promise<BlobPack> {
    const pack = new BlobPack(folder, await open(join(folder, 'tmp_blobs'), 'wx+', 0o444), checkSize)
    pack.#append(packHeader(0))
    return pack
  }

  /** Adds an object, and waits while much is under way. The content is the pack's from now on. */
  async add(oid: string, content: Buffer, type: PackedType = 'blob'): Promise<void> {
    const size = content.length
    if (size > longBytes) return this.#addLong(oid, content, type)
    this.#room -= size
    const isKept = this.#room >= 0
    if (isKept) this.#kept.set(oid, content)
    else if (this.#kept.size > 0) await this.#dropKept()
    const compressed = deflated(content).finally(() => isKept || release(content))
    compressed.catch(() => {})
    this.#ahead += size
    this.#written = this.#written.then(async () => {
      const packed = await compressed
      await this.#addEntry(type, oid, size, packed)
      releaseArrays(packed)
      this.#ahead -= size
    })
    this.#written.catch(() => {})
    this.#underWay.push(this.#written)
    while (this.#ahead > aheadBytes) await this.#underWay.shift()
  }

  /** Gives up the contents that are kept: so much is no small change. */
  async #dropKept(): Promise<void> {
    await this.#written
    for (const content of this.#kept.values()) release(content)
    this.#kept.clear()
  }

  async #addLong(oid: string, content: Buffer, type: PackedType): Promise<void> {
    await this.#written
    const compress = createDeflate({ ...compressionOf(content), chunkSize: pieceBytes })
    await pipeline(pieces(content), compress, (compressed: AsyncIterable<Buffer>) =>
      this.#addEntry(type, oid, content.length, compressed),
    )
    release(content)
  }

  /** Adds the first `size` bytes of a file, if they are the blob `oid`; else returns false. */
  async addFile(oid: string, file: FileHandle, size: number): Promise<boolean> {
    await this.#written
    const before = this.#end
    const hash = createHash('sha1').update(`blob ${size}\0`)
    const parts =
      size > 0 ? file.createReadStream({ start: 0, end: size - 1, autoClose: false }) : Readable.from([])
    await pipeline(parts, hashed(hash), createDeflate(compression), (compressed: AsyncIterable<Buffer>) =>
      this.#addEntry('blob', oid, size, compressed),
    )
    if (hash.digest('hex') === oid) return true
    this.#entries.delete(oid)
    this.#end = before
    await this.#file.truncate(before)
    return false
  }

  /** The object's content, which is the caller's; undefined if it was not added. */
  async read(oid: string): Promise<Buffer | undefined> {
    await this.#written
    const kept = this.#kept.get(oid)
    if (kept && this.#kept.delete(oid)) return kept
    const entry = this.#entries.get(oid)
    if (!entry) return undefined
    const compressed = Buffer.alloc(entry.end - entry.content)
    await this.#file.read(compressed, 0, compressed.length, entry.content)
    // In one step, with room to spare: one of the usual 16 KiB takes longer to come round than to inflate.
    const inflated = await passed(createInflate({ chunkSize: Math.max(64, entry.size + 1) }), compressed)
    release(compressed)
    const content = Buffer.concat(inflated)
    releaseArrays(inflated)
    return content
  }

  /** Completes pack and index, brings both to the disk and gives them their names. */
  async finish(): Promise<void> {
    await this.#written
    this.#kept.clear()
    writeAt(this.#file, packHeader(this.#entries.size), 0)
    const checksum = await sha1(this.#file)
    this.#append(checksum)
    await this.#file.sync()
    await this.#file.close()
    const index = await open(join(this.#folder, 'tmp_index'), 'wx', 0o444)
    await index.writeFile(packIndex([...this.#entries.values()], checksum))
    await index.sync()
    await index.close()
    const name = join(this.#folder, `pack-${checksum.toString('hex')}`)
    await rename(join(this.#folder, 'tmp_blobs'), `${name}.pack`)
    await rename(join(this.#folder, 'tmp_index'), `${name}.idx`)
  }

  /** Lets go of the file; what was not finished stays behind. */
  async close(): Promise<void> {
    await this.#written.catch(() => {})
    await this.#file.close()
  }

  async #addEntry(
    type: PackedType,
    oid: string,
    size: number,
    compressed: Iterable<Buffer> | AsyncIterable<Buffer>,
  ): Promise<void> {
    this.#checkSize(size)
    const header = objectHeader(type, size)
    const start = this.#end
    this.#append(header)
    let crc = crc32(header)
    for await (const part of compressed) {
      this.#append(part)
      crc = crc32(part, crc)
    }
    this.#entries.set(oid, { oid, size, start, content: start + header.length, end: this.#end, crc })
  }

  #append(bytes: Buffer): void {
    this.#checkSize(this.#end + bytes.length)
    writeAt(this.#file, bytes, this.#end)
    this.#end += bytes.length
  }
}

const pieceBytes = 2 ** 18

function* pieces(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += pieceBytes) yield content.subarray(at, at + pieceBytes)
}

async function deflated(content: Buffer): Promise<Buffer[]> {
  const options = compressionOf(content)
  return content.length <= smallBytes
    ? [deflateSync(content, options)]
    : passed(createDeflate(options), content)
}

/**
 * What a stream makes of a content, in parts that nobody else holds. `zlib.deflate` and `inflate` join them, and leave them to
 * the garbage collector: 30 MB in a large backup.
 */
function passed(stream: Transform, content: Buffer): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    stream.on('data', (part: Buffer) => parts.push(part))
    stream.once('end', () => resolve(parts))
    stream.once('error', reject)
    stream.end(content)
  })
}

/** Synchronous: a promise would wait behind the blobs that Node's pool is compressing. */
function writeAt({ fd }: FileHandle, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += writeSync(fd, bytes, done, bytes.length - done, position + done)
  }
}

/** The checksum of a whole file. */
async function sha1(file: FileHandle): Promise<Buffer> {
  const hash = createHash('sha1')
  const buffer = Buffer.alloc(2 ** 20)
  for (let position = 0; ; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position)
    if (bytesRead === 0) return hash.digest()
    hash.update(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}

function hashed(hash: Hash): (parts: AsyncIterable<Buffer>) => AsyncIterable<Buffer> {
  return async function* (parts) {
    for await (const part of parts) {
      hash.update(part)
      yield part
    }
  }
}
