/** What was found of contents in Git LFS, in one line. */

import { shownPath } from '../assets/paths.ts'
import { counted } from '../number.ts'

/** `found` goes on after "was" or "were". */
export function lfsLine(paths: readonly string[], found: string): string {
  const were = paths.length === 1 ? 'was' : 'were'
  return `${counted(paths.length, 'Git LFS file')} ${were} ${found}: ${paths.map(shownPath).join(', ')}`
}
