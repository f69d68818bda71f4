/**
 * What the files around the rows may hold: pure. Replay runs only statements that pass here; whatever else a
 * repository holds, it cannot make a replay do.
 */

import { constants } from 'node:buffer'
import { RowbackError } from '../errors.ts'
import { identifier, isUtf8 } from './literal.ts'
import { parseText } from './parse-literal.ts'
import { checkRows, parseRowHeader, rowFooter } from './rows.ts'
import { firstTokens, isWord, nameOf, type Statement, statements, type Token } from './tokens.ts'
import { parseVirtual } from './virtual.ts'

/** The files of a database's dump, in replay order; row files come between `20-tables` and `40-schema`. */
export const scriptFiles = ['10-open.sql', '20-tables.sql', '40-schema.sql', '90-close.sql'] as const
export type ScriptFile = (typeof scriptFiles)[number]

const name = '"[^"]*(?:""[^"]*)*"'
const marker = '\\\\(?:[rn]|x0[AD]|u000[AD])'
const textFrom = (start: string) =>
  `(?:replace\\(){0,2}'${start}[^']*(?:''[^']*)*'(?:,'${marker}',char\\(1[03]\\)\\)){0,2}`
const text = textFrom('')
const autoIndex = textFrom('sqlite_autoindex_')
const bytes = `(?:${text}|CAST\\(X'[0-9A-F]*' AS TEXT\\))`

/** Statements that Rowback itself words, by the file that they stand in. */
const worded: Record<ScriptFile, RegExp[]> = {
  '10-open.sql': [
    /^PRAGMA encoding='UTF-(?:8|16le|16be)'$/,
    /^PRAGMA page_size=\d{3,5}$/,
    /^PRAGMA auto_vacuum=[012]$/,
    /^PRAGMA foreign_keys=OFF$/,
    /^PRAGMA ignore_check_constraints=ON$/,
    /^BEGIN$/,
  ],
  '20-tables.sql': [/^DROP TABLE "encoding"$/],
  '40-schema.sql': [
    /^PRAGMA writable_schema=(?:ON|RESET)$/,
    new RegExp(
      `^UPDATE sqlite_schema SET name=${autoIndex},sql=NULL WHERE type='index' AND name=${autoIndex}$`,
    ),
    new RegExp(`^REINDEX main\\.${name}$`),
    /^REINDEX$/,
  ],
  '90-close.sql': [
    /^ANALYZE sqlite_schema$/,
    /^DROP TABLE IF EXISTS sqlite_stat4$/,
    /^PRAGMA writable_schema=(?:ON|OFF)$/,
    /^CREATE TABLE IF NOT EXISTS sqlite_(?:sequence|stat[1-4])\([a-zA-Z,]*\)$/,
    /^DELETE FROM sqlite_sequence$/,
    /^PRAGMA (?:user_version|application_id)=-?\d{1,10}$/,
    /^COMMIT$/,
    /^PRAGMA journal_mode=(?:WAL|DELETE)$/,
  ],
}

/** What may be said to a virtual table, right behind its definition: a setting, or to index its content. */
const command = new RegExp(
  `^INSERT INTO (${name})\\(\\1(?:,"rank"\\) VALUES\\('[a-z]+',(?:-?[0-9]+|'[^']*(?:''[^']*)*')\\)|\\) VALUES\\('rebuild'\\))$`,
)

/** The text of a file of a dump. Throws a `dump` error naming `path` where it is too long, no UTF-8 or holds NUL. */
export function dumpText(content: Buffer, path: string): string {
  if (content.length > constants.MAX_STRING_LENGTH) throw refusal(path, `a text of ${content.length} bytes`)
  if (!isUtf8(content) || content.includes(0)) throw refusal(path, 'bytes that are no text')
  return content.toString('utf8')
}

/** The statements of a file with their semicolons, each checked; throws a `dump` error naming `path` and the statement's start. */
export function checkScript(file: ScriptFile, content: string, path: string): string[] {
  let virtual: string | undefined
  return statements(content).map((statement) => {
    const sql = statement.sql.replace(/^\n/, '')
    const commanded = match(command, sql)?.[1]
    const isFit =
      commanded === undefined
        ? isAllowed(file, { ...statement, sql }, path)
        : virtual !== undefined && commanded === identifier(virtual)
    if (!statement.ended || !isFit) throw refusal(path, JSON.stringify(excerpt(sql)))
    // Anything between could make another statement of the command: a view of that name, a trigger behind its tables.
    if (commanded === undefined) virtual = isVirtualTable({ sql }) ? definedName(sql) : undefined
    return `${sql};`
  })
}

/** The name that a `CREATE TABLE` or `CREATE VIRTUAL TABLE` defines, undefined for other text. */
export function definedName(sql: string): string | undefined {
  const [create, second, third, fourth] = firstTokens(sql)
  if (!isWord(create, 'CREATE')) return undefined
  return isWord(second, 'VIRTUAL') ? nameOf(fourth) : nameOf(third)
}

function refusal(path: string, what: string): RowbackError {
  return new RowbackError('dump', `read dump: ${path} holds what a dump may not hold: ${what}`)
}

function excerpt(sql: string): string {
  return sql.length > 80 ? `${sql.slice(0, 80)}…` : sql
}

