/**
 * Which rows differ between two trees: reads only the chunks that differ and matches their rows by key.
 */

import { release } from './buffers.ts'
import { withoutCommonRows } from './dump/common-rows.ts'
import { literalsEnd } from './dump/literal-end.ts'
import type { Manifest, ManifestTable, TableKey } from './dump/manifest.ts'
import { pathPart } from './dump/names.ts'
import { checkRows, parseRowHeader, rowLiterals } from './dump/rows.ts'
import { RowbackError } from './errors.ts'
import type { TreeEntry } from './git/tree.ts'

/** One side of a comparison: a commit, or the tree that a backup is about to commit. */
export interface TreeSide {
  manifest: Manifest
  entries: ReadonlyMap<string, TreeEntry>
}

/** A row that differs; `before` and `after` are its literals in column order, the key first. */
export interface RowChange {
  kind: 'added' | 'changed' | 'removed'
  columns: readonly string[]
  before: readonly string[] | undefined
  after: readonly string[] | undefined
}

/** A table with different rows on the two sides. */
export interface TableChange {
  database: string
  table: string
  /** Whether the table itself is only on one side. */
  whole: 'added' | 'removed' | undefined
  changes: AsyncGenerator<RowChange>
  /** For a whole table: its row count, known without reading. */
  rows: number
  key: TableKey
}

/** Reads a blob; its content is the caller's. */
export type ReadBlob = (oid: string) => Promise<Buffer>

/** Yields the tables whose row files differ, by database and name. */
export function* tableChanges(
  before: TreeSide | undefined,
  after: TreeSide,
  read: ReadBlob,
): Generator<TableChange> {
  const oldChunks = chunksByTable(before?.entries, after.entries)
  const newChunks = chunksByTable(after.entries, before?.entries)
  for (const { database, table, old, now } of tablePairs(before?.manifest, after.manifest)) {
    const folder = `databases/${database}/30-rows/${pathPart(table)}`
    const chunks = { before: oldChunks.get(folder) ?? [], after: newChunks.get(folder) ?? [] }
    if (chunks.before.length + chunks.after.length === 0) continue
    const key = commonKey(old, now)
    yield {
      database,
      table,
      key,
      whole: old ? (now ? undefined : 'removed') : 'added',
      changes: rowChanges(chunks, key, read),
      rows: (now ?? old)?.rows ?? 0,
    }
  }
}

/** The newer key; where only one side has rowids, rows are matched as a whole. */
function commonKey(old: ManifestTable | undefined, now: ManifestTable | undefined): TableKey {
  if (old && now && (old.key === 'rowid') !== (now.key === 'rowid')) return 'position'
  return (now ?? old)?.key ?? 'position'
}

interface TablePair {
  database: string
  table: string
  old: ManifestTable | undefined
  now: ManifestTable | undefined
}

function tablePairs(before: Manifest | undefined, after: Manifest): TablePair[] {
  const pairs = new Map<string, TablePair>()
  const pair = (database: string, table: string): TablePair => {
    const id = `${database}/${pathPart(table)}`
    const found = pairs.get(id) ?? { database, table, old: undefined, now: undefined }
    pairs.set(id, found)
    return found
  }
  for (const { name, tables } of before?.databases ?? [])
    for (const table of tables) pair(name, table.name).old = table
  for (const { name, tables } of after.databases)
    for (const table of tables) pair(name, table.name).now = table
  return [...pairs.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, found]) => found)
}

/**
 * The row files of a tree that another tree has not, by the folder of their table, in replay order, which for integer
 * keys is key order.
 */
function chunksByTable(
  entries: ReadonlyMap<string, TreeEntry> | undefined,
  others: ReadonlyMap<string, TreeEntry> | undefined,
): Map<string, TreeEntry[]> {
  const tables = new Map<string, TreeEntry[]>()
  for (const entry of entries?.values() ?? []) {
    if (others?.get(entry.path)?.oid === entry.oid) continue
    const folder = /^databases\/[^/]+\/30-rows\/[^/]+/.exec(entry.path)?.[0]
    if (folder === undefined) continue
    const chunks = tables.get(folder)
    if (chunks) chunks.push(entry)
    else tables.set(folder, [entry])
  }
  for (const chunks of tables.values())
    chunks.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
  return tables
}

interface Chunks {
  before: TreeEntry[]
  after: TreeEntry[]
}

/** A row of a chunk, with its text still in bytes. */
interface Row {
  key: bigint | string
  content: Buffer
  start: number
  end: number
  columns: readonly string[]
}

