/** A database that is damaged between two backups is refused, however little of it the second one reads. */

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { cellPayload } from '../../src/sqlite/btree.ts'
import { databaseFrom } from '../support/database.ts'
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

describe('A backup of what changed refuses', () => {
  for (const [name, { sql, damage }] of Object.entries(cases))
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
