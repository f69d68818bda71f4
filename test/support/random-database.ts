/** Random databases: names, types, values and definitions that SQLite takes, also those that it had better not. */

import { isDeepStrictEqual } from 'node:util'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { expect } from 'vitest'
import { checkIntegrity } from '../../src/sqlite/integrity.ts'
import { tempDir } from './temp.ts'

/** A value to bind: a text as its bytes in the database's encoding, told from a blob by `text`. */
type BoundValue = null | bigint | number | Buffer | { text: Buffer }

interface ColumnSpec {
  name: string
  type: string
  collation: string
  notNull: string
  generated: '' | 'VIRTUAL' | 'STORED'
  unique: boolean
}

interface TableSpec {
  name: string
  kind: 'rowid' | 'ipk' | 'ipk desc' | 'autoincrement' | 'without rowid'
  strict: boolean
  /** Whether rows go into the table before it gets its types and clauses, which they may then break. */
  loose: boolean
  check: boolean
  columns: ColumnSpec[]
  rows: { rowid: bigint; values: BoundValue[] }[]
  /** How many more rows, all alike, lie between: enough to fill pages and chunks. */
  filler: number
}

export interface DatabaseSpec {
  encoding: 'UTF-8' | 'UTF-16le' | 'UTF-16be'
  pageSize: number
  autoVacuum: number
  userVersion: number
  tables: TableSpec[]
  indexes: { name: string; table: number; column: number; form: string; descending: boolean }[]
  views: string[]
  triggers: { name: string; table: number }[]
  analyze: boolean
}

const nastyNames = [
  '\u{10fee9}',
  '',
  ' ',
  'a',
  'A',
  'é',
  'e\u0301',
  'rowid',
  '_rowid_',
  'select',
  'trigger',
  'end',
  'x"y',
  "x'y",
  'x`y',
  'x]y',
  'x;y',
  'x--y',
  'x/*y',
  'line\nend',
  'carriage\rreturn',
  'go\n/\n',
  '../x',
  '.git',
  'con',
  'a.',
  '-r',
  '%41',
  '__proto__',
  'constructor',
  '5',
  'main',
  'temp',
  'pragma_table_info',
  '👍',
  '\u200d\ufeff',
  'long'.repeat(60),
]

const name = fc.oneof(
  fc.constantFrom(...nastyNames),
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => text.replace(/[\0\ufffe\uffff]|\r\n/g, '_')),
)

const looseTypes = [
  ...['', 'INT', 'INTEGER', 'BIGINT', 'TEXT', 'VARCHAR(10)', 'REAL', 'DOUBLE', 'NUMERIC', 'DECIMAL(10,5)'],
  ...['BLOB', 'ANY', 'DATETIME', 'BOOLEAN', 'FLOATING POINT', 'CHARINT', 'BLOBREAL', '\ufb02oat'],
]
const strictTypes = ['INT', 'INTEGER', 'REAL', 'TEXT', 'BLOB', 'ANY']

const pieces = [
  ...['a', "'", "''", '"', '\\n', '\\x0A', '\\u000A', '\\r', '\\x0D', '\\u000D', '\n', '\r', '\r\n', '\0'],
  ...[',', ')', '),(', '\t', '日本', '👍', '\ufffd', '\ufeff', '\uffff', '\ud800', '\u0001', '--', '!', ' '],
]
const numericTexts = [
  ...[
    '1e5',
    '+5',
    ' 12 ',
    '9e999',
    '-0',
    '0x10',
    '1_000',
    '.5',
    '5.',
    '1e',
    '- 5',
    '12\0',
    'inf',
    '٣',
    '\u00a05',
  ],
  ...['9223372036854775807', '9223372036854775808', '-9223372036854775808', '123456789012345678901234567890'],
]
const text = fc.oneof(
  fc.constantFrom(...numericTexts),
  fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 20 }),
)
const integer = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -10n, max: 10n }),
  fc.constantFrom(2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n),
)
const real = fc.oneof(
  fc.double({ noNaN: true }),
  fc.constantFrom(-0, 0, -0, 1, -1, 0.1, 1e15, 1e18, 2 ** 53, 2 ** 63, -(2 ** 63), 1e23, 5e-324, 1 / 3),
  fc.integer({ min: -1e9, max: 1e9 }).map((value) => value / 10_000),
)
const bytes = fc.uint8Array({ maxLength: 12 }).map((value) => Buffer.from(value))
const long = fc.constantFrom(65_535, 65_536, 70_000)

