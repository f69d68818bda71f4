/**
 * The grammars against SQLite itself: what the parsers accept, SQLite reads as the same values and as one statement;
 * what they do not accept is refused with a `dump` error. ROWBACK_FUZZ sets the number of runs.
 */

import Database from 'better-sqlite3'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Encoding, literal, type Value } from '../../src/dump/literal.ts'
import { parseLiteral } from '../../src/dump/parse-literal.ts'
import { checkRows, parseRowHeader, rowHeader, rowLiterals } from '../../src/dump/rows.ts'
import { checkScript, dumpText, type ScriptFile, scriptFiles } from '../../src/dump/script.ts'
import { RowbackError } from '../../src/errors.ts'

const runs = Number(process.env.ROWBACK_FUZZ ?? 2500)

/** What the grammars are made of, and what somebody would put there. */
const fragments = [
  ...[
    "'",
    "''",
    '"',
    '""',
    ',',
    '(',
    ')',
    ';',
    '\n',
    '\n,',
    ' ',
    '\t',
    '\v',
    '\f',
    '\r',
    '\0',
    '\ufeff',
    '\u2028',
    '\ufffe',
    'é',
    '\u{1f600}',
  ],
  ...[
    'NULL',
    'null',
    'TRUE',
    "X'",
    "x'",
    "X'00FF'",
    'CAST(',
    ' AS TEXT)',
    ' AS INTEGER)',
    'replace(',
    'replace(replace(',
  ],
  ...[
    ",'\\n',char(10))",
    ",'\\r',char(13))",
    ",'\\x0A',char(10))",
    ",'\\u000D',char(13))",
    ",'',char(10))",
    ",'x',char(0))",
    '\\n',
    '\\r',
  ],
  ...[
    '0',
    '-',
    '-0',
    '1',
    '00',
    '0x1',
    '1.',
    '.5',
    '1.5',
    '9e999',
    'e+21',
    'e-7',
    '1_0',
    '9223372036854775807',
    '9223372036854775808',
  ],
  ...[
    '*2.0',
    '/4611686018427387904.0',
    '0.1000000000000000055',
    '4.35',
    '9007199254740993.0',
    '*',
    '/',
    '||',
    '+',
    '--',
    '/*',
    '*/',
  ],
  ...[
    'SELECT 1',
    'x',
    '?',
    '$a',
    ':a',
    '@a',
    '#',
    '[',
    ']',
    '`',
    'char(10)',
    'zeroblob(9)',
    'INSERT INTO ',
    ' VALUES\n',
    '$a(',
    '::',
  ],
]

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 8 }),
  fc
    .array(fc.constantFrom('a', "'", '\n', '\r', '\\n', '\\x0A', '\\u000A', '\\r', ',', ')', 'é', '\0'), {
      maxLength: 8,
    })
    .map((parts) => parts.join('')),
)

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.integer().map(BigInt),
  fc.double({ noNaN: true }),
  fc
    .tuple(fc.integer({ min: -(10 ** 9), max: 10 ** 9 }), fc.integer({ min: 0, max: 9 }))
    .map(([mantissa, digits]) => mantissa / 10 ** digits),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
  fc.uint8Array({ maxLength: 6 }).map((bytes) => ({ text: Buffer.from(bytes) })),
  text.map((written) => ({ text: Buffer.from(written) })),
)

const part = fc.integer({ min: 0, max: 9999 }).map((count) => count / 10_000)

/** A change of some bytes: others in the place of up to six at a spot that is given as a part of the whole. */
const edit = fc.record({
  at: part,
  remove: fc.integer({ min: 0, max: 6 }),
  insert: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...fragments).map((fragment) => Buffer.from(fragment)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 2 }).map((bytes) => Buffer.from(bytes)) },
  ),
})
const edits = fc.oneof(
  { weight: 1, arbitrary: fc.constant([]) },
  { weight: 6, arbitrary: fc.array(edit, { minLength: 1, maxLength: 3 }) },
)

