/** Which chunks of the last dump of a table still hold, and which rows must be rendered anew: pure. */

import { firstName } from './cut.ts'

/** The rows of a b-tree in key order, page by page. */
export interface TreePages {
  /** The leaves; in an index, between two leaves, the interior page with the row that divides them. */
  pages: Uint32Array
  /** How many rows each entry stands for: all of a leaf, or the one that divides two. */
  rows: Uint16Array
  /** Which cell of an interior page divides; `wholeLeaf` for a leaf. */
  cells: Uint16Array
}

/** No page has room for so many cells. */
export const wholeLeaf = 0xffff

/** A chunk that a commit holds. */
export interface KnownChunk {
  /** `<directory>/<name>`, without an ending. */
  path: string
  oid: string
  /** In bytes. */
  size: number
  rows: number
}

/** A table as the last dump found it. */
export interface KnownTable {
  tree: TreePages
  chunks: readonly KnownChunk[]
}

/** Where a row stands. */
export interface RowPlace {
  page: number
  cell: number
}

/** A chunk that is kept, or rows that begin a chunk and are rendered anew. */
export type Step = { kept: KnownChunk } | { rows: RowSpan; path: string }

/** Rows that follow one another. */
export interface RowSpan {
  /** The first of them; undefined for the first row of the table. */
  first: RowPlace | undefined
  last: RowPlace
  /** How many rows of the table come before. */
  before: number
  count: number
}

/**
 * The steps that dump a table anew. `isSame` tells whether a page, with the overflow pages of its rows, holds what it
 * held then. Undefined where the two do not fit together; then all rows must be rendered.
 *
 * A page that is the same, and was part of the tree, holds the same rows. So rows differ only in the gaps between two
 * such pages that did not follow one another before, or do not now. A chunk is cut by its first row alone: it still
 * holds if neither it nor the row behind it lies in a gap. At the end of a gap the old rows go on, with their cuts.
 */
export function planSteps(
  { tree: old, chunks }: KnownTable,
  now: TreePages,
  isSame: (page: number) => boolean,
): Step[] | undefined {
  const oldStarts = starts(old.rows)
  const newStarts = starts(now.rows)
  const chunkStarts = starts(chunks.map(({ rows }) => rows))
  const total = oldStarts.at(-1) as number
  if (chunkStarts.at(-1) !== total) return undefined
  const runs = sameRuns(old, now, isSame)
  if (!runs) return undefined
  const entries = { old: old.pages.length, now: now.pages.length }
  const isDirty = dirtyChunks(runs, oldStarts, chunkStarts, entries)

  const newPlaceOf = (position: number): RowPlace => placeIn(now, newStarts, position)
  /** Where a row that was at an old position is by now. */
  const positionOf = (position: number): number | undefined => {
    const run = lastAtMost(runs.length, position, (index) => oldStarts[runs[index]?.oldAt ?? 0] as number)
    const { oldAt, newAt, length } = runs[run] ?? { oldAt: 0, newAt: 0, length: 0 }
    const offset = position - (oldStarts[oldAt] as number)
    return run < 0 || position >= (oldStarts[oldAt + length] as number)
      ? undefined
      : (newStarts[newAt] as number) + offset
  }
  const span = (before: number, end: number): RowSpan => ({
    first: before === 0 ? undefined : newPlaceOf(before),
    last: newPlaceOf(end - 1),
    before,
    count: end - before,
  })
  const newTotal = newStarts.at(-1) as number
  if (total === 0) return newTotal === 0 ? [] : [{ rows: span(0, newTotal), path: firstPath }]

  const steps: Step[] = []
  for (let index = 0; index < chunks.length; index++) {
    const chunk = chunks[index] as KnownChunk
    if (!isDirty[index]) {
      steps.push({ kept: chunk })
      continue
    }
    const before = index === 0 ? 0 : positionOf(chunkStarts[index] as number)
    while (isDirty[index + 1]) index += 1
    const end = index + 1 === chunks.length ? newTotal : positionOf(chunkStarts[index + 1] as number)
    if (before === undefined || end === undefined || end < before) return undefined
    if (end > before) steps.push({ rows: span(before, end), path: chunk.path })
  }
  return steps
}