function boundValue(encoding: DatabaseSpec['encoding']): fc.Arbitrary<BoundValue> {
  const encoded = (value: string): { text: Buffer } => {
    if (encoding === 'UTF-8') return { text: Buffer.from(value) }
    const units = Buffer.from(value, 'utf16le')
    return { text: encoding === 'UTF-16le' ? units : units.swap16() }
  }
  return fc.oneof(
    { weight: 20, arbitrary: fc.constant(null) },
    { weight: 40, arbitrary: integer },
    { weight: 40, arbitrary: real },
    { weight: 60, arbitrary: text.map(encoded) },
    { weight: 20, arbitrary: bytes },
    { weight: 20, arbitrary: bytes.map((value) => ({ text: value })) },
    { weight: 1, arbitrary: long.map((size) => Buffer.alloc(size, 'b')) },
    { weight: 1, arbitrary: long.map((size) => encoded(`${'x'.repeat(size - 3)}'\n`)) },
  )
}

function columnOf(strict: boolean): fc.Arbitrary<ColumnSpec> {
  return fc.record({
    name,
    type: fc.constantFrom(...(strict ? strictTypes : looseTypes)),
    collation: fc.constantFrom('', '', '', ' COLLATE NOCASE', ' COLLATE RTRIM'),
    notNull: fc.constantFrom('', '', '', ' NOT NULL', ' NOT NULL ON CONFLICT IGNORE'),
    generated: fc.constantFrom('', '', '', '', '', 'VIRTUAL', 'STORED'),
    unique: fc.integer({ min: 0, max: 9 }).map((die) => die === 0),
  })
}

function tableOf(encoding: DatabaseSpec['encoding']): fc.Arbitrary<TableSpec> {
  return fc.boolean().chain((strict) =>
    fc.array(columnOf(strict), { minLength: 1, maxLength: 5 }).chain((columns) =>
      fc.record({
        name,
        kind: fc.constantFrom('rowid', 'rowid', 'ipk', 'ipk desc', 'autoincrement', 'without rowid'),
        strict: fc.constant(strict),
        loose: fc.integer({ min: 0, max: 2 }).map((die) => die === 0),
        check: fc.boolean(),
        columns: fc.constant(columns),
        rows: fc.array(
          fc.record({
            rowid: integer,
            values: fc.array(boundValue(encoding), { minLength: columns.length, maxLength: columns.length }),
          }),
          { minLength: 4, maxLength: 30, size: 'max' },
        ),
        filler: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 600, 1400),
      }),
    ),
  )
}

/** What to make a database of. */
export const database: fc.Arbitrary<DatabaseSpec> = fc
  .constantFrom('UTF-8', 'UTF-8', 'UTF-8', 'UTF-16le', 'UTF-16be')
  .chain((encoding) =>
    fc.record({
      encoding: fc.constant(encoding),
      pageSize: fc.constantFrom(512, 4096, 65_536),
      autoVacuum: fc.constantFrom(0, 0, 1, 2),
      userVersion: fc.integer(),
      tables: fc.array(tableOf(encoding), { minLength: 1, maxLength: 3 }),
      indexes: fc.array(
        fc.record({
          name,
          table: fc.nat(),
          column: fc.nat(),
          form: fc.constantFrom('plain', 'nocase', 'expression', 'partial', 'unique'),
          descending: fc.boolean(),
        }),
        { maxLength: 3 },
      ),
      views: fc.array(name, { maxLength: 2 }),
      triggers: fc.array(fc.record({ name, table: fc.nat() }), { maxLength: 2 }),
      analyze: fc.boolean(),
    }),
  ) as fc.Arbitrary<DatabaseSpec>

/** Makes names that SQLite takes for one differ, and those that it keeps for itself another. */
class Names {
  private readonly taken: Set<string>
  constructor(...taken: string[]) {
    this.taken = new Set(taken)
  }

  take(wanted: string): string {
    let found = /^sqlite_/i.test(wanted) ? `x${wanted}` : wanted
    while (this.taken.has(folded(found))) found += '2'
    this.taken.add(folded(found))
    return found
  }
}

function folded(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
}

