/** The tree of a commit is a function of the data and the settings, and of nothing else. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type BackupOptions, type BackupResult, backup } from '../../src/backup.ts'
import { databaseFrom } from '../support/database.ts'
import { changedPaths, filesOf, git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

/** Backs a source up into a repository of its own, or one that is given. */
async function backedUp(
  source: string,
  options: Partial<BackupOptions> = {},
): Promise<BackupResult & { repository: string }> {
  const repository = options.repository ?? join(tempDir(), 'repo.git')
  return { ...(await backup({ source, hook: false, ...options, repository })), repository }
}

const schema = `CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, born REAL);
  CREATE INDEX person_name ON person(name);
  CREATE TABLE plain(a, b);
  CREATE TABLE pair(x TEXT, y INT, z BLOB, PRIMARY KEY(x, y)) WITHOUT ROWID;
  CREATE TABLE post(id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT);
  CREATE VIRTUAL TABLE search USING fts5(body, content='post', content_rowid='id');
  CREATE TRIGGER post_added AFTER INSERT ON post BEGIN INSERT INTO search(rowid, body) VALUES (new.id, new.body); END;
  CREATE VIRTUAL TABLE place USING rtree(id, x0, x1);`

/** Rows of every kind of table, each with its key, as statements whose order does not matter. */
const inserts = Array.from({ length: 800 }, (_, i) => [
  `INSERT INTO person VALUES (${i - 100}, 'name ${i % 37}', ${i / 8});`,
  `INSERT INTO plain(rowid, a, b) VALUES (${i + 1}, 'a${i}', x'00${(i % 256).toString(16).padStart(2, '0')}');`,
  `INSERT INTO pair VALUES ('key ${i % 91}', ${i}, NULL);`,
  `INSERT INTO post VALUES (${i + 1}, 'word${i % 50} and ${i}');`,
  `INSERT INTO place VALUES (${i + 1}, ${i}, ${i + 0.5});`,
]).flat()

function filled(statements: readonly string[], before = '', after = ''): string {
  return databaseFrom(`${before} BEGIN; ${schema} ${statements.join('\n')} COMMIT; ${after}`)
}

/** The same statements in an order that a fixed seed gives. */
function shuffled(statements: readonly string[]): string[] {
  let state = 12345
  const next = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state
  }
  return statements
    .map((statement) => ({ statement, place: next() }))
    .sort((a, b) => a.place - b.place)
    .map(({ statement }) => statement)
}

test('A key that is DESC comes back, and gives the same tree, where an old schema format ignores that.', async () => {
  const source = join(tempDir(), 'old.db')
  const sql = `CREATE TABLE t(k TEXT, j, v, PRIMARY KEY(k DESC, j)) WITHOUT ROWID;
    INSERT INTO t VALUES ('a',1,1),('b',2,2),('b',1,4),('c',3,3);`
  execFileSync('sqlite3', ['-bail', source], { input: `.dbconfig legacy_file_format on\n${sql}\n` })
  expect(readFileSync(source).readUInt32BE(44)).toBe(1)
  const old = await backedUp(source, { verify: 'always' })
  expect(old.verified).toBe(true)
  execFileSync('sqlite3', ['-bail', source, 'VACUUM'])
  expect(readFileSync(source).readUInt32BE(44)).toBe(4)
  expect((await backedUp(source)).tree).toBe(old.tree)
  expect((await backedUp(source, { repository: old.repository })).commit).toBeUndefined()
})

