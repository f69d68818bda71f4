/** A database that is damaged between two backups is refused, however little of it the second one reads. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { cellPayload } from '../../src/sqlite/btree.ts'
import { databaseFrom } from '../support/database.ts'
import { git } from '../support/git.ts'
import { tempDir } from '../support/temp.ts'

const pageSize = 4096

/** The bytes of a page of a database, for a test to change. */
function pageOf(bytes: Buffer, page: number): Buffer {
  return bytes.subarray((page - 1) * pageSize, page * pageSize)
}

/** The pages of a table or index, of one type, in key order. */
function pagesOf(file: string, name: string, type: 'leaf' | 'internal' | 'overflow' = 'leaf'): number[] {
  return query(file, 'SELECT pageno FROM dbstat WHERE name=? AND pagetype=? ORDER BY path', name, type)
}

function query(file: string, sql: string, ...parameters: unknown[]): number[] {
  const db = new Database(file)
  try {
    return db
      .prepare(sql)
      .pluck()
      .all(...parameters) as number[]
  } finally {
    db.close()
  }
}

function tree(repository: string): string {
  return git(repository, ['rev-parse', 'main^{tree}'])
}

function run(file: string, sql: string): void {
  const db = new Database(file)
  db.exec(sql)
  db.close()
}

function spoil(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file)
  change(bytes)
  writeFileSync(file, bytes)
}

/** Where the number of the first overflow page of a leaf's cell stands. */
function overflowPointer(leaf: Buffer, cell: number): number {
  const { local } = cellPayload(leaf, 0, cell, pageSize)
  return local.byteOffset + local.length - leaf.byteOffset
}

/** What makes a database that is backed up, and what happens to it then. */
interface Case {
  sql: string
  damage(file: string): void
}

const ids = (count: number): string =>
  `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${count})`

/** Rows with overflow pages, an index with some, and free pages. */
const longRows = `CREATE TABLE gone(b); INSERT INTO gone VALUES (zeroblob(30000));
  CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); CREATE INDEX t_v ON t(v);
  ${ids(40)} INSERT INTO t SELECT i, hex(randomblob(3000)) FROM n; DROP TABLE gone;`

/** Lets the chain of the table's first row go on with another page. */
function leadTo(choose: (file: string) => number | undefined): (file: string) => void {
  return (file) => {
    const [leaf, target] = [pagesOf(file, 't')[0], choose(file)] as [number, number]
    expect(target).toBeGreaterThan(1)
    spoil(file, (bytes) => {
      const page = pageOf(bytes, leaf)
      page.writeUInt32BE(target, overflowPointer(page, 0))
    })
  }
}

const cases: Record<string, Case> = {
  'an overflow chain that leads into that of another row': {
    sql: longRows,
    damage: leadTo((file) => pagesOf(file, 't', 'overflow').at(-1)),
  },
  'an overflow chain that leads to a free page': {
    sql: longRows,
    damage: leadTo((file) => readFileSync(file).readUInt32BE(32)),
  },
  'an overflow chain that leads to a page of an index': {
    sql: longRows,
    damage: leadTo((file) => pagesOf(file, 't_v').at(-1)),
  },
  'an overflow chain that leads to a page of overflow of an index': {
    sql: longRows,
    damage: leadTo((file) => pagesOf(file, 't_v', 'overflow').at(-1)),
  },
  'an overflow chain that leads to a pointer map': {
    sql: `PRAGMA auto_vacuum=FULL; ${longRows}`,
    damage: leadTo(() => 2),
  },
  'a page above leaves that was not written': {
    sql: `CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT); ${ids(200)} INSERT INTO t SELECT i, hex(randomblob(300)) FROM n;`,
    damage: (file) => {
      const root = pagesOf(file, 't', 'internal')[0] as number
      const before = pageOf(readFileSync(file), root)
      run(file, `${ids(100)} INSERT INTO t SELECT 200+i, hex(randomblob(300)) FROM n`)
      spoil(file, (bytes) => before.copy(pageOf(bytes, root)))
    },
  },
}