const firstPath = `${firstName}/${firstName}`

/** Where the row at a position stands. */
function placeIn({ pages, cells }: TreePages, starts: Float64Array, position: number): RowPlace {
  const at = lastAtMost(pages.length, position, (index) => starts[index] as number)
  const cell = cells[at] === wholeLeaf ? position - (starts[at] as number) : (cells[at] as number)
  return { page: pages[at] as number, cell }
}

/** The sums of all counts before each, and of all. */
function starts(counts: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(counts.length + 1)
  for (let index = 0; index < counts.length; index++)
    sums[index + 1] = (sums[index] as number) + (counts[index] as number)
  return sums
}

/** Entries that are the same in both trees, and follow one another in both. */
interface Run {
  oldAt: number
  newAt: number
  length: number
}

/** All entries that are the same, in order; undefined if the orders differ. */
function sameRuns(old: TreePages, now: TreePages, isSame: (page: number) => boolean): Run[] | undefined {
  const find = finder(old)
  const runs: Run[] = []
  let behind = 0
  for (let newAt = 0; newAt < now.pages.length; newAt++) {
    const page = now.pages[newAt] as number
    const oldAt = isSame(page) ? find(page, now.cells[newAt] as number) : undefined
    if (oldAt === undefined) continue
    if (oldAt < behind || old.rows[oldAt] !== now.rows[newAt]) return undefined
    behind = oldAt + 1
    const last = runs.at(-1)
    if (last && last.oldAt + last.length === oldAt && last.newAt + last.length === newAt) last.length += 1
    else runs.push({ oldAt, newAt, length: 1 })
  }
  return runs
}

/** Finds the place of an entry. */
function finder({ pages, cells }: TreePages): (page: number, cell: number) => number | undefined {
  const leaves = new Int32Array(pages.reduce((most, page) => Math.max(most, page), 0) + 1)
  const dividing = new Map<number, number>()
  pages.forEach((page, index) => {
    if (cells[index] === wholeLeaf) leaves[page] = index + 1
    else dividing.set(page * 65536 + (cells[index] as number), index)
  })
  return (page, cell) => {
    if (cell !== wholeLeaf) return dividing.get(page * 65536 + cell)
    const found = leaves[page] ?? 0
    return found > 0 ? found - 1 : undefined
  }
}

/** Which chunks hold a row of a gap between runs, or end before one. */
function dirtyChunks(
  runs: readonly Run[],
  oldStarts: Float64Array,
  chunkStarts: Float64Array,
  entries: { old: number; now: number },
): boolean[] {
  const isDirty = new Array<boolean>(chunkStarts.length - 1).fill(false)
  let chunk = 0
  let [oldEnd, newEnd] = [0, 0]
  for (const { oldAt, newAt, length } of [...runs, { oldAt: entries.old, newAt: entries.now, length: 0 }]) {
    if (oldAt > oldEnd || newAt > newEnd) {
      const from = (oldStarts[oldEnd] as number) - 1
      const to = oldStarts[oldAt] as number
      // Behind a gap at the start of the table, the first row begins the first chunk, whatever chunk it began.
      const end = from < 0 ? to + 1 : to
      while (chunk > 0 && (chunkStarts[chunk] as number) > from) chunk -= 1
      for (; chunk < isDirty.length && (chunkStarts[chunk] as number) < end; chunk++)
        if ((chunkStarts[chunk + 1] as number) > from) isDirty[chunk] = true
    }
    oldEnd = oldAt + length
    newEnd = newAt + length
  }
  return isDirty
}

/** The last index below `count` whose number is at most that; -1 if there is none. The numbers grow with the index. */
function lastAtMost(count: number, wanted: number, numberOf: (index: number) => number): number {
  let [low, high] = [0, count]
  while (low < high) {
    const middle = (low + high) >> 1
    if (numberOf(middle) <= wanted) low = middle + 1
    else high = middle
  }
  return low - 1
}
