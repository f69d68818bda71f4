import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type BenchChange, changeBenchDatabase, createBenchDatabase } from '../../bench/sample-data.ts'
import { databaseContent, query, rowCounts, temporaryDir } from '../demo/content.ts'

const TABLES = ['article_tag', 'article', 'media_item', 'measurement', 'thumbnail', 'preference']

describe('createBenchDatabase', () => {
  it.each([1, 7.5, 20])('makes a sound database of %d MB, give or take a tenth', (megabytes) => {
    const file = benchDatabase(megabytes)
    expect(Math.abs(statSync(file).size / 1e6 / megabytes - 1)).toBeLessThan(0.1)
    expect(query(file, (db) => db.pragma('integrity_check', { simple: true }))).toBe('ok')
    expect(query(file, (db) => db.pragma('journal_mode', { simple: true }))).toBe('wal')
  })

  it('makes the same rows from the same seed and others from another', () => {
    const content = databaseContent(benchDatabase(1))
    expect(databaseContent(benchDatabase(1))).toEqual(content)
    expect(databaseContent(benchDatabase(1, 9))).not.toEqual(content)
  })

  it('stores numbers in the class that their column declares', () => {
    query(benchDatabase(1), (db) => {
      const classes = (sql: string) => db.prepare(sql).pluck().all()
      expect(classes('SELECT DISTINCT typeof(tag_id) FROM article_tag')).toEqual(['integer'])
      expect(classes('SELECT DISTINCT typeof(run_time_ticks) FROM media_item')).toEqual(['integer'])
      expect(classes('SELECT DISTINCT typeof(level) FROM measurement')).toEqual(['real'])
      expect(classes('SELECT DISTINCT typeof(image) FROM thumbnail')).toEqual(['blob'])
    })
  })

  it('puts more than one line into a fifth of the notes', () => {
    query(benchDatabase(7.5), (db) => {
      const share = `SELECT avg(instr(notes, char(10)) > 0) FROM article WHERE notes IS NOT NULL`
      const ofAll = db.prepare(share).pluck().get() as number
      expect(ofAll).toBeGreaterThan(0.17)
      expect(ofAll).toBeLessThan(0.23)
    })
  })
})

describe('changeBenchDatabase', () => {
  it('updates 100 rows and appends 200 as a small change', () => {
    const { before, after, changedRows } = changed('small')
    expect(changedRows).toBe(100)
    expect(sum(after) - sum(before)).toBe(200)
  })

  it('updates about one row in a hundred and appends none as a change of a percent', () => {
    const { before, after, changedRows } = changed('percent')
    expect(after).toEqual(before)
    expect(changedRows / sum(before)).toBeCloseTo(0.01, 2)
  })

  it('adds a column with a default to the articles', () => {
    const file = benchDatabase(1)
    changeBenchDatabase(file, 'column')
    query(file, (db) => {
      expect(db.prepare('SELECT DISTINCT language FROM article').pluck().all()).toEqual(['en'])
    })
  })
})

function benchDatabase(megabytes: number, seed?: number): string {
  const file = join(temporaryDir(), 'bench.db')
  createBenchDatabase(file, megabytes, seed)
  return file
}

/** The row counts on both sides of a change, and how many rows of before differ after it. */
function changed(kind: BenchChange) {
  const [old, file] = [benchDatabase(5), benchDatabase(5)]
  changeBenchDatabase(file, kind)
  const changedRows = query(file, (db) => {
    db.prepare('ATTACH ? AS old').run(old)
    const missing = (table: string) =>
      `SELECT count(*) FROM (SELECT * FROM old.${table} EXCEPT SELECT * FROM main.${table})`
    return sum(TABLES.map((table) => Number(db.prepare(missing(table)).pluck().get())))
  })
  return { before: rowCounts(old, TABLES), after: rowCounts(file, TABLES), changedRows }
}

function sum(counts: Record<string, number> | number[]): number {
  return Object.values(counts).reduce((total, count) => total + count, 0)
}
