import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { changeSampleApp, createSampleApp } from '../../demo/sample-app.ts'
import { assetContent, databaseContent, query, rowCounts, temporaryDir } from './content.ts'

const TABLES = ['folders', 'bookmarks', 'tags', 'bookmark_tags', 'attachments', 'settings']

describe('createSampleApp', () => {
  it('makes the same rows and the same files at every run', () => {
    const one = sampleApp(createSampleApp)
    const other = sampleApp(createSampleApp)
    expect(databaseContent(join(one, 'app.db'))).toEqual(databaseContent(join(other, 'app.db')))
    expect(assetContent(one)).toEqual(assetContent(other))
  })

  it('makes a few thousand rows and some forty files in under two seconds', () => {
    const started = performance.now()
    const dir = sampleApp(createSampleApp)
    expect(performance.now() - started).toBeLessThan(2000)
    expect(readdirSync(dir).sort()).toEqual(['app.db', 'attachments', 'icons', 'settings.json'])
    expect(rowCounts(join(dir, 'app.db'), TABLES)).toEqual({
      folders: 12,
      bookmarks: 2000,
      tags: 47,
      bookmark_tags: 5023,
      attachments: 40,
      settings: 12,
    })
    expect(countBelow(dir, 'attachments')).toBe(40)
    expect(countBelow(dir, 'icons')).toBe(8)
  })

  it('makes a sound WAL database with its settings and its full-text index', () => {
    const file = join(sampleApp(createSampleApp), 'app.db')
    expectSound(file)
    query(file, (db) => {
      expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
      expect(db.pragma('user_version', { simple: true })).toBe(7n)
      expect(db.pragma('application_id', { simple: true })).toBe(0x424d524bn)
      expect(scalar(db, `SELECT count(*) > 0 FROM bookmarks_fts WHERE bookmarks_fts MATCH 'brulee'`)).toBe(1n)
      expect(scalar(db, 'SELECT count(*) FROM tag_counts')).toBe(47n)
    })
  })

  it('stores whole numbers as integers and ratings as reals', () => {
    query(join(sampleApp(createSampleApp), 'app.db'), (db) => {
      const classes = `SELECT DISTINCT typeof(folder_id) || typeof(unread) || typeof(modified) FROM bookmarks`
      expect(db.prepare(classes).pluck().all()).toEqual(['integerintegerinteger'])
      const ratings = 'SELECT DISTINCT typeof(rating) FROM bookmarks ORDER BY 1'
      expect(db.prepare(ratings).pluck().all()).toEqual(['null', 'real'])
    })
  })

  it('keeps a sequence that is ahead of the largest id', () => {
    query(join(sampleApp(createSampleApp), 'app.db'), (db) => {
      expect(scalar(db, 'SELECT max(id) FROM bookmarks')).toBe(2000n)
      expect(scalar(db, `SELECT seq FROM sqlite_sequence WHERE name = 'bookmarks'`)).toBe(2005n)
    })
  })

  it('leaves an existing data directory as it is', () => {
    const dir = sampleApp(createSampleApp)
    const before = databaseContent(join(dir, 'app.db'))
    expect(() => createSampleApp(dir)).toThrow('already exists')
    expect(databaseContent(join(dir, 'app.db'))).toEqual(before)
  })
})

describe('changeSampleApp', () => {
  it('makes the same changes at every run, without a trace of the clock', () => {
    const one = sampleApp(createSampleApp, changeSampleApp)
    const other = sampleApp(createSampleApp, changeSampleApp)
    expect(databaseContent(join(one, 'app.db'))).toEqual(databaseContent(join(other, 'app.db')))
    expect(assetContent(one)).toEqual(assetContent(other))
    query(join(one, 'app.db'), (db) => {
      expect(scalar(db, `SELECT datetime(max(modified), 'unixepoch') FROM bookmarks`)).toMatch(/^2024-03-0/)
    })
  })

  it('adds 12 bookmarks, changes 3 and removes 1', () => {
    const before = bookmarks(sampleApp(createSampleApp))
    const after = bookmarks(sampleApp(createSampleApp, changeSampleApp))
    const added = [...after.keys()].filter((id) => !before.has(id))
    const removed = [...before.keys()].filter((id) => !after.has(id))
    const changed = [...after].filter(([id, row]) => before.has(id) && before.get(id) !== row)
    expect([added.length, removed.length, changed.length]).toEqual([12, 1, 3])
    expect(changed.filter(([, row]) => row.includes('tell the others'))).toHaveLength(1)
  })

  it('adds two attachments, rewrites settings.json and touches no other file', () => {
    const before = assetContent(sampleApp(createSampleApp))
    const after = assetContent(sampleApp(createSampleApp, changeSampleApp))
    const unchanged = new Set(before.map(String))
    const paths = after.filter((asset) => !unchanged.has(String(asset))).map(([path]) => path)
    expect(paths).toEqual([
      'attachments/2024/03/0041-notes.txt',
      'attachments/2024/03/0042-scan.bin',
      'settings.json',
    ])
    expect(after).toHaveLength(before.length + 2)
  })

  it('leaves a sound database whose WAL is checkpointed', () => {
    const dir = sampleApp(createSampleApp, changeSampleApp)
    expect(readdirSync(dir).filter((name) => name.startsWith('app.db'))).toEqual(['app.db'])
    expectSound(join(dir, 'app.db'))
    expect(rowCounts(join(dir, 'app.db'), TABLES)).toEqual({
      folders: 12,
      bookmarks: 2011,
      tags: 47,
      bookmark_tags: 5056,
      attachments: 42,
      settings: 12,
    })
  })

  it('leaves an application whose trigger stamps the time of an update', () => {
    const dir = sampleApp(createSampleApp, changeSampleApp)
    const db = new Database(join(dir, 'app.db'))
    try {
      db.exec('UPDATE bookmarks SET unread = 1 - unread WHERE id = 1')
      const modified = db.prepare('SELECT modified FROM bookmarks WHERE id = 1').pluck().get() as number
      expect(Math.abs(modified - Date.now() / 1000)).toBeLessThan(60)
    } finally {
      db.close()
    }
  })
})

function sampleApp(...steps: ((dir: string) => void)[]): string {
  const dir = join(temporaryDir(), 'data')
  for (const step of steps) step(dir)
  return dir
}

function countBelow(dir: string, folder: string): number {
  return assetContent(dir).filter(([path]) => path.startsWith(`${folder}/`)).length
}

function bookmarks(dir: string): Map<number, string> {
  return query(join(dir, 'app.db'), (db) => {
    const rows = db.prepare('SELECT * FROM bookmarks').raw().all() as unknown[][]
    return new Map(rows.map((row) => [Number(row[0]), row.join('|')]))
  })
}

function expectSound(file: string): void {
  // The full-text check is a write, so it needs a connection that may write.
  const db = new Database(file)
  try {
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    expect(db.pragma('foreign_key_check')).toEqual([])
    expect(() => {
      db.exec(`INSERT INTO bookmarks_fts(bookmarks_fts, rank) VALUES ('integrity-check', 1)`)
    }).not.toThrow()
  } finally {
    db.close()
  }
}

function scalar(db: Database.Database, sql: string): unknown {
  return db.prepare(sql).pluck().get()
}
