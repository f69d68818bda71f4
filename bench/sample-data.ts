// Makes the databases that benchmarks read, as large as asked for, and the changes between two backups.
// Invariant: the same arguments give the same rows; memory does not grow with the size.
import Database from 'better-sqlite3'
import { Random } from '../demo/random.ts'
import { utcText } from '../demo/sample-rows.ts'

type Value = string | number | Buffer | null

interface SampleTable {
  name: string
  schema: string
  /** Chosen so that the tables' shares of the file are about those in their comments, indexes included. */
  rowsPerMegabyte: number
  /** The row after `ordinal - 1` others; its values are in the order of the columns. */
  row: (random: Random, ordinal: number) => Value[]
  /** What an UPDATE sets when the application changes one row. */
  update: string
}

/** What a running application might do between two backups; see changeBenchDatabase. */
export type BenchChange = 'small' | 'percent' | 'column'

// Measured on a narrow table: 2.0 s for a million rows one by one, 0.95 s by twenties, 0.9 s by fifties.
const ROWS_PER_STATEMENT = 20

const EPOCH_SECONDS = Date.UTC(2022, 0, 1) / 1000
const WORDS = words(new Random(7), 3000)
const DAYS = Array.from({ length: 20_000 }, (_, day) => utcText(EPOCH_SECONDS - day * 86_400).slice(0, 10))

// About 12 % of the file: many narrow rows.
const articleTag: SampleTable = {
  name: 'article_tag',
  schema: `CREATE TABLE article_tag (
    id INTEGER PRIMARY KEY,
    article_id INTEGER NOT NULL,
    tag_id INTEGER NOT NULL
  )`,
  rowsPerMegabyte: 4200,
  row: (random, ordinal) => [ordinal, Math.ceil(ordinal / 6), random.integer(1, 400)],
  update: 'tag_id = tag_id + 1',
}

// About 35 %: titles, descriptions and notes.
const article: SampleTable = {
  name: 'article',
  schema: `CREATE TABLE article (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    url TEXT NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    notes TEXT,
    views INTEGER NOT NULL DEFAULT 0,
    added datetime NOT NULL
  )`,
  rowsPerMegabyte: 700,
  row: (random, ordinal) => [
    ordinal,
    url(random, ordinal),
    sentence(random, random.integer(3, 10)),
    sentence(random, random.integer(10, 60)),
    note(random),
    random.integer(0, 5000),
    utcText(EPOCH_SECONDS + ordinal * 97),
  ],
  update: 'views = views + 1',
}

// About 20 %: twenty columns of every type, as media servers have them.
const mediaItem: SampleTable = {
  name: 'media_item',
  schema: `CREATE TABLE media_item (
    id INTEGER PRIMARY KEY, guid TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, sort_name TEXT,
    path TEXT, parent_id INTEGER, size_bytes BIGINT, run_time_ticks BIGINT, created_ms INTEGER,
    premiered date, rating REAL, critic_rating REAL, aspect REAL, locked BOOLEAN NOT NULL,
    width INT, height INT, data JSON, digest BLOB, etag VARCHAR(32)
  )`,
  rowsPerMegabyte: 630,
  row: mediaItemRow,
  update: 'locked = 1 - locked, created_ms = created_ms + 1000',
}

// About 10 %: decimals as people and sensors write them; one value in ten is computed and needs all 17 digits.
const measurement: SampleTable = {
  name: 'measurement',
  schema: `CREATE TABLE measurement (
    id INTEGER PRIMARY KEY,
    sensor_id INTEGER NOT NULL,
    at INTEGER NOT NULL,
    celsius REAL,
    level REAL NOT NULL
  )`,
  rowsPerMegabyte: 3100,
  row: (random, ordinal) => [
    ordinal,
    random.integer(1, 40),
    EPOCH_SECONDS + ordinal * 15,
    random.chance(0.02) ? null : random.integer(-200, 400) / 10,
    random.chance(0.1) ? random.unit() * 1000 : random.integer(0, 1_000_000) / 1000,
  ],
  update: 'celsius = coalesce(celsius, 0.0) + 0.1',
}

// About 15 %: bytes that do not compress.
const thumbnail: SampleTable = {
  name: 'thumbnail',
  schema: `CREATE TABLE thumbnail (
    id INTEGER PRIMARY KEY,
    article_id INTEGER NOT NULL,
    width INTEGER NOT NULL,
    image BLOB NOT NULL
  )`,
  rowsPerMegabyte: 13.5,
  row: (random, ordinal) => [
    ordinal,
    ordinal * 50,
    random.integer(64, 320),
    random.bytes(random.integer(1000, 20_000)),
  ],
  update: 'width = width + 1',
}

