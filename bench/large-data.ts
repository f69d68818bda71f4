/** Makes what is large for `large.ts`. IO. Invariant: the same arguments give the same bytes. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Random } from '../demo/random.ts'

/** A database of two tables with so many rows each: rowids count from 1 in the one, texts are the key of the other. */
export function createLongTables(file: string, rows: number): void {
  inDatabase(file, (db) => {
    db.exec(`CREATE TABLE numbered(id INTEGER PRIMARY KEY, value INTEGER);
      CREATE TABLE named(name TEXT PRIMARY KEY, value INTEGER) WITHOUT ROWID;`)
    const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${rows})`
    db.exec(`${numbers} INSERT INTO numbered SELECT i, i*2654435761%1000003 FROM n;
      ${numbers} INSERT INTO named SELECT printf('name %010d', i), i*2654435761%1000003 FROM n;`)
  })
}

/** A database whose second row of three has a value of so many bytes. */
export function createLongRow(file: string, kind: 'blob' | 'text', bytes: number): void {
  const random = new Random(11)
  const value = kind === 'blob' ? random.bytes(bytes) : proseBytes(random, bytes)
  inDatabase(file, (db) => {
    db.exec('CREATE TABLE document(id INTEGER PRIMARY KEY, title TEXT, content)')
    const insert = db.prepare('INSERT INTO document VALUES (?, ?, ?)')
    const long = db.prepare(`INSERT INTO document VALUES (2, 'long', CAST(? AS ${kind.toUpperCase()}))`)
    insert.run(1, 'first', 'short')
    long.run(value)
    insert.run(3, 'last', 'short')
  })
}

/** Words in lines, with quotes and letters of two bytes among them. */
function proseBytes(random: Random, bytes: number): Buffer {
  const words = Array.from({ length: 500 }, () =>
    random.pick(['Ähre', "don't", 'lorem', 'ipsum', '“dolor”', 'a\nb']),
  )
  const prose = Buffer.from(`${words.join(' ')}\n`)
  const text = Buffer.alloc(bytes, prose)
  // A letter that is cut in two would be no text.
  return text.fill('.', bytes - (bytes % prose.length))
}

const BLOB_BYTES = 1e6
const FILE_BYTES = 50e6

/** A data directory with so many bytes that nothing makes smaller: half of them in rows, half in files. */
export function createIncompressible(dir: string, bytes: number): void {
  const random = new Random(12)
  mkdirSync(join(dir, 'media'), { recursive: true })
  inDatabase(join(dir, 'app.db'), (db) => {
    db.exec('CREATE TABLE picture(id INTEGER PRIMARY KEY, content BLOB)')
    const insert = db.prepare('INSERT INTO picture(content) VALUES (?)')
    for (let done = 0; done < bytes / 2; done += BLOB_BYTES) insert.run(random.bytes(BLOB_BYTES))
  })
  const files = Math.max(2, Math.round(bytes / 2 / FILE_BYTES))
  for (let index = 0; index < files; index++)
    writeFileSync(join(dir, 'media', `${index}.bin`), random.bytes(Math.round(bytes / 2 / files)))
}

const FILES_IN_FOLDER = 100

/** A data directory with so many files of 100 B to 10 kB in nested folders, and a small database. */
export function createManyAssets(dir: string, count: number): void {
  const random = new Random(13)
  for (let index = 0; index < count; index++) {
    const folder = manyAssetsFolder(dir, index)
    if (index % FILES_IN_FOLDER === 0) mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, `${index}.bin`), random.bytes(random.integer(100, 10_000)))
  }
  inDatabase(join(dir, 'app.db'), (db) =>
    db.exec('CREATE TABLE icon(path TEXT); INSERT INTO icon VALUES (1)'),
  )
}

/** Writes other bytes into one of those files. */
export function changeOneAsset(dir: string): void {
  const folder = manyAssetsFolder(dir, 0)
  writeFileSync(join(folder, readdirSync(folder)[0] as string), 'changed')
}

function manyAssetsFolder(dir: string, index: number): string {
  const folder = Math.floor(index / FILES_IN_FOLDER)
  return join(dir, 'files', String(Math.floor(folder / 50)), String(folder % 50))
}

/** Throws where the tables of two databases do not hold the same values; their keys are their first columns. */
export function compareDatabases(file: string, other: string): void {
  inDatabase(file, (db) => {
    db.prepare('ATTACH ? AS other').run(other)
    const tables = db
      .prepare("SELECT name FROM main.sqlite_schema WHERE type='table'")
      .pluck()
      .all() as string[]
    for (const table of tables) {
      const columns = db.prepare('SELECT name FROM pragma_table_info(?)').pluck().all(table) as string[]
      const same = columns.flatMap((name) => [
        `a.${name} IS b.${name}`,
        `typeof(a.${name})=typeof(b.${name})`,
      ])
      const joined = `main.${table} a JOIN other.${table} b ON a.${columns[0]}=b.${columns[0]}`
      const counts = db
        .prepare(`SELECT (SELECT count(*) FROM main.${table}), (SELECT count(*) FROM other.${table}),
          (SELECT count(*) FROM ${joined} WHERE ${same.join(' AND ')})`)
        .raw()
        .get() as number[]
      if (new Set(counts).size > 1) throw new Error(`${other}: table ${table} came back different: ${counts}`)
    }
  })
}

function inDatabase(file: string, use: (db: Database.Database) => void): void {
  const db = new Database(file)
  try {
    db.pragma('synchronous=OFF')
    use(db)
  } finally {
    db.close()
  }
}