export function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`
}

/** The columns that hold the values of a row, then the generated ones. */
function definedColumns(table: TableSpec): ColumnSpec[] {
  const names = new Names('key', 'oid')
  const plain = table.columns.map((column, index) => ({
    ...column,
    name: names.take(column.name),
    generated: index === 0 ? ('' as const) : column.generated,
  }))
  return [
    ...plain.filter(({ generated }) => generated === ''),
    ...plain.filter(({ generated }) => generated !== ''),
  ]
}

const keyTypes = {
  rowid: '',
  ipk: '"key" INTEGER PRIMARY KEY,',
  'ipk desc': '"key" INTEGER PRIMARY KEY DESC,',
  autoincrement: '"key" INTEGER PRIMARY KEY AUTOINCREMENT,',
  'without rowid': '"key" INTEGER,',
}

function createTable(table: TableSpec, tableName: string, tight: boolean): string {
  const columns = definedColumns(table)
  const source = quoted((columns[0] as ColumnSpec).name)
  const strict = table.strict && tight
  const defined = columns.map(({ name: column, type, collation, notNull, generated, unique }) => {
    const definition = `${quoted(column)} ${tight ? type : ''}${collation}`
    if (generated) return `${definition} AS (typeof(${source})||'-') ${generated}`
    return `${definition}${tight ? notNull : ''}${unique ? ' UNIQUE' : ''}`
  })
  const keys = table.kind === 'without rowid' ? `,PRIMARY KEY(${source} DESC,"key")` : ''
  const check = table.check && tight ? `,CHECK(${source} IS NOT 'never' AND length(${source})<5)` : ''
  const ending = [table.kind === 'without rowid' ? 'WITHOUT ROWID' : '', strict ? 'STRICT' : '']
  return `CREATE TABLE ${quoted(tableName)}(${keyTypes[table.kind]}${defined.join(',')}${keys}${check})${ending.filter(Boolean).join(',')}`
}

/** The table with what its STRICT types take: a typeof() is TEXT, and other values are NULL but where it is loose. */
function fitted(table: TableSpec): TableSpec {
  if (!table.strict) return table
  const columns = table.columns.map((column) => ({
    ...column,
    type: column.generated ? 'TEXT' : column.type,
  }))
  const spec = { ...table, columns }
  if (table.loose) return spec
  const stored = definedColumns(spec).filter(({ generated }) => generated === '')
  const rows = table.rows.map(({ rowid, values }) => ({
    rowid,
    values: values.map((value, index) => (isStrict(value, stored[index]?.type ?? '') ? value : null)),
  }))
  return { ...spec, rows }
}

function isStrict(value: BoundValue, type: string): boolean {
  if (type === 'ANY' || value === null) return true
  if (Buffer.isBuffer(value)) return type === 'BLOB'
  if (typeof value === 'object') return type === 'TEXT'
  return (type === 'REAL') === (typeof value === 'number') && /INT|REAL/.test(type)
}

interface BuiltTable {
  spec: TableSpec
  name: string
  columns: ColumnSpec[]
}

/** Rows in the order in which they are told. */
export const forward = (rows: number): number[] => Array.from({ length: rows }, (_, index) => index)

/** Makes a database; rows that its own rules refuse are left out. `order` says in which order rows are inserted. */
export function build(spec: DatabaseSpec, order = forward): string {
  const file = `${tempDir()}/source.db`
  const db = new Database(file)
  try {
    db.unsafeMode(true)
    db.pragma(`encoding='${spec.encoding}'`)
    db.pragma(`page_size=${spec.pageSize}`)
    db.pragma(`auto_vacuum=${spec.autoVacuum}`)
    db.pragma('ignore_check_constraints=ON')
    db.pragma('writable_schema=ON')
    db.exec('BEGIN')
    const names = new Names()
    const tables = spec.tables
      .map(fitted)
      .map((table) => buildTable(db, table, names.take(table.name), order))
    buildObjects(db, spec, tables, names)
    db.pragma(`user_version=${spec.userVersion}`)
    db.exec('COMMIT')
  } finally {
    db.close()
  }
  return file
}

function buildTable(
  db: Database.Database,
  spec: TableSpec,
  tableName: string,
  order: (rows: number) => number[],
): BuiltTable {
  const loosened = spec.loose && spec.kind !== 'autoincrement'
  db.exec(createTable(spec, tableName, !loosened))
  const columns = definedColumns(spec)
  const stored = columns.filter(({ generated }) => generated === '')
  const values = spec.rows.map((row) => row.values.slice(0, stored.length))
  const filler = Array.from({ length: spec.filler }, (_, index) => ({
    rowid: BigInt(1000 + index * 3),
    values: stored.map(({ unique }, at) => (unique || at === 0 ? BigInt(index) : (`row ${index}` as never))),
  }))
  const rows = [...spec.rows.map(({ rowid }, index) => ({ rowid, values: values[index] ?? [] })), ...filler]
  const keys = { rowid: ['oid'], 'ipk desc': ['oid', '"key"'] }[spec.kind as string] ?? ['"key"']
  for (const index of order(rows.length)) {
    const row = rows[index] as (typeof rows)[number]
    insert(
      db,
      tableName,
      [...keys, ...stored.map((column) => quoted(column.name))],
      [...keys.map(() => row.rowid), ...row.values],
    )
  }
  if (loosened) {
    db.prepare("UPDATE sqlite_schema SET sql=? WHERE type='table' AND name=?").run(
      createTable(spec, tableName, true),
      tableName,
    )
  }
  return { spec, name: tableName, columns }
}

function insert(
  db: Database.Database,
  table: string,
  columns: string[],
  values: (BoundValue | string)[],
): void {
  const isText = (value: BoundValue | string): value is { text: Buffer } =>
    value !== null && typeof value === 'object' && 'text' in value
  const marks = values.map((value) => (isText(value) ? 'CAST(? AS TEXT)' : '?'))
  const sql = `INSERT INTO ${quoted(table)}(${columns.join(',')}) VALUES(${marks.join(',')})`
  try {
    db.prepare(sql).run(values.map((value) => (isText(value) ? value.text : value)))
  } catch (error) {
    if (!String((error as { code?: string }).code).startsWith('SQLITE_CONSTRAINT')) throw error
  }
}

function buildObjects(db: Database.Database, spec: DatabaseSpec, tables: BuiltTable[], names: Names): void {
  db.pragma('writable_schema=RESET')
  db.pragma('writable_schema=ON')
  const at = (index: number): BuiltTable => tables[index % tables.length] as BuiltTable
  for (const index of spec.indexes) {
    const table = at(index.table)
    const column = quoted((table.columns[index.column % table.columns.length] as ColumnSpec).name)
    const target = `${index.form === 'expression' ? `typeof(${column})` : column}${index.form === 'nocase' ? ' COLLATE NOCASE' : ''}${index.descending ? ' DESC' : ''}`
    const sql = `CREATE ${index.form === 'unique' ? 'UNIQUE ' : ''}INDEX ${quoted(names.take(index.name))} ON ${quoted(table.name)}(${target})${index.form === 'partial' ? ` WHERE ${column} IS NOT NULL` : ''}`
    try {
      db.exec(sql)
    } catch (error) {
      if (!String((error as { code?: string }).code).startsWith('SQLITE_CONSTRAINT')) throw error
    }
  }
  for (const view of spec.views) {
    db.exec(`CREATE VIEW ${quoted(names.take(view))} AS SELECT * FROM ${quoted(at(0).name)} -- it's; a view`)
  }
  const triggers = new Names()
  for (const trigger of spec.triggers) {
    const table = quoted(at(trigger.table).name)
    db.exec(
      `CREATE TRIGGER ${quoted(triggers.take(trigger.name))} AFTER INSERT ON ${table} BEGIN DELETE FROM ${table}; SELECT 'x; END;'; END`,
    )
  }
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name='sqlite_sequence'").get()) {
    db.exec('DELETE FROM sqlite_sequence')
    for (const { spec: table, name: tableName } of tables) {
      if (table.kind === 'autoincrement')
        db.prepare('INSERT INTO sqlite_sequence VALUES (?,7)').run(tableName)
    }
  }
  if (spec.analyze) db.exec('ANALYZE')
}

