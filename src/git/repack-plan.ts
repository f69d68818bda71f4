/** When packs are joined, and which: what is due is decided by their sizes alone. Pure. */

/** A pack of a repository that may be replaced by another one. */
export interface Pack {
  /** Its file name up to the ending. */
  name: string
  bytes: number
}

/** Nothing; all packs become one, in which versions of a file are deltas; or some become one. */
export type RepackPlan = 'none' | 'all' | Pack[]

/** So many packs are left alone: git looks for an object in one after another. Two of them are one backup. */
const fewPacks = 16

/** All are joined where those beside the largest have at least this part of its size. */
const growth = 1 / 10

/** A pack stays as it is beside smaller ones whose sum is at most half of it, as with `git repack --geometric=2`. */
const factor = 2

/**
 * What is due. Joining all copies the whole repository, so it waits for growth: then a stored byte is copied ten times
 * at most on average. In between, the small packs become larger ones, of which there are only as many as a geometric
 * progression has members.
 */
export function repackPlan(packs: readonly Pack[], mode: 'auto' | 'always' | 'never'): RepackPlan {
  if (mode === 'never' || packs.length < 2) return 'none'
  if (mode === 'always') return 'all'
  if (packs.length <= fewPacks) return 'none'
  const sorted = packs.toSorted((a, b) => b.bytes - a.bytes)
  const [largest = 0, ...rest] = sorted.map(({ bytes }) => bytes)
  if (sum(rest) >= largest * growth) return 'all'
  const from = sorted.findIndex(({ bytes }, i) => bytes < factor * sum(rest.slice(i)))
  return from < 0 ? 'none' : sorted.slice(from)
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
