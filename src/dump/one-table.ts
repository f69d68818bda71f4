/** What of a dump's scripts one table needs to stand alone, in a database of its own: pure. */

import { RowbackError } from '../errors.ts'
import { lowerCase } from './ascii.ts'
import { identifier, textLiteral } from './literal.ts'
import { literalEnd } from './literal-end.ts'
import { parseText } from './parse-literal.ts'
import { checkRows, parseRowHeader, rowFile, rowHeader, rowLiterals } from './rows.ts'
import { definedName, type ScriptFile } from './script.ts'
import { firstTokens, isWord, nameOf, type Token, tokens } from './tokens.ts'

/** Statements that are run for any table; those about rows of `sqlite_schema` that are not there change nothing. */
const general: Partial<Record<ScriptFile, RegExp>> = {
  '10-open.sql': /^/,
  '40-schema.sql': /^(?:PRAGMA writable_schema=|UPDATE sqlite_schema SET |REINDEX;)/,
  '90-close.sql': /^(?:PRAGMA (?:user_version|application_id|journal_mode)=|COMMIT;)/,
}

/**
 * Picks the table's definition, its indexes, its rows of `sqlite_sequence` and the settings of the header. Views,
 * triggers and statistics are left out.
 */
export class OneTable {
  private readonly name: string
  /** The table and its indexes, as SQLite compares names. */
  private readonly objects = new Set<string>()
  /** What `sqlite_sequence` may call the table, as literals. */
  private readonly sequenceNames: Set<string>
  private isAutoincrement = false

  constructor(name: string) {
    this.name = name
    this.sequenceNames = new Set([textLiteral(name)])
  }

  /**
   * Of all statements of a script, which have passed the grammar, those to run. To be asked for one script after another
   * in replay order. Throws a `dump` error where none defines the table.
   */
  statements(file: ScriptFile, all: readonly string[]): string[] {
    const picked = all.filter((sql) => {
      const isPicked = general[file]?.test(sql) || this.isAbout(file, sql)
      if (isPicked) this.note(sql)
      return isPicked
    })
    if (file === '90-close.sql') return [...this.sequence(all), ...picked]
    if (file !== '20-tables.sql' || picked.length > 0) return picked
    const name = JSON.stringify(this.name)
    throw new RowbackError(
      'dump',
      `read dump: ${file} does not define table ${name}, which the manifest names`,
    )
  }

  private isAbout(file: ScriptFile, sql: string): boolean {
    if (file === '20-tables.sql')
      // What is said to a virtual table stands behind its definition.
      return definedName(sql) === this.name || sql.startsWith(`INSERT INTO ${identifier(this.name)}(`)
    if (file !== '40-schema.sql') return false
    if (sql.startsWith(reindex)) {
      const [name] = firstTokens(sql.slice(reindex.length))
      return this.objects.has(lowerCase(nameOf(name) ?? ''))
    }
    const index = indexIn(sql)
    return index !== undefined && lowerCase(index.table) === lowerCase(this.name)
  }

  /** Learns the names of what is made, and whether and by which name the table counts in `sqlite_sequence`. */
  private note(sql: string): void {
    const made = indexIn(sql)?.index ?? definedName(sql)
    if (made !== undefined) this.objects.add(lowerCase(made))
    const definition = this.patched(sql, 'sql=', parseText) ?? (definedName(sql) === this.name ? sql : '')
    if ([...tokens(definition)].some((token) => isWord(token, 'AUTOINCREMENT'))) this.isAutoincrement = true
    const bytes = this.patched(sql, 'name=', firstLiteral)
    if (bytes !== undefined) this.sequenceNames.add(bytes)
  }

  /** What a change of the table's row of `sqlite_schema` sets first, if it is that; undefined for other statements. */
  private patched(sql: string, column: string, read: (values: string) => string): string | undefined {
    const start = `UPDATE sqlite_schema SET ${column}`
    const end = ` WHERE type='table' AND name=${textLiteral(this.name)};`
    if (!sql.startsWith(start) || !sql.endsWith(end)) return undefined
    return read(sql.slice(start.length, -end.length))
  }

  /** The statements that bring the table's rows of `sqlite_sequence` back; other tables may have made it in the dump. */
  private sequence(all: readonly string[]): string[] {
    const rows = all
      .filter((sql) => sql.startsWith('INSERT INTO "sqlite_sequence"('))
      .flatMap((sql) => this.ownRows(sql))
    if (rows.length === 0 && !this.isAutoincrement) return []
    return [
      'PRAGMA writable_schema=ON;',
      'CREATE TABLE IF NOT EXISTS sqlite_sequence(name,seq);',
      'PRAGMA writable_schema=OFF;',
      'DELETE FROM sqlite_sequence;',
      ...rows,
    ]
  }

  private ownRows(sql: string): string[] {
    const path = '90-close.sql'
    const content = Buffer.from(`${sql}\n`)
    const header = parseRowHeader(content, path)
    const lines: Buffer[] = []
    checkRows(content, header, path, (start, end) => {
      const [name = ''] = rowLiterals(content, start, 1)
      if (this.sequenceNames.has(name)) lines.push(Buffer.from(`,${content.toString('utf8', start, end)}\n`))
    })
    const head = Buffer.from(rowHeader(header.table, header.columns))
    return lines.length === 0 ? [] : [rowFile(head, lines).toString('utf8')]
  }
}

const reindex = 'REINDEX main.'

function firstLiteral(values: string): string {
  const bytes = Buffer.from(values)
  return bytes.toString('utf8', 0, literalEnd(bytes, 0))
}

/** The names in `CREATE [UNIQUE] INDEX [IF NOT EXISTS] index ON table`; undefined for other statements. */
export function indexIn(sql: string): { index: string; table: string } | undefined {
  const words: Token[] = []
  for (const token of tokens(sql)) if (words.push(token) === 9) break
  for (const [at, optional] of [
    [1, ['UNIQUE']],
    [2, ['IF', 'NOT', 'EXISTS']],
  ] as const)
    if (optional.every((word, index) => isWord(words[at + index], word))) words.splice(at, optional.length)
  const [create, kind, index, on, table] = words
  if (!isWord(create, 'CREATE') || !isWord(kind, 'INDEX') || !isWord(on, 'ON')) return undefined
  return { index: nameOf(index) ?? '', table: nameOf(table) ?? '' }
}

/** How the scripts' last definitions make a virtual table that holds no rows of its own; undefined where they do not. */
export function indexWithoutRows(
  statements: readonly string[],
  name: string,
): 'rebuilt' | 'exact' | undefined {
  const row = `INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table',${textLiteral(name)},`
  if (statements.some((sql) => sql.startsWith(row))) return 'exact'
  const isVirtual = (sql: string) => isWord(firstTokens(sql)[1], 'VIRTUAL')
  return statements.some((sql) => definedName(sql) === name && isVirtual(sql)) ? 'rebuilt' : undefined
}