describe('the same data gives the same tree', () => {
  test('after VACUUM, and after rows were removed that had been added.', async () => {
    const source = filled(inserts)
    const { tree, repository } = await backedUp(source)
    execFileSync('sqlite3', [
      source,
      `INSERT INTO person SELECT id+5000, name, born FROM person; INSERT INTO pair SELECT x, y+5000, z FROM pair;
       DELETE FROM person WHERE id>4000; DELETE FROM pair WHERE y>=5000;`,
    ])
    const bytes = readFileSync(source)
    expect(await backedUp(source, { repository })).toMatchObject({ tree, commit: undefined })
    execFileSync('sqlite3', [source, 'VACUUM'])
    expect(readFileSync(source).equals(bytes)).toBe(false)
    expect(await backedUp(source, { repository })).toMatchObject({ tree, commit: undefined })
    expect((await backedUp(source)).tree).toBe(tree)
  })

  test('whatever order its rows were written in.', async () => {
    const { tree } = await backedUp(filled(inserts))
    for (const order of [inserts.toReversed(), shuffled(inserts)])
      expect((await backedUp(filled(order))).tree).toBe(tree)
  })

  test('whatever order its definitions were written in, triggers aside.', async () => {
    const definitions = [
      'CREATE TABLE b(x PRIMARY KEY, y UNIQUE);',
      'CREATE TABLE a(x);',
      'CREATE VIEW w AS SELECT * FROM b;',
      'CREATE VIEW v AS SELECT * FROM a;',
    ]
    const rows = 'INSERT INTO a VALUES (1); INSERT INTO b VALUES (2,3);'
    const { tree } = await backedUp(databaseFrom(definitions.join('') + rows))
    const other = [...definitions.slice(0, 2).reverse(), ...definitions.slice(2).reverse()]
    expect((await backedUp(databaseFrom(other.join('') + rows))).tree).toBe(tree)
  })

  test('after its full-text index was merged and its statistics were left alone.', async () => {
    const source = filled(inserts)
    const { tree } = await backedUp(source)
    execFileSync('sqlite3', [source, "INSERT INTO search(search) VALUES('optimize')"])
    expect((await backedUp(source)).tree).toBe(tree)
  })

  test('from another path, at another time, by another author, under another name.', async () => {
    const source = filled(inserts)
    const first = await backedUp(source, { time: 1_000_000_000 })
    const elsewhere = join(tempDir(), 'some where', 'ünï "x".sqlite3')
    mkdirSync(join(elsewhere, '..'))
    writeFileSync(elsewhere, readFileSync(source))
    const second = await backedUp(elsewhere, {
      time: 2_000_000_000,
      author: { name: 'Ada', email: 'ada@example.org' },
      name: 'other',
      branch: 'other/branch',
    })
    expect(second.tree).toBe(first.tree)
    expect(second.commit).not.toBe(first.commit)
  })

  test('in another zone, language and directory.', async () => {
    const source = filled(inserts.slice(0, 50))
    const { tree } = await backedUp(source)
    for (const [TZ, LC_ALL] of [
      ['Pacific/Chatham', 'tr_TR.UTF-8'],
      ['UTC', 'C'],
    ] as const) {
      const cwd = tempDir()
      const options = { cwd, env: { TZ, LC_ALL, LANG: LC_ALL } }
      expect(await rowbackJson(['backup', source, '--repo', 'repo.git'], options)).toMatchObject({ tree })
    }
  })

  test('of a directory, whatever order its files were made in and whenever they were read.', async () => {
    const make = (names: string[]): string => {
      const dir = tempDir()
      for (const name of names) {
        if (name.includes('/')) mkdirSync(join(dir, name, '..'), { recursive: true })
        const file = join(dir, name)
        if (name.endsWith('.db')) databaseFrom(`CREATE TABLE t(a); INSERT INTO t VALUES ('${name}')`, file)
        else writeFileSync(file, name)
        utimesSync(file, 1_600_000_000, 1_600_000_000.25)
      }
      return dir
    }
    const names = ['b.db', 'a.db', 'z/1.txt', 'z/0.txt', 'a.txt', 'y/x/w']
    const { tree } = await backedUp(make(names))
    expect((await backedUp(make(names.toReversed()))).tree).toBe(tree)
  })
})