export function withDatabase<T>(file: string, use: (db: Database.Database) => T): T {
  const db = new Database(file)
  try {
    db.unsafeMode(true)
    return use(db)
  } finally {
    db.close()
  }
}

/**
 * Whether a backup would come to its end: rows can be equal, or out of order, in a unique index as their declared types read
 * them.
 */
export function isSound(file: string): boolean {
  try {
    return withDatabase(file, (db) => {
      checkIntegrity(db, file)
      const found = db.pragma('integrity_check') as { integrity_check: string }[]
      if (found.some((row) => row.integrity_check.startsWith('row not in PRIMARY KEY order'))) return false
      const tables = db.prepare("SELECT name FROM pragma_table_list WHERE schema='main' AND wr=1").pluck()
      return tables.all().every((table) => isInOrder(db, table as string))
    })
  } catch (error) {
    expect(error).toMatchObject({ code: 'source' })
    return false
  }
}

/** Whether the rows of a WITHOUT ROWID table come by its key, each once, as read: as a REAL, what is stored as two integers may be one. */
function isInOrder(db: Database.Database, table: string): boolean {
  const parts = db
    .prepare(
      `SELECT x.name, x.coll, x.desc FROM pragma_index_list(?) AS l, pragma_index_xinfo(l.name) AS x
       WHERE l.origin='pk' AND x.key ORDER BY x.seqno`,
    )
    .all(table) as { name: string; coll: string; desc: number }[]
  const terms = parts.map(({ name, coll, desc }) => ({
    term: `+${quoted(name)} COLLATE ${quoted(coll)}`,
    desc,
  }))
  const shown = parts.map(({ name }) => `typeof(${quoted(name)}),hex(${quoted(name)}),quote(${quoted(name)})`)
  const rows = (end: string) =>
    db
      .prepare(`SELECT ${shown} FROM ${quoted(table)} NOT INDEXED ${end}`)
      .raw()
      .all()
  const stored = rows('')
  const sorted = rows(`ORDER BY ${terms.map(({ term, desc }) => `${term}${desc ? ' DESC' : ''}`)}`)
  const single = rows(`GROUP BY ${terms.map(({ term }) => term)}`)
  return isDeepStrictEqual(stored, sorted) && single.length === stored.length
}