// About 8 %: a text key and no rowid. Keys grow with time, as those of most applications do.
const preference: SampleTable = {
  name: 'preference',
  schema: `CREATE TABLE preference (
    key TEXT PRIMARY KEY NOT NULL,
    owner_id INTEGER NOT NULL,
    value TEXT
  ) WITHOUT ROWID`,
  rowsPerMegabyte: 950,
  row: (random, ordinal) => [
    `${(EPOCH_SECONDS + ordinal * 31).toString(16)}-${hex(random.uint32())}`,
    random.integer(1, 60),
    random.chance(0.1) ? null : settings(random),
  ],
  update: `value = 'changed'`,
}

const TABLES = [articleTag, article, mediaItem, measurement, thumbnail, preference]

const INDEXES = `
  CREATE INDEX article_tag_article ON article_tag(article_id);
  CREATE INDEX article_title ON article(lower(title));
  CREATE INDEX media_item_guid ON media_item(guid);
  CREATE INDEX media_item_locked ON media_item(parent_id, name) WHERE locked = 1;
`

const SCATTERED_UPDATES: readonly (readonly [SampleTable, number])[] = [
  [article, 50],
  [mediaItem, 30],
  [measurement, 10],
  [articleTag, 10],
]

const APPENDED_ROWS: readonly (readonly [SampleTable, number])[] = [
  [articleTag, 90],
  [measurement, 60],
  [article, 25],
  [mediaItem, 15],
  [preference, 8],
  [thumbnail, 2],
]

/**
 * Makes a WAL database of about `megabytes` (10^6 bytes each, at least 1) in `file`, which must not exist.
 * Six tables grow side by side, as in an application's life, so their pages lie mixed in the file.
 */
export function createBenchDatabase(file: string, megabytes: number, seed = 1): void {
  const db = new Database(file)
  try {
    // Nobody needs this file if the process dies, so no journal and no fsync: the disk is the limit.
    db.pragma('journal_mode = OFF')
    db.pragma('synchronous = OFF')
    db.pragma('locking_mode = EXCLUSIVE')
    db.exec('BEGIN')
    for (const { schema } of TABLES) db.exec(schema)
    insertMegabytes(db, new Random(seed), megabytes)
    db.exec(INDEXES)
    db.exec('COMMIT')
    db.pragma('locking_mode = NORMAL')
    db.pragma('journal_mode = WAL')
  } finally {
    db.close()
  }
}

/**
 * Changes a database that createBenchDatabase made:
 * `small` updates 100 rows scattered over four tables and appends 200 rows over all six;
 * `percent` updates one row in a hundred of every table, evenly scattered, the worst case of its size;
 * `column` adds a column with a default, which changes every row of a table but hardly a page of the file.
 */
export function changeBenchDatabase(file: string, kind: BenchChange, seed = 2): void {
  const random = new Random(seed)
  const change = { small: changeFewRows, percent: changeOnePercent, column: addColumn }[kind]
  const db = new Database(file, { fileMustExist: true })
  try {
    db.pragma('synchronous = OFF')
    db.transaction(change)(db, random)
  } finally {
    db.close()
  }
}

/** How many rows each table of a database that createBenchDatabase made has. */
export function rowCounts(file: string): Record<string, number> {
  const db = new Database(file, { fileMustExist: true })
  try {
    return Object.fromEntries(TABLES.map(({ name }) => [name, rowCount(db, name)]))
  } finally {
    db.close()
  }
}

function insertMegabytes(db: Database.Database, random: Random, megabytes: number): void {
  for (let done = 0; done < megabytes; done++) {
    const upTo = Math.min(done + 1, megabytes)
    for (const table of TABLES) {
      const from = Math.round(table.rowsPerMegabyte * done)
      insertRows(db, random, table, from + 1, Math.round(table.rowsPerMegabyte * upTo))
    }
  }
}

// Numbers are bound as REAL; columns of INTEGER and NUMERIC affinity turn whole ones back into integers
// (https://sqlite.org/datatype3.html section 3), faster than BigInt does.
function insertRows(
  db: Database.Database,
  random: Random,
  table: SampleTable,
  first: number,
  last: number,
): void {
  const insertMany = db.prepare(insertSql(table, ROWS_PER_STATEMENT))
  const insertOne = db.prepare(insertSql(table, 1))
  let ordinal = first
  for (; ordinal + ROWS_PER_STATEMENT - 1 <= last; ordinal += ROWS_PER_STATEMENT) {
    const values: Value[] = []
    for (let place = 0; place < ROWS_PER_STATEMENT; place++)
      values.push(...table.row(random, ordinal + place))
    insertMany.run(values)
  }
  for (; ordinal <= last; ordinal++) insertOne.run(table.row(random, ordinal))
}

function insertSql({ name, row }: SampleTable, rows: number): string {
  const marks = row(new Random(0), 1).map(() => '?')
  const tuples = Array.from({ length: rows }, () => `(${marks.join(',')})`)
  return `INSERT INTO ${name} VALUES ${tuples.join(',')}`
}

