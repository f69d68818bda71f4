/** `rowback diff --sql` of one table: indexes that triggers keep are as good behind the script as before. */

import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { diffOf, type Pair, pairOf, rowsOf, run } from '../support/script-pair.ts'
import { tempDir } from '../support/temp.ts'

const bookmarks = `CREATE TABLE bookmark(id INTEGER PRIMARY KEY, title, seen);
  CREATE TABLE other(id INTEGER PRIMARY KEY, v); INSERT INTO other VALUES (1,1);
  CREATE TABLE search_log(line); INSERT INTO search_log VALUES ('apple');`
const rows = `INSERT INTO bookmark VALUES (1,'apple pie',0),(2,'banana split',0);`
const changes = `UPDATE bookmark SET title='cherry cake' WHERE id=1; INSERT INTO bookmark VALUES (3,'date',0);
  UPDATE other SET v=2;`

/** Triggers that keep the index `search`, with what takes a row out of it. */
function triggers(gone: string): string {
  const come = 'INSERT INTO search(rowid,title) VALUES (new.id,new.title);'
  return `CREATE TRIGGER i AFTER INSERT ON bookmark BEGIN ${come} END;
    CREATE TRIGGER d AFTER DELETE ON bookmark BEGIN ${gone} END;
    CREATE TRIGGER u AFTER UPDATE OF id,title ON bookmark BEGIN ${gone} ${come} END;`
}

const command = "INSERT INTO search(search,rowid,title) VALUES ('delete',old.id,old.title);"

function virtual(options: string): string {
  return `CREATE VIRTUAL TABLE search USING ${options};`
}

async function tableScript(pair: Pair, table = 'bookmark'): Promise<string[]> {
  const { code, stdout, stderr } = await diffOf(pair, '--table', table)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout.split('\n')
}

/** The rows of the table and what the index finds, once it is checked. */
function found(file: string): string {
  const sql = `INSERT INTO search(search,"rank") VALUES ('integrity-check',1); SELECT * FROM bookmark;
    SELECT rowid FROM search WHERE search MATCH 'apple OR cherry OR date' ORDER BY rowid`
  return execFileSync('sqlite3', [file], { input: sql, encoding: 'utf8' })
}

const checked = [
  '-- it stops here if index search is out of step with its table: a rebuild would change what it finds',
  `INSERT INTO "search"("search","rank") VALUES('integrity-check',1);`,
]
const rebuilt = `INSERT INTO "search"("search") VALUES('rebuild');`
const indexLines = (sql: readonly string[]): string[] => sql.filter((line) => /search/.test(line))

describe('an index over another table is built anew', () => {
  test.each([
    ['that is dumped exactly', 'fts5(title, content=bookmark, content_rowid=id, columnsize=0)', checked],
    ['that is dumped as a rebuild', 'fts5(title, content="bookmark", content_rowid=id)', []],
  ])('%s.', async (_, options, lines) => {
    const pair = pairOf(`${bookmarks}${virtual(options)}${triggers(command)}${rows}`, changes)
    const sql = await tableScript(pair)
    expect(indexLines(sql)).toEqual([...lines, rebuilt])
    const untouched = await tableScript(pair, 'other')
    expect(indexLines(untouched)).toEqual([])
    run(pair.before, sql.join('\n'))
    expect(found(pair.before)).toBe(found(pair.after))
  })

  test('also through a view.', async () => {
    const view = 'CREATE VIEW shown AS SELECT id, title FROM main.bookmark;'
    const index = virtual("fts5(title, content='shown', content_rowid=id, columnsize=0)")
    const pair = pairOf(`${bookmarks}${view}${index}${triggers(command)}${rows}`, changes)
    const sql = await tableScript(pair)
    expect(indexLines(sql)).toEqual([...checked, rebuilt])
    expect(indexLines(await tableScript(pair, 'other'))).toEqual([])
    run(pair.before, sql.join('\n'))
    expect(found(pair.before)).toBe(found(pair.after))
  })

  test('without a check where the newer commit has what a rebuild makes.', async () => {
    const index = virtual('fts5(title, content=bookmark, content_rowid=id)')
    const pair = pairOf(
      `${bookmarks}${rows}${index}`,
      `${changes} INSERT INTO search(search) VALUES ('rebuild');`,
    )
    const sql = await tableScript(pair)
    expect(indexLines(sql)).toEqual([rebuilt])
    run(pair.before, sql.join('\n'))
    expect(found(pair.before)).toBe(found(pair.after))
  })

  test('unless the database has it out of step: then nothing is changed.', async () => {
    const index = virtual('fts5(title, content=bookmark, content_rowid=id, columnsize=0)')
    const some = triggers(command).replace('ON bookmark BEGIN', 'ON bookmark WHEN new.id<>2 BEGIN')
    const pair = pairOf(`${bookmarks}${index}${some}${rows}`, changes)
    const sql = await tableScript(pair)
    const saved = join(tempDir(), 'saved.db')
    copyFileSync(pair.before, saved)
    expect(() => run(pair.before, sql.join('\n'))).toThrow('malformed')
    expect(rowsOf(pair.before)).toEqual(rowsOf(saved))
  })
})

test('an index that is the same in both commits stays as it is.', async () => {
  const index = virtual("fts5(title, content='')")
  const pair = pairOf(`${bookmarks}${index}${triggers(command)}${rows}`, 'UPDATE bookmark SET seen=1')
  for (const flags of [[], ['--table', 'bookmark']]) {
    const { code, stdout } = await diffOf(pair, ...flags)
    expect({ code, lines: indexLines(stdout.split('\n')) }).toEqual({ code: 0, lines: [] })
  }
})

describe('a table is refused that feeds an index which cannot be built anew', () => {
  const without = (id: number): string =>
    triggers(command).replace('ON bookmark BEGIN', `ON bookmark WHEN new.id<>${id} BEGIN`)
  const view = `CREATE VIEW way AS SELECT id, title FROM bookmark;
    CREATE TRIGGER w INSTEAD OF INSERT ON main.way BEGIN INSERT INTO search(rowid,title) VALUES (new.id,new.title); END;
    CREATE TRIGGER i AFTER INSERT ON bookmark BEGIN INSERT INTO way VALUES (new.id,new.title); END;`
  test.each([
    ['without content', "fts5(title, content='')", triggers(command)],
    ['without content, through a view', "fts5(title, content='')", view],
    ['that holds a part of the table', 'fts5(title, content=bookmark, content_rowid=id)', without(2)],
    ['that comes to hold a part of it', 'fts5(title, content=bookmark, content_rowid=id)', without(3)],
    ['of FTS4', 'fts4(title, content="bookmark", matchinfo=fts3)', ''],
  ])('%s.', async (name, options, keeping) => {
    const more = keeping === '' ? `INSERT INTO search(docid,title) VALUES (3,'date');` : ''
    const pair = pairOf(`${bookmarks}${virtual(options)}${keeping}${rows}`, `${changes}${more}`)
    for (const flags of [[], ['--table', 'bookmark']])
      expect({ name, ...(await diffOf(pair, ...flags)) }).toEqual({
        name,
        code: 2,
        stdout: '',
        stderr:
          'rowback: diff --sql: table "bookmark" feeds "search", an index that cannot be built anew as it was\n' +
          'rowback: try: rowback restore REV --in-place; or restore REV --table NAME, and delete and insert rows with triggers on\n',
      })
    expect(indexLines(await tableScript(pair, 'other'))).toEqual([])
  })
})
