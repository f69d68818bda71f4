/** How counts are written, in every message: pure. */

/** A count with separators for thousands. The first use of Intl takes longer than all else that a short verb prints. */
export function number(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `1 row`, `7,134 rows`. */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${nounFor(count, noun)}`
}

/** `1 row was`, `7,134 rows were`. */
export function countedWere(count: number, noun: string): string {
  return `${counted(count, noun)} ${count === 1 ? 'was' : 'were'}`
}

/** The noun as it stands behind a count. */
export function nounFor(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`
}