async function* rowChanges(chunks: Chunks, key: TableKey, read: ReadBlob): AsyncGenerator<RowChange> {
  const differing = readDiffering(chunks, read)
  const before = readRows(chunks.before, key, differing.before)
  const after = readRows(chunks.after, key, differing.after)
  if (key === 'rowid') yield* mergeByKey(before, after)
  else yield* matchByKey(before, after)
}

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
    const pair = Promise.all([read(old), read(now)]).then(onlyDifferent)
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

/** What differs of two row files, which are released. */
function onlyDifferent([old, now]: [Buffer, Buffer]): [Buffer, Buffer] {
  const [before, after] = withoutCommonRows(old, now)
  if (before !== old) release(old)
  if (after !== now) release(now)
  return [before, after]
}

function oidsByPath(chunks: readonly TreeEntry[]): Map<string, string> {
  return new Map(chunks.map(({ path, oid }) => [path, oid]))
}

/** So many chunks are read while one is compared. */
const chunksAhead = 8

/** Yields chunks with their contents. */
async function* readAhead(
  chunks: readonly TreeEntry[],
  read: ReadChunk,
): AsyncGenerator<{ chunk: TreeEntry; content: Buffer }> {
  const reading: Promise<Buffer>[] = []
  for (const [index, chunk] of chunks.entries()) {
    for (const next of chunks.slice(index + reading.length, index + 1 + chunksAhead)) {
      const content = read(next)
      content.catch(() => {})
      reading.push(content)
    }
    yield { chunk, content: (await reading.shift()) as Buffer }
  }
}

async function* readRows(chunks: TreeEntry[], key: TableKey, read: ReadChunk): AsyncGenerator<Row> {
  for await (const { chunk, content } of readAhead(chunks, read)) {
    if (content.length === 0) continue
    const header = parseRowHeader(content, chunk.path)
    const rows: Row[] = []
    checkRows(content, header, chunk.path, (start, end) => {
      const found = keyOf(content, start, end, key)
      if (found === undefined)
        throw new RowbackError('dump', `read dump: ${chunk.path} has rows without the rowid of its manifest`)
      rows.push({ key: found, content, start, end, columns: header.columns })
    })
    yield* rows
  }
}

function keyOf(content: Buffer, start: number, end: number, key: TableKey): bigint | string | undefined {
  if (key === 'position') return content.toString('utf8', start, end)
  const literals = content.toString(
    'utf8',
    start + 1,
    literalsEnd(content, start, key === 'rowid' ? 1 : key.length),
  )
  if (key !== 'rowid') return literals
  return /^-?\d+$/.test(literals) ? BigInt(literals) : undefined
}

/** Walks two streams in the order of their integer keys side by side. */
async function* mergeByKey(
  before: AsyncGenerator<Row>,
  after: AsyncGenerator<Row>,
): AsyncGenerator<RowChange> {
  let old = (await before.next()).value as Row | undefined
  let now = (await after.next()).value as Row | undefined
  while (old || now) {
    if (old && (!now || old.key < now.key)) {
      yield change(old, undefined)
      old = (await before.next()).value as Row | undefined
    } else if (now && (!old || now.key < old.key)) {
      yield change(undefined, now)
      now = (await after.next()).value as Row | undefined
    } else {
      if (differ(old as Row, now as Row)) yield change(old, now)
      old = (await before.next()).value as Row | undefined
      now = (await after.next()).value as Row | undefined
    }
  }
}

/** Matches rows whose chunks come in no order of their keys; holds the rows of one side. */
async function* matchByKey(
  before: AsyncGenerator<Row>,
  after: AsyncGenerator<Row>,
): AsyncGenerator<RowChange> {
  const left = new Map<bigint | string, Row[]>()
  for await (const row of before) left.set(row.key, [...(left.get(row.key) ?? []), row])
  for await (const row of after) {
    const old = left.get(row.key)?.shift()
    if (!old || differ(old, row)) yield change(old, row)
  }
  for (const rows of left.values()) for (const row of rows) yield change(row, undefined)
}

function differ(a: Row, b: Row): boolean {
  return (
    a.content.compare(b.content, b.start, b.end, a.start, a.end) !== 0 ||
    a.columns.join('\0') !== b.columns.join('\0')
  )
}

function change(before: Row | undefined, after: Row | undefined): RowChange {
  const literals = (row: Row | undefined): string[] | undefined => row && rowLiterals(row.content, row.start)
  return {
    kind: before ? (after ? 'changed' : 'removed') : 'added',
    columns: (after ?? before)?.columns ?? [],
    get before() {
      return literals(before)
    },
    get after() {
      return literals(after)
    },
  }
}
