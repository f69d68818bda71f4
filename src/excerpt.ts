/** Cuts long texts for a message around the place where two of them differ: pure. */

/** Lengths in UTF-16 units. */
export interface ExcerptLengths {
  /** Of a text that is shown whole. */
  longest: number
  /** Of its beginning, which is always shown. */
  head: number
  /** Of what is shown before the difference. */
  context: number
}

/** The index of the first unit in which two texts differ. */
export function firstDifference(a: string, b: string): number {
  let same = 0
  while (same < a.length && a[same] === b[same]) same += 1
  return same
}

/** A text, or the beginning of a long one and what surrounds the difference. */
export function excerpt(text: string, differsAt: number, { longest, head, context }: ExcerptLengths): string {
  if (text.length <= longest) return text
  const from = Math.max(head, Math.min(text.length, differsAt) - context)
  const to = from + longest - head
  const gap = from > head ? '…' : ''
  return `${text.slice(0, head)}${gap}${text.slice(from, to)}${to < text.length ? '…' : ''}`
}