function edited(bytes: Buffer, changes: readonly { at: number; remove: number; insert: Buffer }[]): Buffer {
  return changes.reduce((content, { at, remove, insert }) => {
    const spot = Math.floor(at * content.length)
    // Half of them behind the end of a word or a statement, where they do most.
    const start = spot % 2 === 0 ? spot : Math.max(0, content.indexOf(spot % 4 === 1 ? ' ' : ';', spot)) + 1
    return Buffer.concat([content.subarray(0, start), insert, content.subarray(start + remove)])
  }, bytes)
}

/** What the work gives, or undefined where it refuses its input as no dump; nothing else may be thrown. */
function unlessRefused<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (error instanceof RowbackError && error.code === 'dump') return undefined
    throw error
  }
}

/** The storage class and the bits of a value. */
function fact(read: Value): string {
  if (read === null) return 'null'
  if (typeof read === 'bigint') return `integer ${read}`
  if (Buffer.isBuffer(read)) return `blob ${read.toString('hex')}`
  if (typeof read === 'object') return `text ${read.text.toString('hex')}`
  const bits = Buffer.alloc(8)
  bits.writeDoubleBE(read)
  return `real ${bits.toString('hex')}`
}

/** The rows as our parser reads them. */
function parsedRows(content: Buffer, encoding: Encoding): string[][] {
  const header = parseRowHeader(content, 'x')
  const rows: string[][] = []
  checkRows(content, header, 'x', (start) => {
    rows.push(rowLiterals(content, start).map((written) => fact(parseLiteral(written, encoding))))
  })
  return rows
}

/** The rows as SQLite reads them. */
function insertedRows(content: Buffer, columns: number, encoding: Encoding): string[][] {
  const db = new Database(':memory:')
  try {
    db.exec(
      `PRAGMA encoding='${encoding}'; CREATE TABLE t(${Array.from({ length: columns }, (_, index) => `c${index}`).join(',')})`,
    )
    const statement = db.prepare(content.toString('utf8'))
    statement.run()
    const shown = Array.from(
      { length: columns },
      (_, index) =>
        `typeof(c${index}),CASE typeof(c${index}) WHEN 'text' THEN CAST(c${index} AS BLOB) ELSE c${index} END`,
    )
    const rows = db
      .prepare(`SELECT ${shown.join(',')} FROM t ORDER BY rowid`)
      .raw()
      .safeIntegers()
      .all() as unknown[][]
    return rows.map((row) =>
      Array.from({ length: columns }, (_, index) => {
        const [type, read] = [row[2 * index], row[2 * index + 1]]
        return fact(type === 'text' ? { text: read as Buffer } : (read as Value))
      }),
    )
  } finally {
    db.close()
  }
}

