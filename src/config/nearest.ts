/** Which known word a misspelt one may have meant; pure. */

/** The candidate nearest to `word`, or undefined if none is near: case and separators do not count. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const letters = bare(word)
  const [best] = candidates
    .map((candidate) => ({ candidate, edits: distance(letters, bare(candidate)) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, candidate.length / 3))
    .sort((a, b) => a.edits - b.edits)
  return best?.candidate
}

/** A word left out of a compound, as `timeout`, counts as one edit. */
function distance(word: string, candidate: string): number {
  return word.length >= 4 && candidate.includes(word)
    ? Number(word !== candidate)
    : editDistance(word, candidate)
}

function bare(word: string): string {
  return word
    .slice(0, 40)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
}

/** How many letters must be added, removed or replaced to make one word of the other (Levenshtein). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1))
    }
    row = next
  }
  return row[to.length] as number
}