describe('the same commit', () => {
  test('comes of two runs with the same time and author.', async () => {
    const source = filled(inserts.slice(0, 50))
    const commits: string[] = []
    for (const home of [tempDir(), tempDir()]) {
      const repository = join(home, 'repo.git')
      const flags = ['--time', '2024-03-01T12:00:00Z', '--author', 'Ada Lovelace <ada@example.org>']
      const { commit } = await rowbackJson<{ commit: string }>(
        ['backup', source, '--repo', repository, ...flags],
        { env: { HOME: home, TZ: home.length % 2 ? 'UTC' : 'Asia/Tokyo' } },
      )
      commits.push(commit)
      expect(git(repository, ['log', '--format=%an <%ae> %at %cn <%ce> %ct %ai'])).toBe(
        'Ada Lovelace <ada@example.org> 1709294400 Ada Lovelace <ada@example.org> 1709294400 2024-03-01 12:00:00 +0000',
      )
    }
    expect(commits[1]).toBe(commits[0])
  })

  test('comes of a history that is made again.', async () => {
    const history = async (): Promise<string> => {
      const repository = join(tempDir(), 'repo.git')
      const source = filled(inserts.slice(0, 500), 'PRAGMA page_size=1024;')
      const named = { repository, name: 'app', author: { name: 'A', email: 'a@b' } }
      await backedUp(source, { ...named, time: 1 })
      execFileSync('sqlite3', [source], { input: inserts.slice(500, 1000).join('') })
      await backedUp(source, { ...named, time: 2 })
      return git(repository, ['rev-parse', 'main'])
    }
    // The file's name is in the trailers, the folder it lies in is not.
    expect(await history()).toBe(await history())
  })
})

describe('a setting of the file changes the one line that records it:', () => {
  const changes: Record<string, { sql: string; path: string; line: string }> = {
    'the page size.': {
      sql: 'PRAGMA page_size=8192; VACUUM',
      path: 'databases/main/10-open.sql',
      line: 'PRAGMA page_size=8192;',
    },
    'the journal mode.': {
      sql: 'PRAGMA journal_mode=WAL',
      path: 'databases/main/90-close.sql',
      line: 'PRAGMA journal_mode=WAL;',
    },
    'the user version.': {
      sql: 'PRAGMA user_version=7',
      path: 'databases/main/90-close.sql',
      line: 'PRAGMA user_version=7;',
    },
    'vacuuming by itself.': {
      sql: 'PRAGMA auto_vacuum=FULL; VACUUM',
      path: 'databases/main/10-open.sql',
      line: 'PRAGMA auto_vacuum=1;',
    },
  }
  for (const [name, { sql, path, line }] of Object.entries(changes))
    test(name, async () => {
      const source = filled(inserts)
      const before = await backedUp(source)
      execFileSync('sqlite3', [source, sql])
      const after = await backedUp(source, { repository: before.repository })
      expect(changedPaths(before.repository, before.latest, after.latest)).toEqual([path])
      const patch = git(before.repository, ['diff', '--unified=0', before.latest, after.latest]).split('\n')
      expect(patch.filter((text) => /^\+(?!\+)/.test(text))).toEqual([`+${line}`])
      expect(patch.filter((text) => /^-(?!-)/.test(text))).toHaveLength(1)
      expect(after.subject).toBe('source: schema or settings changed')
    })
})

const many = 100_000

/** A table of 100,000 rows by one key and one by another; made once a test. */
function manyRows(): string {
  return databaseFrom(`CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, amount INT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${many})
    INSERT INTO item SELECT i, 'item number '||i||' '||hex(i*7919), i%1000 FROM n;
    CREATE TABLE tag(name TEXT PRIMARY KEY, amount INT) WITHOUT ROWID;
    INSERT INTO tag SELECT 'tag '||(id*7919%${many}), amount FROM item;`)
}

/** How many files of the second tree the first does not hold, and whether the manifest is one of them. */
function rewritten(
  repository: string,
  before: string,
  after: string,
): { chunks: string[]; manifest: boolean } {
  const old = new Set(filesOf(repository, before).values())
  const now = [...filesOf(repository, after)].filter(([, blob]) => !old.has(blob)).map(([path]) => path)
  return {
    chunks: now.filter((path) => path !== 'manifest.json'),
    manifest: now.includes('manifest.json'),
  }
}