describe('a row file that is accepted', () => {
  test('holds the values that SQLite reads from it, and one that is not is refused as such.', () => {
    let accepted = 0
    const files = fc.record({
      rows: fc.integer({ min: 1, max: 3 }).chain((columns) =>
        fc.array(fc.array(value, { minLength: columns, maxLength: columns }), {
          minLength: 1,
          maxLength: 3,
        }),
      ),
      changes: edits,
      encoding: fc.constantFrom<Encoding>('UTF-8', 'UTF-8', 'UTF-16le', 'UTF-16be'),
    })
    fc.assert(
      fc.property(files, ({ rows, changes, encoding }) => {
        const names = Array.from({ length: rows[0]?.length ?? 0 }, (_, index) => `c${index}`)
        const header = rowHeader('t', names)
        const lines = rows.map((row) => `(${row.map((item) => literal(item, encoding)).join(',')})\n`)
        const body = edited(Buffer.from(` ${lines.join(',')};\n`), changes)
        const content = Buffer.concat([Buffer.from(header), body])
        const parsed = unlessRefused(() => parsedRows(content, encoding))
        if (changes.length === 0) expect(parsed).toBeDefined()
        if (parsed === undefined) return
        accepted += 1
        expect(insertedRows(content, names.length, encoding)).toEqual(parsed)
      }),
      { numRuns: runs },
    )
    expect(accepted).toBeGreaterThan(runs / 10)
  })

  test('holds no decimal that SQLite rounds to another double.', () => {
    let accepted = 0
    const digits = (maxLength: number) =>
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 1, maxLength })
    const decimals = fc.oneof(
      fc
        .tuple(
          digits(17),
          digits(20),
          fc.oneof(
            fc.constant(''),
            fc.integer({ min: -330, max: 310 }).map((exponent) => `e${exponent < 0 ? '' : '+'}${exponent}`),
          ),
        )
        .map(([whole, fraction, exponent]) => `${whole.replace(/^0+(?=\d)/, '')}.${fraction}${exponent}`),
      // Just above the middle between two doubles, by a digit that a parser may leave out.
      fc
        .tuple(fc.bigInt({ min: 2n ** 52n, max: 2n ** 53n - 1n }), fc.nat({ max: 20 }))
        .map(([half, zeros]) => `${2n * half + 1n}.${'0'.repeat(zeros)}1`),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
    )
    fc.assert(
      fc.property(fc.array(decimals, { minLength: 1, maxLength: 20 }), (written) => {
        for (const decimal of written) {
          const content = Buffer.from(`${rowHeader('t', ['c0'])} (${decimal})\n;\n`)
          const parsed = unlessRefused(() => parsedRows(content, 'UTF-8'))
          if (parsed === undefined) continue
          accepted += 1
          expect(insertedRows(content, 1, 'UTF-8')).toEqual(parsed)
        }
      }),
      { numRuns: runs / 10 },
    )
    expect(accepted).toBeGreaterThan(runs / 50)
  })

  test('is one statement into the table and the columns that its header names.', () => {
    const name = fc.oneof(
      fc.constantFrom('t', 'a b', '"', "'", ');--', '/*', '\n', 'é'),
      fc.string({ maxLength: 5 }).map((given) => given.replaceAll('\0', '')),
    )
    fc.assert(
      fc.property(name, name, edits, (table, column, changes) => {
        const content = edited(Buffer.from(`${rowHeader(table, [column])} (1)\n;\n`), changes)
        const header = unlessRefused(() => {
          const found = parseRowHeader(content, 'x')
          checkRows(content, found, 'x')
          return found
        })
        if (header === undefined || /^sqlite_/i.test(header.table)) return
        const db = new Database(':memory:')
        try {
          const quoted = (given: string) => `"${given.replaceAll('"', '""')}"`
          const distinct = new Set(header.columns.map((given) => given.toLowerCase()))
          if (distinct.size < header.columns.length) return
          db.exec(`CREATE TABLE ${quoted(header.table)}(${header.columns.map(quoted).join(',')})`)
          expect(db.prepare(content.toString('utf8')).run().changes).toBeGreaterThan(0)
        } finally {
          db.close()
        }
      }),
      { numRuns: runs },
    )
  })
})

