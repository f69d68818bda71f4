// What the tests of sample data compare: all that a database and a directory hold.
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'

// A read-only connection to a WAL database leaves -wal and -shm behind.
const DATABASE_FILE = /\.db(-wal|-shm)?$/

/** A new empty directory, removed when the running test ends. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'rowback-demo-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Calls `read` with a read-only connection whose integers are BigInts. */
export function query<T>(file: string, read: (db: Database.Database) => T): T {
  const db = new Database(file, { readonly: true, fileMustExist: true })
  try {
    return read(db.defaultSafeIntegers())
  } finally {
    db.close()
  }
}

/** Schema, header settings and every row of every table, full-text shadow tables included. */
export function databaseContent(file: string): unknown {
  return query(file, (db) => {
    const schema = db.prepare('SELECT type, name, sql FROM sqlite_schema ORDER BY rowid').raw().all()
    const tables = db.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table'`).pluck().all() as string[]
    const rows = tables.map((table) => [table, db.prepare(`SELECT * FROM "${table}"`).raw().all()])
    return { schema, settings: [db.pragma('user_version'), db.pragma('application_id')], rows }
  })
}

/** The number of rows of each of `tables`. */
export function rowCounts(file: string, tables: readonly string[]): Record<string, number> {
  return query(file, (db) => {
    const count = (table: string) => Number(db.prepare(`SELECT count(*) FROM "${table}"`).pluck().get())
    return Object.fromEntries(tables.map((table) => [table, count(table)]))
  })
}

/** Path, mode, time of change and SHA-256 of each file below `dir` except databases, in path order. */
export function assetContent(dir: string): [path: string, mode: number, mtimeMs: number, sha256: string][] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !DATABASE_FILE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => {
      const { mode, mtimeMs } = statSync(path)
      return [relative(dir, path), mode & 0o777, mtimeMs, sha256(path)]
    })
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