/** A table of that key. */
const keyed = (key: string): string =>
  `CREATE TABLE t(k TEXT, v, ${key}) WITHOUT ROWID; ${ids(2000)} INSERT INTO t SELECT printf('key%05d', i), hex(randomblob(40)) FROM n;`

/** Puts one leaf over another, or two in the place of each other. */
function misplace(exchange: boolean): (file: string) => void {
  return (file) => {
    const leaves = pagesOf(file, 't')
    spoil(file, (bytes) => {
      const [one, other] = [pageOf(bytes, leaves[3] as number), pageOf(bytes, leaves[5] as number)]
      const before = Buffer.from(other)
      one.copy(other)
      if (exchange) before.copy(one)
    })
  }
}

/** Lets a cell of a leaf be there twice, in the place of the next. */
function doubleCell(file: string): void {
  const leaf = pagesOf(file, 't')[3] as number
  spoil(file, (bytes) => {
    const page = pageOf(bytes, leaf)
    page.copy(page, 8 + 2 * 5, 8 + 2 * 4, 8 + 2 * 5)
  })
}

const inKeyOrder: Record<string, Case> = {
  'a page of rows that stands twice': { sql: keyed('PRIMARY KEY(k)'), damage: misplace(false) },
  'pages of rows that have changed places': { sql: keyed('PRIMARY KEY(k)'), damage: misplace(true) },
  'a page of rows that stands twice, where equal rows replace each other': {
    sql: keyed('PRIMARY KEY(k) ON CONFLICT REPLACE'),
    damage: misplace(false),
  },
  'pages that have changed places, in a key that falls': {
    sql: keyed('PRIMARY KEY(k DESC)'),
    damage: misplace(true),
  },
  'pages that have changed places, in a key of several columns': {
    sql: `CREATE TABLE t(a INT, b TEXT COLLATE NOCASE, v, PRIMARY KEY(a, b)) WITHOUT ROWID;
      ${ids(2000)} INSERT INTO t SELECT i/900, printf('Key%05d', i), hex(randomblob(40)) FROM n;`,
    damage: misplace(true),
  },
  'pages that have changed places, in UTF-16': {
    sql: `PRAGMA encoding='UTF-16le'; ${keyed('PRIMARY KEY(k)')}`,
    damage: misplace(true),
  },
  'pages that have changed places, beside an index': {
    sql: `${keyed('PRIMARY KEY(k)')} CREATE UNIQUE INDEX t_v ON t(v, k);`,
    damage: misplace(true),
  },
  'a row that stands twice': { sql: keyed('PRIMARY KEY(k)'), damage: doubleCell },
}

/** Names of many rows, and statements after which the first page of the table stays as it was. */
function keepFirst(change: string): Case {
  return {
    sql: `CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT UNIQUE, v); ${ids(3000)} INSERT INTO t SELECT i, 'n'||i, hex(randomblob(200)) FROM n;`,
    damage: (file) => {
      const first = pagesOf(file, 't')[0] as number
      const before = pageOf(readFileSync(file), first)
      run(file, `BEGIN; ${change}; COMMIT`)
      spoil(file, (bytes) => before.copy(pageOf(bytes, first)))
    },
  }
}

const inUniqueIndex: Record<string, Case> = {
  'a page that was not written, with a name that a row has by now': keepFirst(
    `UPDATE t SET name='tmp' WHERE id=5; UPDATE t SET name='n5' WHERE id=2000; UPDATE t SET name='n2000' WHERE id=5`,
  ),
  'a page that was not written, with a row whose name another row has by now': keepFirst(
    `DELETE FROM t WHERE id=5; INSERT INTO t VALUES (4000, 'n5', 0)`,
  ),
  'a page that is older than the last backup, with a name that a row has by now': {
    ...keepFirst(''),
    damage: (file) => {
      // As if the page of row 5 had been there since its name was another.
      run(file, `UPDATE t SET name='zz' WHERE id=5`)
      const first = pagesOf(file, 't')[0] as number
      const before = pageOf(readFileSync(file), first)
      run(file, `UPDATE t SET name='n5' WHERE id=5; UPDATE t SET name='zz' WHERE id=2000`)
      spoil(file, (bytes) => before.copy(pageOf(bytes, first)))
    },
  },
}

