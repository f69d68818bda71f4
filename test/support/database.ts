/** Real databases for tests: made from SQL, dumped, replayed by us and by stock sqlite3, and compared bit by bit. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import type { Original } from '../../src/dump/legible.ts'
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

/** Replays a dump with our replay and returns the new file. */
export async function replayed(files: DumpFile[]): Promise<string> {
  const target = join(tempDir(), 'replayed.db')
  const copies = async function* () {
    for (const { path, content } of files) yield { path, content: Buffer.from(content) }
  }
  const thread = new ReplayThread()
  try {
    await replayDump(thread, copies(), target)
  } finally {
    await thread.end()
  }
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
    const lines = [
      'encoding',
      'page_size',
      'auto_vacuum',
      'user_version',
      'application_id',
      'journal_mode',
    ].map((name) => `${name} ${db.pragma(name, { simple: true })}`)
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
