/** Which chunks of the last dump of a table still hold, and which rows must be rendered anew: pure. */

import { releaseArrays } from '../buffers.ts'
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
  const runs = sameRuns(old, now, isSame)
  if (!runs) return undefined
  const all = {
    chunks,
    now,
    runs,
    oldStarts: starts(old.rows),
    newStarts: starts(now.rows),
    chunkStarts: starts(chunks.map(({ rows }) => rows)),
  }
  try {
    return stepsBetween(all)
  } finally {
    const { oldAt, newAt, lengths } = runs
    releaseArrays([all.oldStarts, all.newStarts, all.chunkStarts, oldAt, newAt, lengths])
  }
}

/** What the steps follow from: the starts are rows before each entry, or chunk, and all of them. */
interface Compared {
  chunks: readonly KnownChunk[]
  now: TreePages
  runs: Runs
  oldStarts: Float64Array
  newStarts: Float64Array
  chunkStarts: Float64Array
}

function stepsBetween({
  chunks,
  now,
  runs,
  oldStarts,
  newStarts,
  chunkStarts,
}: Compared): Step[] | undefined {
  const total = oldStarts.at(-1) as number
  if (chunkStarts.at(-1) !== total) return undefined
  const isDirty = dirtyChunks(runs, oldStarts, chunkStarts)

  const newPlaceOf = (position: number): RowPlace => placeIn(now, newStarts, position)
  /** Where a row that was at an old position is by now. */
  const positionOf = (position: number): number | undefined => {
    const run = lastAtMost(runs.count, position, (index) => oldStarts[runs.oldAt[index] as number] as number)
    if (run < 0) return undefined
    const [oldAt, newAt] = [runs.oldAt[run] as number, runs.newAt[run] as number]
    const oldEnd = oldStarts[oldAt + (runs.lengths[run] as number)] as number
    if (position >= oldEnd) return undefined
    return (newStarts[newAt] as number) + position - (oldStarts[oldAt] as number)
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

/**
 * Runs of entries that are the same in both trees, and follow one another in both: where each begins, and its length.
 * Behind the last there is one of no entries, where both trees end. Scattered changes leave a run for each few pages: as objects
 * they took five times as much.
 */
interface Runs {
  /** Without the one behind the last. */
  count: number
  oldAt: Uint32Array
  newAt: Uint32Array
  lengths: Uint32Array
}

/** All entries that are the same, in order; undefined if the orders differ. */
function sameRuns(old: TreePages, now: TreePages, isSame: (page: number) => boolean): Runs | undefined {
  const { find, release } = finder(old)
  const most = now.pages.length + 1
  const [oldAts, newAts, lengths] = [new Uint32Array(most), new Uint32Array(most), new Uint32Array(most)]
  let count = 0
  let behind = 0
  for (let newAt = 0; newAt < now.pages.length; newAt++) {
    const page = now.pages[newAt] as number
    const oldAt = isSame(page) ? find(page, now.cells[newAt] as number) : undefined
    if (oldAt === undefined) continue
    if (oldAt < behind || old.rows[oldAt] !== now.rows[newAt]) return undefined
    behind = oldAt + 1
    const length = count === 0 ? 0 : (lengths[count - 1] as number)
    const goesOn = oldAts[count - 1] === oldAt - length && newAts[count - 1] === newAt - length
    if (!goesOn) {
      oldAts[count] = oldAt
      newAts[count] = newAt
      count += 1
    }
    lengths[count - 1] = goesOn ? length + 1 : 1
  }
  release()
  oldAts[count] = old.pages.length
  newAts[count] = now.pages.length
  return { count, oldAt: oldAts, newAt: newAts, lengths }
}

/** Finds the place of an entry, until its memory is given back. */
function finder({ pages, cells }: TreePages): {
  find: (page: number, cell: number) => number | undefined
  release: () => void
} {
  const leaves = new Int32Array(pages.reduce((most, page) => Math.max(most, page), 0) + 1)
  const dividing = new Map<number, number>()
  pages.forEach((page, index) => {
    if (cells[index] === wholeLeaf) leaves[page] = index + 1
    else dividing.set(page * 65536 + (cells[index] as number), index)
  })
  const find = (page: number, cell: number): number | undefined => {
    if (cell !== wholeLeaf) return dividing.get(page * 65536 + cell)
    const found = leaves[page] ?? 0
    return found > 0 ? found - 1 : undefined
  }
  return { find, release: () => releaseArrays([leaves]) }
}

/** Which chunks hold a row of a gap between runs, or end before one. */
function dirtyChunks(
  { count, oldAt: oldAts, newAt: newAts, lengths }: Runs,
  oldStarts: Float64Array,
  chunkStarts: Float64Array,
): boolean[] {
  const isDirty = new Array<boolean>(chunkStarts.length - 1).fill(false)
  let chunk = 0
  let [oldEnd, newEnd] = [0, 0]
  for (let run = 0; run <= count; run++) {
    const [oldAt, newAt] = [oldAts[run], newAts[run]] as [number, number]
    if (oldAt > oldEnd || newAt > newEnd) {
      const from = (oldStarts[oldEnd] as number) - 1
      const to = oldStarts[oldAt] as number
      // Behind a gap at the start of the table, the first row begins the first chunk, whatever chunk it began.
      const end = from < 0 ? to + 1 : to
      while (chunk > 0 && (chunkStarts[chunk] as number) > from) chunk -= 1
      for (; chunk < isDirty.length && (chunkStarts[chunk] as number) < end; chunk++)
        if ((chunkStarts[chunk + 1] as number) > from) isDirty[chunk] = true
    }
    oldEnd = oldAt + (lengths[run] as number)
    newEnd = newAt + (lengths[run] as number)
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
