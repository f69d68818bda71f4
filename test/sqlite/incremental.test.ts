/** What is rendered of changed pages only is the same as what is rendered of all. */

import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { KnownChunk } from '../../src/dump/reuse.ts'
import { blobOid } from '../../src/git/tree.ts'
import { chunkPath } from '../../src/sqlite/dump-rows.ts'
import { type KnownDatabase, knownDatabase } from '../../src/sqlite/known.ts'
import { openSnapshot } from '../../src/sqlite/snapshot.ts'
import { startDump } from '../../src/sqlite/start-dump.ts'
import { openApplication } from '../support/database.ts'
import { build, database, isSound, quoted, withDatabase } from '../support/random-database.ts'
import { tempDir } from '../support/temp.ts'

interface Dumped {
  /** The id of each file, by path. */
  files: Map<string, string>
  known: KnownDatabase | undefined
  /** Files whose content was rendered. */
  rendered: number
  /** Whether nothing that was known was of use. */
  isWhole: boolean
}

async function dump(file: string, known?: KnownDatabase): Promise<Dumped> {
  const workDir = tempDir()
  const snapshot = await openSnapshot(file, { workDir, busyTimeoutMs: 1000, extensions: [] })
  const options = { excludeTables: [], fullText: 'logical' as const, extensions: [] }
  const running = await startDump(snapshot, file, options, { known })
  const dumped: Dumped = { files: new Map(), known: undefined, rendered: 0, isWhole: running.isWhole }
  const chunks = new Map<string, KnownChunk[]>()
  try {
    let next = await running.files.next()
    for (; !next.done; next = await running.files.next()) {
      const found = next.value
      const oid = 'oid' in found ? found.oid : blobOid(found.content)
      if (!('oid' in found)) dumped.rendered += 1
      dumped.files.set(found.path, oid)
      if (found.table === undefined) continue
      const size = 'oid' in found ? found.size : found.content.length
      const chunk = { path: chunkPath(found.path), oid, size, rows: found.rows }
      chunks.set(found.table, [...(chunks.get(found.table) ?? []), chunk])
    }
    for (const { name, isIrregular } of next.value) {
      if (isIrregular) chunks.delete(name)
      else chunks.set(name, chunks.get(name) ?? [])
    }
    dumped.known = running.seen && knownDatabase(running.seen, chunks)
    return dumped
  } finally {
    await running.stop()
    await snapshot.close()
  }
}

const schema = `
  CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT);
  CREATE INDEX note_title ON note(title);
  CREATE TABLE plain(a, b);
  CREATE TABLE pair(owner INT, name TEXT COLLATE NOCASE, value, PRIMARY KEY(owner, name)) WITHOUT ROWID;
  CREATE TABLE real_key(at REAL, body BLOB, PRIMARY KEY(at)) WITHOUT ROWID;
  CREATE TABLE backwards(k TEXT, v TEXT, PRIMARY KEY(k DESC)) WITHOUT ROWID;
  CREATE TABLE small(id INTEGER PRIMARY KEY, v TEXT);
  CREATE VIRTUAL TABLE search USING fts5(body);
  CREATE VIRTUAL TABLE place USING rtree(id, x0, x1);`

/** Text of about so many bytes that no other row has. */
const text = (seed: string, bytes: string): string =>
  `substr(hex(${seed}*7919)||hex(randomblob(${bytes})),1,${bytes})`

/** Statements that add rows: ids from `from` on. */
function adding(from: number, rows: number): string {
  const ids = `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i+1 FROM n WHERE i<${from + rows - 1})`
  return `
    INSERT OR IGNORE INTO note ${ids} SELECT i*3, ${text('i', '20')}, ${text('i', 'iif(i%50=0,3000,200)')} FROM n;
    INSERT OR IGNORE INTO plain ${ids} SELECT i, ${text('i', '90')} FROM n;
    INSERT OR IGNORE INTO pair ${ids} SELECT i%97, 'Name '||(i*31%100003), ${text('i', 'iif(i%40=0,2500,100)')} FROM n;
    INSERT OR IGNORE INTO real_key ${ids} SELECT i/4.0, randomblob(60) FROM n;
    INSERT OR IGNORE INTO backwards ${ids} SELECT 'k'||(i*17%9973), ${text('i', '50')} FROM n WHERE i%4=0;
    INSERT INTO search(rowid, body) ${ids} SELECT NULL, 'word'||(i%20) FROM n WHERE i%100=0;
    INSERT OR IGNORE INTO place ${ids} SELECT i, i, i+1 FROM n WHERE i%100=0;`
}

const place = fc.integer({ min: 0, max: 9000 })
const few = fc.integer({ min: 1, max: 40 })
const table = fc.constantFrom('note', 'plain', 'pair', 'real_key', 'backwards')

