/** Matches the rows of two lists of chunks by key, and yields those that differ. */

import { release } from './buffers.ts'
import { withoutCommonRows } from './dump/common-rows.ts'
import { literalsEnd } from './dump/literal-end.ts'
import { checkRows, parseRowHeader, rowLiterals } from './dump/rows.ts'
import { RowbackError } from './errors.ts'
import type { TreeEntry } from './git/tree.ts'
import { Change, differ, type Row, type RowChange } from './row-change.ts'
import type { Pairing } from './row-pairing.ts'

/** Reads a blob; its content is the caller's. */
export type ReadBlob = (oid: string) => Promise<Buffer>

/** The chunks of a table that only one side has, of each side in replay order. */
interface Chunks {
  before: TreeEntry[]
  after: TreeEntry[]
}

/** Yields a list of changes for each few chunks; a change is to be read before the next list is asked for. */
export async function* rowChanges(
  chunks: Chunks,
  pairing: () => Promise<Pairing>,
  read: ReadBlob,
): AsyncGenerator<RowChange[]> {
  const by = await pairing()
  if (by !== 'rowid') return yield* matchByKey(chunks, by, read)
  const differing = readDiffering(chunks, read)
  yield* mergeByKey(new Side(chunks.before, differing.before), new Side(chunks.after, differing.after))
}

const none = Buffer.alloc(0)

type ReadChunk = (chunk: TreeEntry) => Promise<Buffer>

/**
 * Reads chunks without the rows that the chunk of the same path on the other side has, too: to match those by their
 * keys would take most of the time. Each chunk is to be read once.
 */
function readDiffering({ before, after }: Chunks, read: ReadBlob): { before: ReadChunk; after: ReadChunk } {
  const [oldOids, newOids] = [oidsByPath(before), oidsByPath(after)]
  /** Pairs of which one side has been asked for. */
  const pairs = new Map<string, Promise<[old: Buffer, now: Buffer]>>()
  const readPair = (path: string, [old, now]: [string, string]): Promise<[Buffer, Buffer]> => {
    const found = pairs.get(path)
    if (found) {
      pairs.delete(path)
      return found
    }
    const pair = onlyDifferent(read, old, now)
    pairs.set(path, pair)
    return pair
  }
  const reader =
    (side: 0 | 1): ReadChunk =>
    async ({ path, oid }) => {
      const [old, now] = [oldOids.get(path), newOids.get(path)]
      return old === undefined || now === undefined ? read(oid) : (await readPair(path, [old, now]))[side]
    }
  return { before: reader(0), after: reader(1) }
}

/** Two row files without the rows that both have. */
async function onlyDifferent(read: ReadBlob, oldOid: string, newOid: string): Promise<[Buffer, Buffer]> {
  const [old, now] = await Promise.all([read(oldOid), read(newOid)])
  const [before, after] = withoutCommonRows(old, now)
  if (before !== old) release(old)
  if (after !== now) release(now)
  return [before, after]
}

function oidsByPath(chunks: readonly TreeEntry[]): Map<string, string> {
  return new Map(chunks.map(({ path, oid }) => [path, oid]))
}

/** So many chunks of a side are read while one is compared. */
const chunksAhead = 8

/** Yields items with what is read for them. */
async function* readAhead<Item, Content>(
  items: readonly Item[],
  read: (item: Item) => Promise<Content>,
): AsyncGenerator<[item: Item, content: Content]> {
  const reading: Promise<Content>[] = []
  for (const [index, item] of items.entries()) {
    for (const next of items.slice(index + reading.length, index + 1 + chunksAhead)) {
      const content = read(next)
      content.catch(() => {})
      reading.push(content)
    }
    yield [item, (await reading.shift()) as Content]
  }
}

/** What identifies a row of one side: its rowid, all of it, or the values of these columns. */
type Key = 'rowid' | 'position' | readonly string[]

/** The rows of a chunk that are left. */
function* rowsOf(path: string, content: Buffer, key: Key): Generator<Row, undefined> {
  if (content.length === 0) return
  const header = parseRowHeader(content, path)
  const bounds: number[] = []
  checkRows(content, header, path, (start, end) => bounds.push(start, end))
  const readKey = keyReader(key, header.columns)
  // Numbers take little until their turn comes; a million rows with their keys would not.
  for (let at = 0; at < bounds.length; at += 2) {
    const [start, end] = [bounds[at] as number, bounds[at + 1] as number]
    const found = readKey?.(content, start, end)
    if (found === undefined)
      throw new RowbackError(
        'dump',
        `read dump: ${path} has rows without the ${key === 'rowid' ? key : 'key'} of its manifest`,
      )
    yield { key: found, content, start, end, columns: header.columns }
  }
}

type KeyReader = (content: Buffer, start: number, end: number) => bigint | string | undefined

/** What reads the key off a row with these columns; undefined where they lack one of the key. */
function keyReader(key: Key, columns: readonly string[]): KeyReader | undefined {
  if (key === 'position') return (content, start, end) => content.toString('utf8', start, end)
  if (key === 'rowid')
    return (content, start) => {
      const literals = firstLiterals(content, start, 1)
      return /^-?\d+$/.test(literals) ? BigInt(literals) : undefined
    }
  const places = key.map((name) => columns.indexOf(name))
  if (places.includes(-1)) return undefined
  if (places.every((place, index) => place === index))
    return (content, start) => firstLiterals(content, start, places.length)
  return (content, start) => {
    const literals = rowLiterals(content, start)
    return places.map((place) => literals[place]).join(',')
  }
}