describe('A backup of what changed, and one of all, refuses', () => {
  for (const [name, { sql, damage }] of Object.entries({ ...cases, ...inKeyOrder, ...inUniqueIndex }))
    test(`${name}.`, async () => {
      const dir = tempDir()
      const source = databaseFrom(sql, join(dir, 'app.db'))
      const repository = join(dir, 'repo.git')
      const options = { source, repository, hook: false }
      await backup(options)
      damage(source)
      const refusal = { code: 'source', message: expect.stringMatching(/it is corrupt: /) }
      await expect(backup(options)).rejects.toMatchObject(refusal)
      await expect(backup({ ...options, repository: join(dir, 'new.git') })).rejects.toMatchObject(refusal)
    })
})

/** Which byte of a record of a unique index is damaged: the tables behind it are whole, and come back. */
const recordBytes = { 'the size of its header': [0, 0x7f], 'the type of its rowid': [2, 0] } as const

for (const [what, [at, byte]] of Object.entries(recordBytes))
  test(`A backup reads the whole table where a record of its unique index is damaged: ${what}.`, async () => {
    const sql = `CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT UNIQUE); ${ids(20_000)} INSERT INTO t SELECT i, 'u'||i FROM n`
    const [source, repository] = [databaseFrom(sql, join(tempDir(), 'app.db')), join(tempDir(), 'repo.git')]
    await backup({ source, repository, hook: false })
    const leaf = pagesOf(source, 'sqlite_autoindex_t_1').at(-1) as number
    spoil(source, (bytes) => {
      const page = pageOf(bytes, leaf)
      const { local } = cellPayload(page, 0, 1, pageSize)
      page[local.byteOffset - page.byteOffset + at] = byte
    })
    run(source, "UPDATE t SET u='new' WHERE id=7")
    await backup({ source, repository, hook: false })
    const other = join(tempDir(), 'full.git')
    await backup({ source, repository: other, hook: false })
    expect(tree(repository)).toBe(tree(other))
  })

test('A backup takes keys of all kinds, in whatever order SQLite has them.', async () => {
  for (const encoding of ['UTF-8', 'UTF-16le', 'UTF-16be']) {
    const tables = ['BINARY', 'NOCASE', 'RTRIM'].flatMap((collation) =>
      ['', 'DESC'].map((direction) => {
        const name = `"${collation}${direction}"`
        return `CREATE TABLE ${name}(a COLLATE ${collation}, b REAL, PRIMARY KEY(a ${direction}, b, a COLLATE NOCASE)) WITHOUT ROWID;
          INSERT OR IGNORE INTO ${name} SELECT x.v, y.v FROM keys AS x, keys AS y;`
      }),
    )
    const texts = [
      'a',
      'A',
      'a ',
      'a\x01',
      'b',
      "it''s",
      'é',
      'ﬂ',
      '\u{1f600}',
      '_',
      '[',
      'a\nb',
      'a\rb',
      'x\\ny\n',
      '12',
    ]
    const values = [
      ...texts.map((one) => `'${one}'`),
      '1',
      '2.5',
      '-1',
      '9e999',
      '1e300',
      '0.1',
      '9007199254740993',
    ]
    const all = [...values, "x''", "x'00'", "x'00ff'", "CAST(x'6100' AS TEXT)", "CAST(x'ff62' AS TEXT)"]
    const keys = `CREATE TABLE keys(v); INSERT INTO keys VALUES ${all.map((one) => `(${one})`).join(',')};`
    const dir = tempDir()
    const source = databaseFrom(
      `PRAGMA encoding='${encoding}'; ${keys} ${tables.join('')}`,
      join(dir, 'app.db'),
    )
    const { commit } = await backup({
      source,
      repository: join(dir, 'repo.git'),
      hook: false,
      verify: 'always',
    })
    expect(commit).toBeDefined()
  }
})
