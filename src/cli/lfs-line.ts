/** What was found of contents in Git LFS, in one line. */

import { shownPath } from '../assets/paths.ts'
import { countedWere } from '../number.ts'

/** `found` goes on after "was" or "were". */
export function lfsLine(paths: readonly string[], found: string): string {
  return `${countedWere(paths.length, 'Git LFS file')} ${found}: ${paths.map(shownPath).join(', ')}`
}
