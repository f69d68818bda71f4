/** How counts are written, in every message: pure. */

/** A count with separators for thousands. The first use of Intl takes longer than all else that a short verb prints. */
export function number(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}
