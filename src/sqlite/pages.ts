/** The pages of a snapshot as they lie in its file and in its WAL, read beside SQLite. */

import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import type { Database } from 'better-sqlite3'
import { mayAccess } from './source-file.ts'

/** The pages that a snapshot sees. */
export class Pages {
  readonly pageSize: number
  /** Bytes of a page that SQLite uses; the rest is reserved for extensions. */
  readonly usable: number
  /** Pages are counted from 1 to this. */
  readonly count: number
  readonly #file: number
  /** Where in the WAL the newest version of a page stands. */
  readonly #frames: ReadonlyMap<number, number>
  readonly #wal: number | undefined

  constructor(file: number, count: number, wal?: { file: number; frames: ReadonlyMap<number, number> }) {
    const header = Buffer.alloc(100)
    const first = wal?.frames.get(1)
    if (wal && first !== undefined) readSync(wal.file, header, 0, 100, first)
    else readSync(file, header, 0, 100, 0)
    const stored = header.readUInt16BE(16)
    this.pageSize = stored === 1 ? 65536 : stored
    this.usable = this.pageSize - (header[20] as number)
    this.count = count
    this.#file = file
    this.#wal = wal?.file
    this.#frames = wal?.frames ?? new Map()
  }

  /** The bytes of one page, for the caller to keep. */
  read(page: number): Buffer {
    const bytes = Buffer.alloc(this.pageSize)
    this.#readInto(bytes, 0, page)
    return bytes
  }