/** One thing that an application, or its owner, does; an error leaves the database as it was. */
const action: fc.Arbitrary<string> = fc.oneof(
  { arbitrary: fc.tuple(place, few).map(([from, rows]) => adding(from, rows * 10)), weight: 3 },
  fc.tuple(place, few).map(([from, rows]) => adding(from + 20_000, rows)),
  // Within the same pages: a value of the same length, in a row or far back in its overflow pages.
  place.map(
    (id) => `UPDATE note SET title=${text('id', 'length(title)')} WHERE id BETWEEN ${id} AND ${id + 9}`,
  ),
  place.map(
    (id) =>
      `UPDATE note SET body=substr(body,1,length(body)-8)||'changed!' WHERE length(body)>2000 AND id>${id}`,
  ),
  place.map(
    (id) =>
      `UPDATE pair SET value=substr(value,1,length(value)-2)||'zz' WHERE length(value)>2000 AND owner>${id % 97}`,
  ),
  fc
    .tuple(table, place, few)
    .map(([name, at, rows]) =>
      name === 'pair' || name === 'real_key' || name === 'backwards'
        ? `DELETE FROM ${name} WHERE ${name === 'pair' ? `owner=${at % 97}` : name === 'real_key' ? `at BETWEEN ${at} AND ${at + rows * 9}` : `k LIKE 'k${at % 10}%'`}`
        : `DELETE FROM ${name} WHERE rowid BETWEEN ${at} AND ${at + rows * 20}`,
    ),
  table.map((name) => `DELETE FROM ${name}`),
  fc.constant('DELETE FROM note WHERE id<=(SELECT id FROM note ORDER BY id LIMIT 1 OFFSET 400)'),
  fc.constant('DELETE FROM plain WHERE rowid>=(SELECT max(rowid)-300 FROM plain)'),
  place.map((id) => `UPDATE note SET id=-id WHERE id BETWEEN ${id} AND ${id + 5}`),
  place.map((n) => `INSERT OR REPLACE INTO small VALUES (${n % 5}, 'v${n}')`),
  fc.constant('DELETE FROM small'),
  fc.constant(`UPDATE note SET title=x'00ff' WHERE id%1000=3`),
  fc.constant('VACUUM'),
  fc.constant('REINDEX'),
  fc.constantFrom(
    'PRAGMA page_size=512; VACUUM',
    'PRAGMA page_size=4096; VACUUM',
    'PRAGMA auto_vacuum=FULL; VACUUM',
  ),
  fc.constantFrom('PRAGMA journal_mode=WAL', 'PRAGMA journal_mode=DELETE'),
  few.map((n) => `ALTER TABLE plain ADD COLUMN c${n} DEFAULT ${n}`),
  fc.constant(
    'DROP TABLE pair; CREATE TABLE pair(owner INT, name TEXT COLLATE NOCASE, value, PRIMARY KEY(owner, name)) WITHOUT ROWID',
  ),
  fc.constant('DROP TABLE note; CREATE TABLE note(title TEXT, id INTEGER PRIMARY KEY, body TEXT)'),
  fc.constant('CREATE INDEX IF NOT EXISTS plain_a ON plain(a)'),
  fc.constant('DROP INDEX IF EXISTS note_title'),
  fc.constant(`INSERT INTO search(search) VALUES ('optimize')`),
  fc.constant('restore'),
)

function act(file: string, first: string, sql: string): void {
  if (sql === 'restore') {
    copyFileSync(first, file)
    return
  }
  const db = new Database(file)
  try {
    db.exec(sql)
  } catch (error) {
    if (!(error instanceof Database.SqliteError)) throw error
  } finally {
    db.close()
  }
}

/** Dumps in full and with what is known, and expects the same files, and the same to be known afterwards. */
async function dumpBoth(
  file: string,
  known: KnownDatabase | undefined,
): Promise<{ full: Dumped; incremental: Dumped }> {
  const [full, incremental] = [await dump(file), await dump(file, known)]
  expect([...incremental.files].sort()).toEqual([...full.files].sort())
  expect(incremental.known).toEqual(full.known)
  // What is sound is never taken for damaged, which would be read as a whole.
  if (known && incremental.known)
    expect(incremental.isWhole).toBe(known.pageSize !== incremental.known.pageSize)
  return { full, incremental }
}

const runs = Number(process.env.ROWBACK_RUNS ?? 12)

test('an incremental dump has the files of a full one, whatever happened in between.', async () => {
  let [kept, all] = [0, 0]
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(512, 1024, 4096),
      fc.array(fc.array(action, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 6 }),
      async (pageSize, rounds) => {
        const dir = tempDir()
        const [file, first] = [join(dir, 'app.db'), join(dir, 'first.db')]
        const db = new Database(file)
        db.exec(`PRAGMA page_size=${pageSize}; ${schema} BEGIN; ${adding(1, 3000)} COMMIT`)
        db.close()
        copyFileSync(file, first)
        let { known } = await dump(file)
        for (const sql of rounds) {
          for (const statement of sql) act(file, first, statement)
          const { full, incremental } = await dumpBoth(file, known)
          known = incremental.known
          kept += full.rendered - incremental.rendered
          all += full.rendered
        }
      },
    ),
    { numRuns: runs },
  )
  // Else it would be a comparison of full dumps.
  expect(kept / all).toBeGreaterThan(0.2)
})

