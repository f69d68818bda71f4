/** What is printed of rows and assets that disagree. */

import type { Agreement } from '../agreement.ts'
import { shownPath } from '../assets/paths.ts'
import { number } from '../number.ts'
import { displayName } from '../summary.ts'
import type { Output } from './output.ts'

/** So many lines of each kind; the document of --json has all. */
const mostLines = 10

export function printAgreement(output: Output, { missing, unnamed, unknown }: Agreement): void {
  for (const column of unknown) output.warn(`asset column ${displayName(column)}: no database has it`)
  const rows = missing.map(
    ({ table, row, path }) =>
      `row ${shortened(row)} of ${displayName(table)} names ${shownPath(path) || '.'}, which is not there`,
  )
  printSome(output, rows, {
    one: 'row names a file that is not there',
    many: 'rows name a file that is not there',
  })
  printSome(
    output,
    unnamed.map((path) => `no row names ${shownPath(path)}`),
    { one: 'file is named by no row', many: 'files are named by no row' },
  )
}

const longestKey = 120

function shortened(row: string): string {
  return row.length > longestKey ? `${row.slice(0, longestKey)}…` : row
}

function printSome(output: Output, lines: readonly string[], rest: { one: string; many: string }): void {
  for (const line of lines.slice(0, mostLines)) output.warn(line)
  const more = lines.length - mostLines
  if (more > 0) output.warn(`${number(more)} more ${more === 1 ? rest.one : rest.many}`)
}
