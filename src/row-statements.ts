/**
 * Statements about single rows, made of the literals of a dump: pure. They hold no character that a terminal obeys in a
 * value, since what prints them writes those in another way.
 */

import { identifier } from './dump/literal.ts'
import { commandingParts, isCommanding } from './terminal.ts'

/** A row as a row file has it: its key columns first. */
export interface StatementRow {
  table: string
  columns: readonly string[]
  /** A literal for each column. */
  values: readonly string[]
}

export function insertStatement({ table, columns, values }: StatementRow): string {
  const names = columns.map(identifier).join(',')
  return `INSERT INTO ${identifier(table)}(${names}) VALUES(${values.map(printableLiteral).join(',')});`
}

/** `keyLength` is the number of key columns. */
export function deleteStatement(row: StatementRow, keyLength: number): string {
  return `DELETE FROM ${identifier(row.table)} WHERE ${condition(row, keyLength)};`
}

/** What makes the row one with these values in the same columns, of which some must differ. */
export function updateStatement(row: StatementRow, keyLength: number, values: readonly string[]): string {
  const set = row.columns.flatMap((name, index) => {
    const value = values[index] as string
    return value === row.values[index] ? [] : [`${identifier(name)}=${printableLiteral(value)}`]
  })
  return `UPDATE ${identifier(row.table)} SET ${set.join(',')} WHERE ${condition(row, keyLength)};`
}

function condition({ columns, values }: StatementRow, keyLength: number): string {
  const terms = columns
    .slice(0, keyLength)
    .map((name, index) => `${identifier(name)} IS ${printableLiteral(values[index] as string)}`)
  return terms.join(' AND ')
}

/** The longest end that the two line ends of a text may need, with room to spare. */
const longestEnd = 80

/** The literal, or an expression of the same value in which such characters are named by their numbers. */
export function printableLiteral(literal: string): string {
  if (!isCommanding(literal)) return literal
  const start = /^(?:replace\()*/.exec(literal)?.[0] ?? ''
  const ends = new RegExp(`(?:,'[^']*',char\\(1[03]\\)\\)){${start.length / 'replace('.length}}$`)
  const end = ends.exec(literal.slice(-longestEnd))?.[0] ?? ''
  const text = literal.slice(start.length + 1, literal.length - end.length - 1)
  const parts = commandingParts(text).map((part, index) =>
    index % 2 === 0 ? `'${part}'` : `char(${part.charCodeAt(0)})`,
  )
  return `${start}${concatenation(parts)}${end}`
}

/** So many terms stand side by side: SQLite takes expressions that are at most 1000 deep, and each `||` is one deeper. */
const mostTerms = 100

function concatenation(terms: readonly string[]): string {
  if (terms.length <= mostTerms) return terms.join('||')
  const groups: string[] = []
  for (let at = 0; at < terms.length; at += mostTerms)
    groups.push(`(${terms.slice(at, at + mostTerms).join('||')})`)
  return concatenation(groups)
}