/** What the pattern finds in a statement. V8's stack is too small for millions of doubled quotes: no dump has them. */
function match(pattern: RegExp, sql: string): RegExpExecArray | null {
  try {
    return pattern.exec(sql)
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}

function isAllowed(file: ScriptFile, statement: Statement, path: string): boolean {
  if (worded[file].some((pattern) => match(pattern, statement.sql) !== null)) return true
  if (file === '20-tables.sql') return isTable(statement.tokens) || isVirtualTable(statement)
  if (file === '90-close.sql') return isSystemRows(statement.sql, path)
  return file === '40-schema.sql' && (isDefinition(statement) || isPatch(statement.sql))
}

/** Rows of `sqlite_sequence` or of statistics. */
function isSystemRows(sql: string, path: string): boolean {
  if (!/^INSERT INTO "sqlite_(?:sequence|stat[1-4])"\(/.test(sql)) return false
  const content = Buffer.from(`${sql}${rowFooter}`)
  return checkRows(content, parseRowHeader(content, path), path) > 0
}

function isDefinition(statement: Statement): boolean {
  const [create, second, third] = statement.tokens
  if (!isWord(create, 'CREATE')) return false
  const isUnique = isWord(second, 'UNIQUE')
  const kind = isUnique ? third : second
  if (!['INDEX', 'VIEW', 'TRIGGER'].some((word) => isWord(kind, word))) return isVirtualTable(statement)
  return !isQualified(statement.tokens.slice(isUnique ? 3 : 2))
}

/**
 * Whether a name, and what may stand before it, begins with that of a database. SQLite stores none, and finds a view or
 * trigger of `temp` where a later statement means an object of the dump.
 */
function isQualified(parts: readonly Token[]): boolean {
  const words = ['IF', 'NOT', 'EXISTS']
  const at = words.every((word, index) => isWord(parts[index], word)) ? words.length : 0
  return parts[at + 1]?.text.startsWith('.') ?? false
}

/** `CREATE TABLE name (`: no database name, no TEMP, no AS SELECT. */
function isTable(parts: readonly Token[]): boolean {
  return (
    isWord(parts[0], 'CREATE') &&
    isWord(parts[1], 'TABLE') &&
    nameOf(parts[2]) !== undefined &&
    parts[3]?.text === '('
  )
}

/** SQLite never stores these words, but reads them where somebody wrote them into `sqlite_schema`. */
function withoutIfNotExists(parts: readonly Token[]): readonly Token[] {
  const words = ['IF', 'NOT', 'EXISTS']
  return words.every((word, index) => isWord(parts[index + 2], word)) ? parts.toSpliced(2, 3) : parts
}

const modules = new Set(['fts3', 'fts4', 'fts5', 'rtree', 'rtree_i32'])

function isVirtualTable({ sql }: Pick<Statement, 'sql'>): boolean {
  const definition = parseVirtual(sql)
  return definition !== undefined && modules.has(definition.module) && !isQualified(firstTokens(sql).slice(3))
}

const setSql = new RegExp(
  `^UPDATE sqlite_schema SET sql=(${text}) WHERE type='(table|index)' AND name=${text}$`,
)
const addRow = new RegExp(
  `^INSERT INTO sqlite_schema\\("type","name","tbl_name","rootpage","sql"\\) VALUES\\('(table|view|trigger)',(${text}),(${text}),0,(${text})\\)$`,
)

const setBytes = new RegExp(
  `^UPDATE sqlite_schema SET name=${bytes},tbl_name=${bytes},sql=(?:NULL|(${bytes})) WHERE type='(table|index|view|trigger)' AND name=${text}$`,
)

/** A change of `sqlite_schema` that stores a definition of the kind it says. */
function isPatch(sql: string): boolean {
  const original = match(setBytes, sql)
  if (original) return original[1] === undefined || isOriginal(original[2] as string, original[1])
  const found = match(setSql, sql)
  if (found) return isStored(found[2] as string, parseText(found[1] as string))
  const added = addedObject(sql)
  return added !== undefined && isStored(added.type === 'table' ? 'virtual' : added.type, added.sql)
}

/** A row of `sqlite_schema` that a statement without its semicolon inserts; undefined for other statements. */
export function addedObject(
  statement: string,
): { type: string; name: string; table: string; sql: string } | undefined {
  const found = match(addRow, statement)
  if (!found) return undefined
  const [, type = '', ...texts] = found
  const [name = '', table = '', sql = ''] = texts.map(parseText)
  return { type, name, table, sql }
}

/** SQLite takes each byte from 0x80 on for a letter, as the tokens take each character. */
function isOriginal(kind: string, definition: string): boolean {
  const read = definition.startsWith('CAST(')
    ? Buffer.from(definition.slice("CAST(X'".length), 'hex').toString('latin1')
    : parseText(definition)
  return isStored(kind, read) || (kind === 'table' && isStored('virtual', read))
}

function isStored(kind: string, definition: string): boolean {
  const parts = firstTokens(definition)
  if (kind === 'virtual') return parseVirtual(definition) !== undefined
  if (kind === 'table') return isTable(withoutIfNotExists(parts))
  if (!isWord(parts[0], 'CREATE')) return false
  return isWord(parts[isWord(parts[1], 'UNIQUE') ? 2 : 1], kind.toUpperCase())
}