function changeFewRows(db: Database.Database, random: Random): void {
  for (const [{ name, update }, count] of SCATTERED_UPDATES) {
    const statement = db.prepare(`UPDATE ${name} SET ${update} WHERE id = ?`)
    // One id from each of `count` equal ranges: scattered, and no row twice.
    const idsPerRange = rowCount(db, name) / count
    for (let range = 0; range < count; range++) {
      statement.run(1 + Math.floor((range + random.unit()) * idsPerRange))
    }
  }
  for (const [table, count] of APPENDED_ROWS) {
    const rows = rowCount(db, table.name)
    insertRows(db, random, table, rows + 1, rows + count)
  }
}

function changeOnePercent(db: Database.Database, random: Random): void {
  db.function('draw', { deterministic: false }, () => random.unit())
  for (const { name, update } of TABLES) db.exec(`UPDATE ${name} SET ${update} WHERE draw() < 0.01`)
}

function addColumn(db: Database.Database): void {
  db.exec(`ALTER TABLE article ADD COLUMN language TEXT NOT NULL DEFAULT 'en'`)
}

function rowCount(db: Database.Database, table: string): number {
  return db.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number
}

function mediaItemRow(random: Random, ordinal: number): Value[] {
  const name = sentence(random, random.integer(1, 5))
  return [
    ordinal,
    random.bytes(16).toString('hex'),
    random.pick(['Movie', 'Episode', 'Audio', 'Photo']),
    name,
    random.chance(0.5) ? name.toLowerCase() : null,
    `/media/${random.pick(WORDS)}/${name}.${random.pick(['mkv', 'flac', 'jpg'])}`,
    random.chance(0.2) ? null : random.integer(1, ordinal),
    random.uint32() * 2,
    random.uint32() * 10_000,
    (EPOCH_SECONDS + ordinal * 60) * 1000 + random.integer(0, 999),
    random.pick(DAYS),
    random.integer(0, 100) / 10,
    // A float of 32 bits, as an application in C# stores 7.1: 7.099999904632568.
    random.chance(0.5) ? null : Math.fround(random.integer(0, 100) / 10),
    random.pick([16 / 9, 4 / 3, 2.39, null]),
    random.integer(0, 1),
    random.pick([720, 1280, 1920, 3840]),
    random.pick([480, 720, 1080, 2160]),
    `{"tags":["${random.pick(WORDS)}","${random.pick(WORDS)}"],"watched":${random.chance(0.5)}}`,
    random.bytes(16),
    hex(random.uint32()),
  ]
}

function url(random: Random, ordinal: number): string {
  const page = `https://${random.pick(WORDS)}.example/${random.pick(WORDS)}/${random.pick(WORDS)}-${ordinal}`
  return random.chance(0.2) ? `${page}?utm_source=${random.pick(WORDS)}&page=${random.integer(1, 9)}` : page
}

function settings(random: Random): string {
  const [theme, sort] = [random.pick(['dark', 'light', 'auto']), random.pick(['added', 'title', 'random'])]
  const shown = { theme, sort, perPage: random.integer(1, 10) * 10, pinned: sentence(random, 2).split(' ') }
  return JSON.stringify(shown)
}

function note(random: Random): string | null {
  if (random.chance(0.3)) return null
  if (random.chance(0.8)) return sentence(random, random.integer(4, 30))
  const lines = Array.from({ length: random.integer(2, 6) }, () => sentence(random, random.integer(2, 10)))
  return lines.join(random.chance(0.1) ? '\r\n' : '\n')
}

function sentence(random: Random, wordCount: number): string {
  let text = random.pick(WORDS)
  for (let word = 1; word < wordCount; word++) {
    // Squaring makes the first words of the list common and the last ones rare, as in real text.
    text += ` ${WORDS[Math.floor(random.unit() ** 2 * WORDS.length)]}`
  }
  return text
}

function words(random: Random, count: number): string[] {
  const plain = [
    'ka',
    'lo',
    'ri',
    'ten',
    'mu',
    'sha',
    'o',
    'ber',
    'ni',
    'es',
    'tra',
    'vi',
    'don',
    'el',
    'ha',
    'sto',
  ]
  const accented = ['é', 'ß', 'ñu', 'øy', 'жа', 'ли', '漢', 'かな', "'s", '🚲']
  return Array.from({ length: count }, () => {
    const ending = random.chance(0.05) ? random.pick(accented) : random.pick(plain)
    const syllables = Array.from({ length: random.integer(0, 3) }, () => random.pick(plain))
    return syllables.join('') + ending
  })
}

function hex(uint32: number): string {
  return uint32.toString(16).padStart(8, '0')
}