test('a value of the same length far back in a row is seen, of whatever length and in pages of whatever size.', async () => {
  for (const pageSize of [512, 1024, 4096])
    for (const length of [60, 80, 90, 95, 100, 104, 110, 120, 127, 128, 200, 230, 600]) {
      const file = join(tempDir(), 'app.db')
      const db = new Database(file)
      const all = `WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i<50)`
      db.exec(`PRAGMA page_size=${pageSize}; CREATE TABLE t(k INTEGER PRIMARY KEY, v TEXT) WITHOUT ROWID;
        CREATE TABLE u(k INTEGER PRIMARY KEY, v TEXT);
        INSERT INTO t ${all} SELECT i, printf('%0${length}d', i) FROM n; INSERT INTO u SELECT * FROM t`)
      const { known } = await dump(file)
      for (const table of ['t', 'u'])
        db.exec(`UPDATE ${table} SET v=substr(v,1,${length - 6})||'!!!!!!' WHERE k=7`)
      db.close()
      const [full, incremental] = [await dump(file), await dump(file, known)]
      expect({ pageSize, length, files: [...incremental.files] }).toEqual({
        pageSize,
        length,
        files: [...full.files],
      })
    }
})

/** One thing that is done to a table of any schema; `table` and `n` choose which one, and of what in it. */
const anyAction = fc.record({
  what: fc.constantFrom(
    ...[
      'delete',
      'update',
      'update',
      'update',
      'insert',
      'fill',
      'clear',
      'column',
      'index',
      'vacuum',
      'reindex',
    ],
    ...['drop', 'rename', 'sequence', 'definition'],
  ),
  table: fc.nat({ max: 2 }),
  n: fc.nat({ max: 50 }),
})

/** Does that, as far as the schema lets it: what SQLite refuses leaves the database as it was. */
function actOnAny(file: string, { what, table, n }: { what: string; table: number; n: number }): void {
  withDatabase(file, (db) => {
    db.pragma('ignore_check_constraints=ON')
    const tables = db
      .prepare(`SELECT name, wr FROM pragma_table_list WHERE type='table' AND schema='main'
      AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`)
      .all() as { name: string; wr: number }[]
    const found = tables[table % Math.max(1, tables.length)]
    if (found === undefined) return
    const [name, key] = [quoted(found.name), found.wr === 1 ? '"key"' : 'oid']
    const columns = db
      .prepare('SELECT name FROM pragma_table_xinfo(?) WHERE hidden=0')
      .pluck()
      .all(found.name)
    const stored = (columns as string[]).map(quoted)
    const column = stored[n % stored.length] as string
    const statements: Record<string, string> = {
      delete: `DELETE FROM ${name} WHERE ${key}%7=${n % 7}`,
      update: `UPDATE OR IGNORE ${name} SET ${column}=iif(${key}%2,NULL,'changed '||${n}) WHERE ${key}%${1 + (n % 9)}=0`,
      insert: `INSERT OR IGNORE INTO ${name}(${stored}) SELECT ${stored} FROM ${name} LIMIT ${n + 1}`,
      fill: `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${n * 20})
        INSERT OR IGNORE INTO ${name}(${stored}) SELECT ${stored.map((_, at) => (at === 0 ? 'i+9000' : "'filler '||i"))} FROM n`,
      clear: `DELETE FROM ${name}`,
      column: `ALTER TABLE ${name} ADD COLUMN "added ${n}" DEFAULT ${n}`,
      index: `CREATE INDEX IF NOT EXISTS "index ${n}" ON ${name}(${column} DESC)`,
      vacuum: 'VACUUM',
      reindex: 'REINDEX',
      drop: `DROP TABLE ${name}`,
      rename: `ALTER TABLE ${name} RENAME TO "renamed ${n}"`,
      sequence: `UPDATE sqlite_sequence SET seq=seq+${n}`,
      definition: `PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql=sql||' --${n}' WHERE type='view'; PRAGMA writable_schema=RESET`,
    }
    try {
      db.exec(statements[what] as string)
    } catch (error) {
      if (!(error instanceof Database.SqliteError)) throw error
    }
  })
}

test('so it is of any schema, with the last writes in the WAL of an application or not.', async () => {
  let [kept, all] = [0, 0]
  await fc.assert(
    fc.asyncProperty(
      database,
      fc.boolean(),
      fc.array(fc.array(anyAction, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 4 }),
      async (spec, isOpen, rounds) => {
        const file = build(spec)
        fc.pre(isSound(file))
        const application = isOpen
          ? await openApplication(
              file,
              'PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; SELECT count(*) FROM sqlite_schema',
            )
          : undefined
        try {
          let { known } = await dump(file)
          for (const actions of rounds) {
            for (const one of actions) actOnAny(file, one)
            if (!isSound(file)) return
            const { full, incremental } = await dumpBoth(file, known)
            known = incremental.known
            kept += full.rendered - incremental.rendered
            all += full.rendered
          }
        } finally {
          await application?.end()
        }
      },
    ),
    { numRuns: runs * 3 },
  )
  expect(kept / all).toBeGreaterThan(0.05)
})
