/** A row that differs between two trees: pure. */

import { rowLiterals } from './dump/rows.ts'

/** A row that differs; `before` and `after` are its literals in the order of their columns, the key first. */
export interface RowChange {
  kind: 'added' | 'changed' | 'removed'
  /** Those of `after`, or of `before` where the row is removed. */
  columns: readonly string[]
  /** Those of `before`, where the row is changed and they differ. */
  columnsBefore: readonly string[] | undefined
  before: readonly string[] | undefined
  after: readonly string[] | undefined
}

/** A row of a chunk, with its text still in bytes. */
export interface Row {
  key: bigint | string
  content: Buffer
  start: number
  end: number
  columns: readonly string[]
}

/** Whether two rows of one key differ. */
export function differ(a: Row, b: Row): boolean {
  return (
    a.content.compare(b.content, b.start, b.end, a.start, a.end) !== 0 || !sameColumns(a.columns, b.columns)
  )
}

/** Whether two lists name the same columns in the same order. */
export function sameColumns(a: readonly string[], b: readonly string[]): boolean {
  return a.join('\0') === b.join('\0')
}

/** A change whose literals are read off its rows when they are asked for. */
export class Change implements RowChange {
  readonly #before: Row | undefined
  readonly #after: Row | undefined

  constructor(before: Row | undefined, after: Row | undefined) {
    this.#before = before
    this.#after = after
  }

  get kind(): RowChange['kind'] {
    return this.#before ? (this.#after ? 'changed' : 'removed') : 'added'
  }

  get columns(): readonly string[] {
    return (this.#after ?? this.#before)?.columns ?? []
  }

  get columnsBefore(): readonly string[] | undefined {
    const [before, after] = [this.#before?.columns, this.#after?.columns]
    return before && after && !sameColumns(before, after) ? before : undefined
  }

  get before(): readonly string[] | undefined {
    return literalsOf(this.#before)
  }

  get after(): readonly string[] | undefined {
    return literalsOf(this.#after)
  }
}

function literalsOf(row: Row | undefined): readonly string[] | undefined {
  return row && rowLiterals(row.content, row.start)
}
