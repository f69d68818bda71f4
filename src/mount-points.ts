/** Where file systems, directories or files are mounted: nothing can be renamed to there, nor be removed. */

import { readFileSync } from 'node:fs'

/** Their paths; none where the system has no such list (proc(5), mountinfo). */
export function mountPoints(): ReadonlySet<string> {
  try {
    const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n')
    return new Set(lines.map((line) => unescaped(line.split(' ')[4] ?? '')))
  } catch {
    return new Set()
  }
}

/** Blanks, and what else would break a line, stand there as octal numbers. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
