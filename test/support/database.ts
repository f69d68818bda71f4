/** Real databases for tests: made from SQL, dumped, replayed by us and by stock sqlite3, and compared bit by bit. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import { legible, type Original } from '../../src/dump/legible.ts'
import { pathPart } from '../../src/dump/names.ts'
import { definedName } from '../../src/dump/script.ts'
import { statements } from '../../src/dump/tokens.ts'
import { dumpDatabase } from '../../src/sqlite/dump.ts'
import type { DumpFile } from '../../src/sqlite/dump-rows.ts'
import { makeLegible } from '../../src/sqlite/make-legible.ts'
import type { DumpOptions } from '../../src/sqlite/plan-dump.ts'
import { replayDump } from '../../src/sqlite/replay.ts'
import { ReplayThread } from '../../src/sqlite/replay-thread.ts'
import { tempDir } from './temp.ts'

const defaults: DumpOptions = { excludeTables: [], fullText: 'logical', extensions: [] }

/** Makes a database from SQL with stock sqlite3, which allows double-quoted strings and writable_schema. */
export function databaseFrom(sql: string, file = join(tempDir(), 'source.db')): string {
  execFileSync('sqlite3', ['-bail', file], { input: sql })
  return file
}

/** An application that has a database open. */
export interface Application {
  /** Closes the database as it should be. */
  end(): Promise<void>
  /** Dies in the middle. */
  kill(): Promise<void>
}

/**
 * Runs SQL in a process of its own, which then keeps the database open as it is until the test ends. (This process
 * would lose its locks as soon as it reads the file.)
 */
