/**
 * Random schemas and rows: what a dump brings back, whatever their history. For a long search:
 * PROPERTY_RUNS=5000 npx vitest run test/sqlite/property.test.ts
 */

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dumpDatabase } from '../../src/sqlite/dump.ts'
import type { DumpFile } from '../../src/sqlite/dump-rows.ts'
import { planDump, rowSources } from '../../src/sqlite/plan-dump.ts'
import { renderer } from '../../src/sqlite/render.ts'
import {
  definedTables,
  dumpFile,
  dumpOpen,
  facts,
  otherObjects,
  replayed,
  replayedByStock,
  tableFacts,
} from '../support/database.ts'
import {
  build,
  type DatabaseSpec,
  database,
  forward,
  isSound,
  withDatabase,
} from '../support/random-database.ts'

const runs = Number(process.env.PROPERTY_RUNS ?? 60)

// What fails is told as far as it is made smaller by then; a test that runs out of time tells nothing.
if (process.env.PROPERTY_RUNS === undefined)
  fc.configureGlobal({ interruptAfterTimeLimit: 100_000, markInterruptAsFailure: true })

const options = { excludeTables: [], fullText: 'logical' as const, extensions: [] }

/** A dump as one text, to be compared. */
function asText(files: readonly DumpFile[]): string[] {
  return files.map(({ path, content, rows }) => `${path} ${rows}\n${content.toString('utf8')}`)
}

/** The rows that are in a built database, so that they can be inserted anew in any order. */
function keptRows(spec: DatabaseSpec): DatabaseSpec {
  const distinct = spec.tables.map((table) => {
    const seen = new Set<bigint>()
    return {
      ...table,
      columns: table.columns.map((column) => ({ ...column, unique: false })),
      rows: table.rows.filter(({ rowid }) => rowid < 1000n && !seen.has(rowid) && seen.add(rowid)),
    }
  })
  return { ...spec, tables: distinct, indexes: spec.indexes.filter(({ form }) => form !== 'unique') }
}

describe('any database', () => {
  it('comes back bit by bit, by our replay and by stock sqlite3, and gives the same dump again', async () => {
    await fc.assert(
      fc.asyncProperty(database, async (spec) => {
        const source = build(spec)
        fc.pre(isSound(source))
        const files = dumpFile(source)
        const wanted = facts(source)
        const copy = await replayed(files)
        expect(facts(copy)).toEqual(wanted)
        expect(asText(dumpFile(copy))).toEqual(asText(files))
        expect(facts(replayedByStock(files))).toEqual(wanted)
      }),
      { numRuns: runs },
    )
  })

  it('gives each of its tables back alone as it is among the others', async () => {
    await fc.assert(
      fc.asyncProperty(database, async (spec) => {
        const source = build(spec)
        fc.pre(isSound(source))
        const files = dumpFile(source)
        const whole = await replayed(files)
        for (const table of definedTables(files)) {
          const alone = await replayed(files, table)
          expect(tableFacts(alone, table)).toEqual(tableFacts(whole, table))
          expect(otherObjects(alone, table)).toEqual([])
        }
      }),
      { numRuns: Math.ceil(runs / 4) },
    )
  })

  it('has the same rows whether SQLite renders them or they are rendered value by value', () => {
    fc.assert(
      fc.property(database, (spec) => {
        withDatabase(build({ ...spec, encoding: 'UTF-8' }, forward), (db) => {
          const planned = planDump(db, options)
          for (const source of rowSources(planned)) {
            const [pages, pass] = [source, { ...source, pages: false }].map((from) => {
              const batches = [...renderer(db, from, 'UTF-8')()]
              return {
                lines: Buffer.concat(batches.map(({ lines }) => lines)).toString('utf8'),
                lengths: batches.flatMap(({ ends }) => ends.map((end, at) => end - (ends[at - 1] ?? 0))),
                irregular: batches.some(({ irregular }) => irregular > 0),
              }
            })
            expect(pages).toEqual(pass)
          }
        })
      }),
      { numRuns: runs },
    )
  })

  it('gives the same dump whatever the order of its inserts, after VACUUM, REINDEX and freed pages', () => {
    fc.assert(
      fc.property(database, fc.infiniteStream(fc.nat()), (given, stream) => {
        const spec = keptRows(given)
        const source = build(spec)
        fc.pre(isSound(source))
        const shuffled = build(spec, (rows) =>
          forward(rows)
            .map((index) => ({ index, weight: stream.next().value as number }))
            .sort((a, b) => a.weight - b.weight || a.index - b.index)
            .map(({ index }) => index),
        )
        const files = asText(dumpFile(source))
        expect(asText(dumpFile(shuffled))).toEqual(files)
        withDatabase(source, (db) => {
          db.exec('REINDEX; CREATE TABLE "freed pages"(x); INSERT INTO "freed pages" VALUES(zeroblob(99999))')
          db.exec('DROP TABLE "freed pages"')
          expect(asText(dumpOpen(db))).toEqual(files)
          // VACUUM gives new rowids to a table without an INTEGER PRIMARY KEY and an index.
          if (spec.tables.some(({ kind }) => kind === 'rowid' || kind === 'ipk desc')) return
          db.exec('VACUUM')
          expect(asText(dumpOpen(db))).toEqual(files)
        })
      }),
      { numRuns: runs },
    )
  })

  it('is dumped the same way twice by one connection', () => {
    fc.assert(
      fc.property(database, (spec) => {
        const source = build(spec)
        fc.pre(isSound(source))
        withDatabase(source, (db) => {
          expect(asText([...dumpDatabase(db, options)])).toEqual(asText([...dumpDatabase(db, options)]))
        })
      }),
      { numRuns: Math.ceil(runs / 6) },
    )
  })
})