/** The first literals of a row, with the commas between them. */
function firstLiterals(content: Buffer, start: number, count: number): string {
  return content.toString('utf8', start + 1, literalsEnd(content, start, count))
}

/** One side of a comparison in the order of integer keys: the rows of one chunk after another. */
class Side {
  readonly #chunks: AsyncGenerator<[chunk: TreeEntry, content: Buffer]>
  #content: Buffer = none
  #rows: Iterator<Row, undefined> = [][Symbol.iterator]()
  /** The row that is next in the chunk; undefined at its end. */
  row: Row | undefined
  /** Whether there is no further chunk. */
  isOver = false

  constructor(chunks: readonly TreeEntry[], read: ReadChunk) {
    this.#chunks = readAhead(chunks, read)
  }

  advance(): void {
    this.row = this.#rows.next().value
  }

  /** Goes on to the next chunk with a row, unless there is one in this. */
  async load(): Promise<void> {
    while (this.row === undefined && !this.isOver) {
      release(this.#content)
      const next = await this.#chunks.next()
      if (next.done) this.isOver = true
      else {
        const [{ path }, content] = next.value
        this.#content = content
        this.#rows = rowsOf(path, content, 'rowid')
        this.advance()
      }
    }
  }
}

/** Walks both sides side by side. */
async function* mergeByKey(before: Side, after: Side): AsyncGenerator<RowChange[]> {
  for (;;) {
    await before.load()
    await after.load()
    if (before.isOver && after.isOver) return
    const changes: RowChange[] = []
    while ((before.row || before.isOver) && (after.row || after.isOver) && (before.row || after.row)) {
      const [old, now] = earlier(before.row, after.row)
      if (!old || !now || differ(old, now)) changes.push(new Change(old, now))
      if (old) before.advance()
      if (now) after.advance()
    }
    yield changes
  }
}

/** The row with the smaller key, or both where they have the same. */
function earlier(old: Row | undefined, now: Row | undefined): [old: Row | undefined, now: Row | undefined] {
  if (!old || !now || old.key === now.key) return [old, now]
  return old.key < now.key ? [old, undefined] : [undefined, now]
}

/**
 * Matches rows whose chunks come in no order of their keys: within chunks of the same path, where nearly all are, and else
 * with those that wait. Old rows without a match wait to the end, new ones until all old rows are read.
 */
async function* matchByKey(
  chunks: Chunks,
  pairing: Exclude<Pairing, 'rowid'>,
  read: ReadBlob,
): AsyncGenerator<RowChange[]> {
  const [gone, come] = [new RowsByKey(), new RowsByKey()]
  const [oldKey, newKey] = pairing === 'position' ? [pairing, pairing] : [pairing.before, pairing.after]
  const readPair = ([old, now]: ChunkPair): Promise<[before: Buffer, after: Buffer]> =>
    old && now
      ? onlyDifferent(read, old.oid, now.oid)
      : Promise.all([old ? read(old.oid) : none, now ? read(now.oid) : none])
  for await (const [[old, now], [before, after]] of readAhead(chunkPairs(chunks), readPair)) {
    const changes: RowChange[] = []
    const here = new RowsByKey(old && rowsOf(old.path, before, oldKey))
    for (const row of now ? rowsOf(now.path, after, newKey) : []) {
      const match = here.take(row.key) ?? gone.take(row.key)
      if (match === undefined && old) come.add(apart(row))
      else if (match === undefined || differ(match, row)) changes.push(new Change(match, row))
    }
    for (const row of here.rest()) {
      const match = come.take(row.key)
      if (match === undefined) gone.add(apart(row))
      else if (differ(row, match)) changes.push(new Change(row, match))
    }
    yield changes
    release(before)
    release(after)
  }
  yield [...come.rest()].map((row) => new Change(undefined, row))
  yield [...gone.rest()].map((row) => new Change(row, undefined))
}

/** A row without the rest of its chunk. */
function apart({ content, start, end, ...row }: Row): Row {
  return { ...row, content: Buffer.from(content.subarray(start, end)), start: 0, end: end - start }
}

type ChunkPair = [before: TreeEntry | undefined, after: TreeEntry | undefined]

/** Chunks by path: first those that only the older side has, then those of both, then those of the newer one. */
function chunkPairs({ before, after }: Chunks): ChunkPair[] {
  const [old, now] = [before, after].map((chunks) => new Map(chunks.map((chunk) => [chunk.path, chunk])))
  const gone = before.filter(({ path }) => !now?.has(path)).map((chunk): ChunkPair => [chunk, undefined])
  const pairs = after.map((chunk): ChunkPair => [old?.get(chunk.path), chunk])
  return [...gone, ...pairs.filter(([old]) => old), ...pairs.filter(([old]) => !old)]
}

/** Rows that wait for one of the same key; there may be several of a key. */
class RowsByKey {
  readonly #rows = new Map<Row['key'], Row[]>()

  constructor(rows: Iterable<Row> = []) {
    for (const row of rows) this.add(row)
  }

  add(row: Row): void {
    const rows = this.#rows.get(row.key)
    if (rows) rows.push(row)
    else this.#rows.set(row.key, [row])
  }

  /** The first row of that key, which is gone from here then. */
  take(key: Row['key']): Row | undefined {
    const rows = this.#rows.get(key)
    if (rows?.length === 1) this.#rows.delete(key)
    return rows?.shift()
  }

  *rest(): Generator<Row> {
    for (const rows of this.#rows.values()) yield* rows
  }
}
