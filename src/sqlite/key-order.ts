/**
 * Looks whether rows come in the order of the key of their WITHOUT ROWID table, none equal to another. SQLite reads such a
 * table in whatever order its pages are, and quick_check compares no keys.
 */

import type { Database, Statement } from 'better-sqlite3'
import { type KeyPart, keyRises } from '../dump/key-order.ts'
import { type Encoding, identifier, isText, type Value } from '../dump/literal.ts'
import { parseLiteral } from '../dump/parse-literal.ts'
import type { RowSource } from '../dump/plan.ts'
import { rowLiterals } from '../dump/rows.ts'
import { sqliteError } from './sqlite-error.ts'

/** Takes the lines of one range of a table, batch by batch. */
export class KeyOrder {
  readonly #parts: KeyPart[]
  readonly #columns: number[]
  readonly #statements = new Map<string, Statement>()
  #last: Buffer | undefined
  #lastStart = 0

  constructor(
    private readonly db: Database,
    private readonly source: RowSource,
    private readonly encoding: Encoding,
  ) {
    const names = source.columns.map(({ read }) => identifier(read))
    this.#columns = source.orderBy.map(({ column }) => names.indexOf(column))
    const isPlain = this.#columns.every((column, at) => column === at)
    this.#parts = (isPlain ? source.orderBy : []).map(({ collate, descending }) => ({
      collation: orderOfTexts(collate, encoding),
      descending,
    }))
  }

  /** Throws SQLITE_CORRUPT at a key that is not behind the one before; the lines of the batch before must still be there. */
  take(lines: Buffer, ends: readonly number[]): void {
    let start = 0
    for (const end of ends) {
      const last = this.#last
      if (last && !keyRises(last, this.#lastStart, lines, start, this.#parts))
        this.#ask(this.#values(last, this.#lastStart), this.#values(lines, start))
      this.#last = lines
      this.#lastStart = start
      start = end
    }
  }

  /** Throws SQLITE_CORRUPT if the whole table is out of order: SQLite finds the start of a range by it. */
  refuseDisorder(): void {
    const found = this.db
      .prepare(`PRAGMA integrity_check(${identifier(this.source.readFrom)})`)
      .pluck()
      .all()
    if (found.some((row) => String(row).startsWith('row not in PRIMARY KEY order'))) throw this.#disorder()
  }

  #values(lines: Buffer, start: number): Value[] {
    const literals = rowLiterals(lines, start + 1, this.source.keyColumns)
    return literals.map((text) => parseLiteral(text, this.encoding))
  }

  /** SQLite has the say: collations may be the application's own. NULL, which no key may have, is refused elsewhere. */
  #ask(last: readonly Value[], next: readonly Value[]): void {
    const all = [...last, ...next]
    const marks = all.map((value) => (isText(value) ? '+CAST(? AS TEXT)' : '?'))
    const sql = this.#question(marks.slice(0, last.length), marks.slice(last.length))
    const statement = this.#statements.get(sql) ?? this.db.prepare(sql).pluck()
    this.#statements.set(sql, statement)
    if (statement.get(all.map((value) => (isText(value) ? value.text : value))) === 0) throw this.#disorder()
  }

  #question(last: readonly string[], next: readonly string[]): string {
    const names = last.map((_, index) => `k${index}`).join(',')
    // The first column in which they differ decides.
    const rises = this.source.orderBy.reduceRight((rest, { collate, descending }, at) => {
      const [one, other] = ['a', 'b'].map((side) => `${side}.k${this.#columns[at]}${collate}`)
      return `(${one}${descending ? '>' : '<'}${other} OR ${one}=${other} AND ${rest})`
    }, '0')
    return `WITH a(${names}) AS (SELECT ${last.join(',')}), b(${names}) AS (SELECT ${next.join(',')}) SELECT ${rises} FROM a, b`
  }

  #disorder(): Error {
    const table = JSON.stringify(this.source.readFrom)
    return sqliteError(`rows of table ${table} are not in the order of its primary key`, 'SQLITE_CORRUPT')
  }
}

const collations = ['BINARY', 'NOCASE', 'RTRIM'] as const

/** The others compare texts in UTF-8, whatever the database has them in (sqlite.org/datatype3.html, section 7). */
function orderOfTexts(collate: string, encoding: Encoding): KeyPart['collation'] {
  const found = collations.find((name) => collate.toUpperCase() === collateAs(name))
  return found === 'BINARY' && encoding !== 'UTF-8' ? 'UTF-16' : found
}

function collateAs(name: string): string {
  return ` COLLATE ${identifier(name)}`
}