  /** Yields many pages at a time, in order; their bytes are overwritten by the next ones. */
  *blocks(): Generator<{ first: number; pages: readonly Buffer[] }> {
    const { pageSize, count } = this
    const perBlock = Math.max(1, Math.floor(2 ** 20 / pageSize))
    const block = Buffer.alloc(perBlock * pageSize)
    // Made once: one for each page that is read would take a tenth of the time.
    const views = Array.from({ length: perBlock }, (_, index) =>
      block.subarray(index * pageSize, (index + 1) * pageSize),
    )
    for (let first = 1; first <= count; first += perBlock) {
      const pages = views.slice(0, count - first + 1)
      const wanted = pages.length * pageSize
      const length = readSync(this.#file, block, 0, wanted, (first - 1) * pageSize)
      block.fill(0, length, wanted)
      if (this.#frames.size > 0) {
        for (let index = 0; index < pages.length; index++)
          if (this.#frames.has(first + index)) this.#readInto(block, index * pageSize, first + index)
      }
      yield { first, pages }
    }
  }

  close(): void {
    closeSync(this.#file)
  }

  #readInto(bytes: Buffer, at: number, page: number): void {
    const frame = this.#frames.get(page)
    if (frame !== undefined && this.#wal !== undefined) readSync(this.#wal, bytes, at, this.pageSize, frame)
    else readSync(this.#file, bytes, at, this.pageSize, (page - 1) * this.pageSize)
  }
}

/** The pages of a private copy that `db` has open, with its WAL moved into it. */
export function pagesOfCopy(db: Database, path: string): Pages {
  db.pragma('wal_checkpoint(TRUNCATE)')
  return new Pages(openSync(path, 'r'), Number(db.pragma('page_count', { simple: true })))
}

/** How often a moment without a commit is looked for. */
const tries = 50

/** The files of a live database in WAL mode, opened before SQLite has it open and closed after. */
export class LiveFiles {
  readonly #path: string
  readonly #file: number
  readonly #wal: number
  readonly #index: number
  readonly #mayWriteIndex: boolean
  #seen: Buffer | undefined

  private constructor(
    path: string,
    [file, wal, index]: readonly [number, number, number],
    mayWriteIndex: boolean,
  ) {
    this.#path = path
    this.#mayWriteIndex = mayWriteIndex
    this.#file = file
    this.#wal = wal
    this.#index = index
  }

  /** Opens all three files; undefined where one of them is not there. */
  static open(path: string): LiveFiles | undefined {
    const open: number[] = []
    try {
      for (const ending of ['', '-wal', '-shm']) open.push(openSync(path + ending, 'r'))
      return new LiveFiles(path, open as [number, number, number], mayAccess(`${path}-shm`, constants.W_OK))
    } catch {
      for (const file of open) closeSync(file)
      return undefined
    }
  }

  /**
   * Begins the read transaction of `db` anew until nobody commits meanwhile, so that what the index of the WAL says is
   * what the transaction sees; undefined where that does not happen. `begin` must begin it, and return its page count:
   * the index of an empty WAL has none.
   */
  pagesSeen(begin: () => number): Pages | undefined {
    for (let tried = 0; tried < tries; tried++) {
      const before = this.#header()
      const count = begin()
      const after = this.#header()
      if (!before || !after || !before.bytes.equals(after.bytes)) continue
      if (!this.#isSame()) return undefined
      if (!this.#mayWriteIndex && this.#goesOn(after)) continue
      this.#seen = after.bytes
      // All of it is in the database file, and the next writer may begin the WAL anew.
      if (after.backfilled >= after.frames) return new Pages(this.#file, count)
      const frames = this.#frames(after)
      return frames && new Pages(this.#file, count, { file: this.#wal, frames })
    }
    return undefined
  }

  /** Whether nobody has committed since the transaction that `pagesSeen` began: each commit is counted there. */
  isSeen(): boolean {
    return this.#seen !== undefined && this.#header()?.bytes.equals(this.#seen) === true && this.#isSame()
  }

  /** To be called once the connection is closed: before, it would end the locks that SQLite holds in this process. */
  close(): void {
    for (const file of [this.#file, this.#wal, this.#index]) closeSync(file)
  }

  /** Whether the paths still name the files that are open. */
  #isSame(): boolean {
    return (
      [
        [this.#file, ''],
        [this.#wal, '-wal'],
        [this.#index, '-shm'],
      ] as const
    ).every(([file, ending]) => {
      const [open, named] = [fstatSync(file), statSync(this.#path + ending, { throwIfNoEntry: false })]
      return named !== undefined && open.ino === named.ino && open.dev === named.dev
    })
  }

  /** The header of the WAL's index (sqlite.org/walformat.html, section 2.1), or undefined while it is written. */
  #header(): IndexHeader | undefined {
    const bytes = Buffer.alloc(100)
    if (readSync(this.#index, bytes, 0, 100, 0) < 100) return undefined
    const header = bytes.subarray(0, 48)
    if (!header.equals(bytes.subarray(48, 96)) || header[12] !== 1) return undefined
    const number = (at: number): number => (isLittleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at))
    return {
      bytes: header,
      frames: number(16),
      salts: header.subarray(32, 40),
      backfilled: number(96),
    }
  }

  /**
   * Whether the WAL may hold more than its index says. Where SQLite may not write the index of an application that has died, it
   * makes one for itself, of all that the WAL holds (sqlite.org/walformat.html, section 2.3.1), and nothing tells us so.
   */
  #goesOn({ frames, salts }: IndexHeader): boolean {
    // As a checkpoint has left it.
    if (frames === 0 && fstatSync(this.#wal).size === 0) return false
    const header = this.#walHeader()
    return !header.salts.equals(salts) || this.#frame(frames, header.pageSize).salts.equals(salts)
  }

  /** The offset of the newest version of each page in the valid part of the WAL; undefined where that is of another round. */
  #frames({ frames, salts }: IndexHeader): Map<number, number> | undefined {
    const offsets = new Map<number, number>()
    const { pageSize } = this.#walHeader()
    for (let index = 0; index < frames; index++) {
      const frame = this.#frame(index, pageSize)
      if (!frame.salts.equals(salts)) return undefined
      offsets.set(frame.page, frame.at)
    }
    return offsets
  }

  #walHeader(): { pageSize: number; salts: Buffer } {
    const header = Buffer.alloc(32)
    readSync(this.#wal, header, 0, 32, 0)
    return { pageSize: header.readUInt32BE(8), salts: header.subarray(16, 24) }
  }

  /** The page that a frame holds, and where that begins; zeros behind the end of the WAL. */
  #frame(index: number, pageSize: number): { page: number; salts: Buffer; at: number } {
    const header = Buffer.alloc(24)
    const at = 32 + index * (24 + pageSize)
    readSync(this.#wal, header, 0, 24, at)
    return { page: header.readUInt32BE(0), salts: header.subarray(8, 16), at: at + 24 }
  }
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1

interface IndexHeader {
  bytes: Buffer
  /** Valid frames of the WAL, and those of them that are in the database file. */
  frames: number
  backfilled: number
  salts: Buffer
}