export async function openApplication(file: string, sql: string): Promise<Application> {
  const shell = spawn('sqlite3', ['-bail', file], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = once(shell, 'close')
  shell.stdin.on('error', () => {})
  const application = {
    end: async () => {
      shell.stdin.end()
      await closed
    },
    kill: async () => {
      shell.kill('SIGKILL')
      await closed
    },
  }
  onTestFinished(application.kill)
  shell.stdin.write(`${sql};\n.print ready\n`)
  let said = ''
  for await (const text of shell.stdout) {
    said += String(text)
    if (said.includes('ready\n')) return application
  }
  throw new Error(`sqlite3 ended with: ${said}`)
}

/** The files of a dump in replay order. */
export function dumpFile(file: string, options: Partial<DumpOptions> = {}): DumpFile[] {
  const { db, originals } = openLegible(file)
  try {
    return dumpOpen(db, options, originals)
  } finally {
    db.close()
  }
}

/** A private copy of a database with a legible schema, and what that was. */
function openLegible(file: string): { db: Database.Database; originals: Original[] } {
  const path = join(tempDir(), 'legible.db')
  copyFileSync(file, path)
  const db = new Database(path)
  db.unsafeMode(true)
  return { db, originals: makeLegible(db) }
}

/** `dumpFile` for an open connection. */
export function dumpOpen(
  db: Database.Database,
  options: Partial<DumpOptions> = {},
  originals: readonly Original[] = [],
): DumpFile[] {
  const files = [...dumpDatabase(db, { ...defaults, ...options }, originals)]
  return files.sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
}

/** The whole dump as one text. */
export function dumpText(file: string, options: Partial<DumpOptions> = {}): string {
  return dumpFile(file, options)
    .map(({ path, content }) => `-- ${path}\n${content.toString('utf8')}`)
    .join('')
}

/** The tables that the scripts of a dump define, each of which can be replayed alone. */
export function definedTables(files: DumpFile[]): string[] {
  const text = String(files.find(({ path }) => path === '20-tables.sql')?.content)
  const dropped = /^DROP TABLE "encoding"/m.test(text) ? ['encoding'] : []
  return statements(text)
    .map(({ sql }) => definedName(sql.trimStart()))
    .filter((name) => name !== undefined)
    .filter((name) => !dropped.includes(name))
}

/** It has replayed; one that has failed is of no use. */
let idleThread: ReplayThread | undefined

/** Replays a dump with our replay, all of it or only one table, and returns the new file. */
export async function replayed(files: DumpFile[], table?: string): Promise<string> {
  const target = join(tempDir(), 'replayed.db')
  const rows = table === undefined ? '30-rows/' : `30-rows/${pathPart(table)}/`
  const copies = async function* () {
    for (const { path, content } of files)
      if (!path.startsWith('30-rows/') || path.startsWith(rows)) yield { path, content: Buffer.from(content) }
  }
  const thread = idleThread ?? new ReplayThread()
  idleThread = undefined
  try {
    await replayDump(thread, copies(), target, [], () => {}, table)
  } catch (error) {
    await thread.end()
    throw error
  }
  idleThread = thread
  return target
}

/** Replays a dump with stock sqlite3 and returns the new file. */
export function replayedByStock(files: DumpFile[]): string {
  const target = join(tempDir(), 'stock.db')
  execFileSync('sqlite3', ['-bail', target], { input: Buffer.concat(files.map(({ content }) => content)) })
  return target
}

/** Everything a database holds, with storage classes and bits, as lines: two equal lists are equal databases. */
export function allFacts(file: string): string[] {
  return factsWhere(file, () => true)
}

/** `allFacts` with the content of full-text indexes and R-trees in place of the tables behind them. */
export function facts(file: string): string[] {
  return factsWhere(file, (name, shadows) => !shadows.has(name))
}

function factsWhere(
  file: string,
  include: (table: string, shadows: ReadonlySet<string>) => boolean,
): string[] {
  const { db, originals } = openLegible(file)
  try {
    const lines = headerFacts(db)
    lines.push(...originals.map((original) => JSON.stringify(original)))
    const objects = db
      .prepare('SELECT tbl_name, type, hex(name), hex(tbl_name), hex(sql) FROM sqlite_schema ORDER BY 2, 3')
      .raw()
      .all() as string[][]
    const shadows = new Set(
      (db.pragma('table_list') as { type: string; name: string }[])
        .filter(({ type }) => type === 'shadow')
        .map(({ name }) => name),
    )
    const kept = objects.filter(([table]) => include(table as string, shadows))
    lines.push(...kept.map((row) => JSON.stringify(row.slice(1))))
    for (const name of tableNames(db)) if (include(name, shadows)) lines.push(...rowFacts(db, name))
    for (const name of virtualNames(db)) lines.push(...virtualFacts(db, name))
    return lines
  } finally {
    db.close()
  }
}

/**
 * What a database holds of one table, under the legible name that the dump has for it: the settings of the header, definition,
 * indexes, rows and place in `sqlite_sequence`; and what `PRAGMA integrity_check` says of it.
 */
export function tableFacts(file: string, table: string): string[] {
  const { db } = openLegible(file)
  try {
    // Where nothing else is illegible, a character of the plane that stands for bytes is legible, too.
    const isNamed = (name: string) => name === table || legible(Buffer.from(name)) === table
    const name = [...tableNames(db), ...virtualNames(db)].find(isNamed) as string
    const virtual = virtualNames(db).includes(name)
    const objects = schemaBytes(file).filter(
      ({ tableName }) => legible(tableName) === legible(Buffer.from(table)),
    )
    return [
      ...headerFacts(db),
      ...objects.map((object) => JSON.stringify(object)),
      ...(virtual ? virtualFacts(db, name) : rowFacts(db, name)),
      ...sequenceFacts(
        db,
        objects.filter(({ type }) => type === 'table').map((object) => object.name),
      ),
      ...checkFacts(db, name),
    ]
  } finally {
    db.close()
  }
}

interface ObjectBytes {
  type: string
  name: Buffer
  tableName: Buffer
  sql: Buffer
}

/** The tables and indexes as they are stored; texts in UTF-8. */
function schemaBytes(file: string): ObjectBytes[] {
  const db = new Database(file, { readonly: true })
  const text = (column: string) =>
    db.pragma('encoding', { simple: true }) === 'UTF-8' ? `CAST(${column} AS BLOB)` : column
  try {
    const rows = db
      .prepare(
        `SELECT type, ${text('name')}, ${text('tbl_name')}, ${text("coalesce(sql,'')")} FROM sqlite_schema WHERE type IN ('table','index') ORDER BY 1, 2`,
      )
      .raw()
      .all() as [string, string | Buffer, string | Buffer, string | Buffer][]
    return rows.map(([type, ...texts]) => {
      const [name, tableName, sql] = texts.map((one) => Buffer.from(one as Buffer)) as [
        Buffer,
        Buffer,
        Buffer,
      ]
      return { type, name, tableName, sql }
    })
  } finally {
    db.close()
  }
}

/** The tables of a database but those that belong to it, to `table` or to a module. */
export function otherObjects(file: string, table: string): unknown[] {
  const { db } = openLegible(file)
  try {
    const shadows = `SELECT name FROM pragma_table_list WHERE type='shadow'`
    const objects = db
      .prepare(
        `SELECT tbl_name, type, name FROM sqlite_schema WHERE tbl_name NOT IN (${shadows}) AND name<>'sqlite_sequence'`,
      )
      .raw()
      .all() as string[][]
    return objects.filter(([name = '']) => name !== table && legible(Buffer.from(name)) !== table)
  } finally {
    db.close()
  }
}

function sequenceFacts(db: Database.Database, names: Buffer[]): string[] {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='sqlite_sequence'").get() === undefined) return []
  const rows = db
    .prepare(
      "SELECT CAST(CAST(name AS TEXT)||'' AS BLOB), quote(seq), typeof(name) FROM sqlite_sequence ORDER BY rowid",
    )
    .raw()
    .all() as [Buffer | null, string, string][]
  const inUtf8 = (name: Buffer) =>
    db.pragma('encoding', { simple: true }) === 'UTF-8' ? name : utf16(db, name)
  return rows
    .filter(([name]) => name !== null && names.some((one) => inUtf8(one).equals(name)))
    .map(([, seq, type]) => `sequence ${type} ${seq}`)
}

function utf16(db: Database.Database, name: Buffer): Buffer {
  return db.prepare('SELECT CAST(? AS BLOB)').pluck().get(name.toString()) as Buffer
}

function checkFacts(db: Database.Database, table: string): string[] {
  try {
    const found = db.pragma(`integrity_check(${JSON.stringify(table)})`) as { integrity_check: string }[]
    return found.map(({ integrity_check: text }) => text)
  } catch (error) {
    return [String(error)]
  }
}

function headerFacts(db: Database.Database): string[] {
  const names = ['encoding', 'page_size', 'auto_vacuum', 'user_version', 'application_id', 'journal_mode']
  return names.map((name) => `${name} ${db.pragma(name, { simple: true })}`)
}

function virtualNames(db: Database.Database): string[] {
  return db
    .prepare("SELECT name FROM sqlite_schema WHERE type='table' AND rootpage=0 ORDER BY name")
    .pluck()
    .all() as string[]
}

/** The rows that a virtual table shows, and what a full-text index finds. */
function virtualFacts(db: Database.Database, name: string): string[] {
  const quoted = `"${name.replaceAll('"', '""')}"`
  try {
    const rows = db
      .prepare(`SELECT rowid, * FROM ${quoted} ORDER BY 1`)
      .raw()
      .safeIntegers()
      .all() as unknown[][]
    const lines = rows.map(
      (row) =>
        `${name} ${row.map((value) => (Buffer.isBuffer(value) ? value.toString('hex') : `${typeof value} ${String(value)}`)).join('|')}`,
    )
    const isFts = /using\s+fts/i.test(
      db.prepare('SELECT sql FROM sqlite_schema WHERE name=?').pluck().get(name) as string,
    )
    if (isFts && !/vocab/.test(name)) {
      for (const word of ['dogs', 'run', 'hello', 'words', 'two', 'abc', 'x']) {
        const found = db.prepare(`SELECT rowid FROM ${quoted} WHERE ${quoted} MATCH ?`).pluck().all(word)
        lines.push(`${name} MATCH ${word}: ${found.join(' ')}`)
      }
    }
    return lines
  } catch {
    return []
  }
}

function tableNames(db: Database.Database): string[] {
  return db
    .prepare("SELECT name FROM sqlite_schema WHERE type='table' AND rootpage>0 ORDER BY name")
    .pluck()
    .all() as string[]
}

function rowFacts(db: Database.Database, table: string): string[] {
  const quoted = `"${table.replaceAll('"', '""')}"`
  const info = db.pragma(`table_xinfo(${quoted})`) as { name: string; hidden: number }[]
  const names = info.filter(({ hidden }) => hidden !== 2).map(({ name }) => name)
  const withoutRowid = (db.pragma(`table_list(${quoted})`) as { wr: number }[])[0]?.wr === 1
  const rowid = ['rowid', '_rowid_', 'oid'].find(
    (name) => !names.some((other) => other.toLowerCase() === name),
  )
  const isSystem = table.startsWith('sqlite_')
  const columns = names.map((name) => `"${name.replaceAll('"', '""')}"`)
  const rows = db
    .prepare(
      `SELECT ${columns.map((name) => `CASE typeof(${name}) WHEN 'text' THEN CAST(${name} AS BLOB) WHEN 'blob' THEN hex(${name}) ELSE ${name} END`).join(',')} FROM ${quoted} ${withoutRowid ? keyIndex(db, quoted) : 'NOT INDEXED'}`,
    )
    .raw()
    .safeIntegers()
    .all() as unknown[][]
  const lines = rows.map((row) => `${table} ${row.map(valueFact).join(' ')}`)
  if (isSystem) return lines.sort()
  if (!rowid || withoutRowid) return lines
  const rowids = db.prepare(`SELECT ${rowid} FROM ${quoted} NOT INDEXED`).pluck().safeIntegers().all()
  return lines.map((line, index) => `${rowids[index]}: ${line}`)
}

/** SQLite may read a WITHOUT ROWID table from another index that covers it, in the order of that one. */
function keyIndex(db: Database.Database, table: string): string {
  const indexes = db.pragma(`index_list(${table})`) as { name: string; origin: string }[]
  const name = indexes.find(({ origin }) => origin === 'pk')?.name ?? ''
  return `INDEXED BY "${name.replaceAll('"', '""')}"`
}

/** A value with its storage class and bits: text comes as bytes, blobs as hexadecimal text. */
function valueFact(value: unknown): string {
  if (Buffer.isBuffer(value)) return `t${value.toString('hex')}`
  if (typeof value === 'number') {
    const bits = Buffer.alloc(8)
    bits.writeDoubleBE(value)
    return `r${bits.toString('hex')}`
  }
  return `${typeof value} ${String(value)}`
}