describe('of a table of 100,000 rows', () => {
  test('a change of one row rewrites one chunk and nothing else.', async () => {
    const source = manyRows()
    let before = await backedUp(source)
    const { repository } = before
    const chunks = [...filesOf(repository, before.latest).keys()].filter((path) => path.includes('/30-rows/'))
    expect(chunks.length).toBeGreaterThan(60)
    for (const [sql, folder, subject] of [
      ['UPDATE item SET amount=amount+1 WHERE id=50000', 'item', '1 row changed'],
      ['UPDATE item SET amount=NULL WHERE id=1', 'item', '1 row changed'],
      [`UPDATE item SET name=upper(name) WHERE id=${many}`, 'item', '1 row changed'],
      ["UPDATE tag SET amount=-1 WHERE name='tag 777'", 'tag', '1 row changed'],
    ] as const) {
      execFileSync('sqlite3', [source, sql])
      const after = await backedUp(source, { repository })
      const changed = changedPaths(repository, before.latest, after.latest)
      expect(changed).toEqual([expect.stringContaining(`databases/main/30-rows/${folder}/`)])
      expect(after.files.written).toBe(1)
      expect(after.bytes.written).toBeLessThan(200_000)
      expect(after.subject).toBe(`source: ${subject}`)
      before = after
    }
  })

  test('an added or removed row rewrites two chunks at most, and the manifest.', async () => {
    const source = manyRows()
    let before = await backedUp(source)
    const { repository } = before
    // The row that begins a chunk is the worst: its chunk and the one before become one.
    const first = [...filesOf(repository, before.latest).keys()]
      .map((path) => /30-rows\/item\/[^/]+\/(\d+)\.sql$/.exec(path)?.[1])
      .find((id) => id !== undefined)
    expect(Number(first)).toBeGreaterThan(1)
    for (const sql of [
      'DELETE FROM item WHERE id=1',
      'DELETE FROM item WHERE id=50000',
      `DELETE FROM item WHERE id=${Number(first)}`,
      `DELETE FROM item WHERE id=${many}`,
      "DELETE FROM tag WHERE name='tag 5'",
      "INSERT INTO item VALUES (0,'before all',1)",
      "INSERT INTO item VALUES (50000,'between',1)",
      `INSERT INTO item VALUES (${Number(first)},'item that begins a chunk ${'x'.repeat(2000)}',1)`,
      `INSERT INTO item VALUES (${many + 77},'behind all',1)`,
      "INSERT INTO tag VALUES ('tag 5.5',1)",
    ]) {
      execFileSync('sqlite3', [source, sql])
      const after = await backedUp(source, { repository })
      const { chunks, manifest } = rewritten(repository, before.latest, after.latest)
      expect(chunks.length, sql).toBeLessThanOrEqual(2)
      expect(manifest).toBe(true)
      expect(after.subject).toBe(`source: 1 row ${sql.startsWith('DELETE') ? 'removed' : 'added'}`)
      before = after
    }
  })

  test('the same rows give the same chunks, whatever their history.', async () => {
    const source = manyRows()
    const first = await backedUp(source)
    execFileSync('sqlite3', [source, `DELETE FROM item WHERE id%3=0; UPDATE item SET amount=-amount`])
    await backedUp(source, { repository: first.repository })
    execFileSync('sqlite3', [
      source,
      `UPDATE item SET amount=-amount; WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i+3 FROM n WHERE i+3<=${many})
       INSERT INTO item SELECT i, 'item number '||i||' '||hex(i*7919), i%1000 FROM n ORDER BY i DESC`,
    ])
    const last = await backedUp(source, { repository: first.repository })
    expect(last.tree).toBe(first.tree)
    expect(last.commit).not.toBeUndefined()
  })
})

test('a run that finds nothing changed makes no commit and writes no object.', async () => {
  const source = filled(inserts.slice(0, 50))
  const { repository, latest } = await backedUp(source)
  const objects = () => git(repository, ['cat-file', '--batch-all-objects', '--batch-check'])
  const before = objects()
  const again = await rowback(['backup', source, '--repo', repository])
  expect(again).toEqual({ code: 0, stdout: `nothing changed since ${latest.slice(0, 10)}\n`, stderr: '' })
  expect(objects()).toBe(before)
  rmSync(source)
})