/** Scripts to begin with: statements that a dump has, and some that it has not. */
const statements: Record<ScriptFile, string[]> = {
  '10-open.sql': [
    "PRAGMA encoding='UTF-8';\n",
    'PRAGMA page_size=4096;\n',
    'PRAGMA foreign_keys=OFF;\n',
    'BEGIN;\n',
  ],
  '20-tables.sql': [
    'CREATE TABLE t(a, b);\n',
    'CREATE TABLE "x;y"(a /* ; */);\n',
    "CREATE VIRTUAL TABLE f USING fts5(a, content='');\n",
    'INSERT INTO "f"("f","rank") VALUES(\'pgsz\',64);\n',
  ],
  '40-schema.sql': [
    'CREATE INDEX i ON t(a);\n',
    'CREATE VIEW v AS SELECT \'a;b\' AS "c;d" -- ;\n;\n',
    'CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; DELETE FROM t; END;\n',
    'PRAGMA writable_schema=ON;\n',
    "UPDATE sqlite_schema SET sql='CREATE TABLE t(a, b)' WHERE type='table' AND name='t';\n",
    'REINDEX main."t";\n',
  ],
  '90-close.sql': [
    'ANALYZE sqlite_schema;\n',
    'DELETE FROM sqlite_sequence;\n',
    'PRAGMA user_version=0;\n',
    'COMMIT;\n',
    'PRAGMA journal_mode=WAL;\n',
    'INSERT INTO "sqlite_sequence"("name","seq") VALUES\n (\'t\',1)\n;\n',
  ],
}
const hostile = [
  ...[
    "ATTACH 'x' AS y;",
    'VACUUM;',
    'DELETE FROM t;',
    'SELECT 1;',
    'END;',
    '\ufeffEND;',
    ' \vEND;',
    '/*',
    '*/',
    '--',
    ';',
    'BEGIN ',
    'CASE ',
    ' END',
    ' TRIGGER ',
    'CREATE ',
  ],
].map((fragment) => Buffer.from(fragment))

/** What each accepted statement begins with. */
const listed =
  /^\s*(?:--[^\n]*\n|\/\*[\s\S]*?\*\/|\s|\ufeff)*(?:PRAGMA (?:encoding|page_size|auto_vacuum|foreign_keys|ignore_check_constraints|writable_schema|user_version|application_id|journal_mode)=|BEGIN|COMMIT|CREATE|UPDATE sqlite_schema SET |REINDEX main\.|INSERT INTO "|INSERT INTO sqlite_schema\(|ANALYZE sqlite_schema|DROP TABLE IF EXISTS sqlite_stat4|DELETE FROM sqlite_sequence)/i

test('a script that is accepted holds listed statements only, and SQLite sees their ends where we do.', () => {
  let accepted = 0
  const scripts = fc.record({
    file: fc.constantFrom(...scriptFiles),
    picks: fc.array(fc.nat(), { minLength: 1, maxLength: 4 }),
    changes: fc.array(
      fc.record({
        at: part,
        remove: fc.oneof(
          { weight: 3, arbitrary: fc.constant(0) },
          { weight: 1, arbitrary: fc.integer({ min: 0, max: 6 }) },
        ),
        insert: fc.oneof(
          { weight: 2, arbitrary: fc.constantFrom(...hostile) },
          { weight: 1, arbitrary: fc.constantFrom(...fragments.map((fragment) => Buffer.from(fragment))) },
        ),
      }),
      { maxLength: 3 },
    ),
  })
  const db = new Database(':memory:')
  db.unsafeMode(true)
  db.exec('CREATE TABLE t(a, b, id INTEGER PRIMARY KEY AUTOINCREMENT); ANALYZE')
  fc.assert(
    fc.property(scripts, ({ file, picks, changes }) => {
      const chosen = picks.map((pick) => statements[file][pick % statements[file].length] as string)
      const content = edited(Buffer.from(chosen.join('')), changes)
      const found = unlessRefused(() => checkScript(file, dumpText(content, 'x'), 'x'))
      if (found === undefined) return
      for (const sql of found) {
        accepted += 1
        expect(sql).toMatch(listed)
        expect(statementError(db, sql)).not.toMatch(/more than one statement|contains no statements/)
      }
    }),
    { numRuns: runs },
  )
  db.close()
  expect(accepted).toBeGreaterThan(runs / 10)
})

/** What SQLite says against a statement; empty where it is one that could run. */
function statementError(db: Database.Database, sql: string): string {
  try {
    db.prepare(sql)
    return ''
  } catch (error) {
    return String(error)
  }
}
