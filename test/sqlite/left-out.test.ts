import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { backup } from '../../src/backup.ts'
import { restore } from '../../src/restore.ts'
import { dumpText } from '../support/database.ts'
import { git } from '../support/git.ts'
import { tempDir } from '../support/temp.ts'

/** All that a commit holds, blobs by their bytes too. */
function committed(repository: string): string {
  const text = git(repository, ['grep', '-h', '', 'main', '--', 'databases'])
  const blobs = [...text.matchAll(/X'([0-9A-F]*)'/g)].map(([, hex = '']) =>
    Buffer.from(hex, 'hex').toString('latin1'),
  )
  return [text, ...blobs].join('\n')
}

/** A database of a newer SQLite than the stock one may be. */
function made(sql: string): string {
  const file = join(tempDir(), 'app.db')
  const db = new Database(file)
  db.unsafeMode(true)
  db.exec(sql)
  db.close()
  return file
}

/** Full-text tables that are dumped by their shadow tables, and what writes a secret into them. */
const fullText = {
  'a contentless one':
    "CREATE VIRTUAL TABLE mail USING fts5(body, content=''); INSERT INTO mail(rowid,body) VALUES(1,'hunter2');",
  'one with languages':
    "CREATE VIRTUAL TABLE mail USING fts4(body, languageid=lid); INSERT INTO mail(body) VALUES('hunter2');",
  'one with a setting of a later SQLite':
    "CREATE VIRTUAL TABLE mail USING fts5(body); INSERT INTO mail VALUES('hunter2'); INSERT INTO mail(mail,rank) VALUES('secure-delete',1);",
  'one of an older version':
    "CREATE VIRTUAL TABLE mail USING fts3(body, tokenize=porter); INSERT INTO mail VALUES('hunter2');",
}

/** Indexes over a table `note`, or a view of it, that is left out. */
const overContent = {
  'without sizes':
    'CREATE VIRTUAL TABLE mail USING fts5(body, content=note, content_rowid=id, columnsize=0);',
  'of a view of a view':
    'CREATE VIEW inner AS SELECT id, body FROM "NOTE"; CREATE VIEW outer AS SELECT * FROM inner; CREATE VIRTUAL TABLE mail USING fts5(body, content=outer, content_rowid=id, columnsize=0);',
  'that is rebuilt': 'CREATE VIRTUAL TABLE mail USING fts5(body, content=note, content_rowid=id);',
}

async function backUp(
  source: string,
  options: { excludeTables: string[]; fullText?: 'exact' },
): Promise<string> {
  const repository = join(tempDir(), 'repo.git')
  await backup({ source, repository, ...options, verify: 'always' })
  return repository
}

async function restored(repository: string): Promise<Database.Database> {
  const target = join(tempDir(), 'restored.db')
  await restore({ repository, rev: 'latest', target })
  return new Database(join(target, 'app.db'))
}

describe('A virtual table whose rows are left out', () => {
  for (const [name, sql] of Object.entries(fullText))
    for (const exact of [{}, { fullText: 'exact' as const }])
      it(`leaves nothing of them in the commit, and comes back empty: ${name}, ${exact.fullText ?? 'logical'}`, async () => {
        const source = made(`CREATE TABLE mail_archive(x); INSERT INTO mail_archive VALUES('kept'); ${sql}`)
        const repository = await backUp(source, { excludeTables: ['MAIL'], ...exact })
        expect(committed(repository)).not.toContain('hunter2')
        const db = await restored(repository)
        expect(db.prepare('SELECT x FROM mail_archive').pluck().all()).toEqual(['kept'])
        expect(db.prepare("SELECT * FROM mail WHERE mail MATCH 'hunter2'").all()).toEqual([])
        db.exec("INSERT INTO mail(rowid,body) VALUES(7,'again')")
        expect(db.prepare("SELECT rowid FROM mail WHERE mail MATCH 'again'").pluck().all()).toEqual([7])
        db.close()
      })

  for (const [name, sql] of Object.entries(overContent))
    it(`is an index over a table whose rows are: ${name}`, async () => {
      const note = "CREATE TABLE note(id INTEGER PRIMARY KEY, body); INSERT INTO note VALUES(1,'hunter2');"
      const source = made(`${note} ${sql} INSERT INTO mail(mail) VALUES('rebuild')`)
      const repository = await backUp(source, { excludeTables: ['note'] })
      expect(committed(repository)).not.toContain('hunter2')
      const db = await restored(repository)
      expect(db.prepare("SELECT rowid FROM mail WHERE mail MATCH 'hunter2'").all()).toEqual([])
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
      db.close()
    })

  it('is dumped as earlier versions did where a commit of theirs is proved', () => {
    for (const sql of Object.values(fullText)) {
      const source = made(sql)
      const asTables = { fullText: 'exact' as const }
      const dumped = new Set(['mail_content', 'mail_data', 'mail_segdir'])
      expect(dumpText(source, { ...asTables, excludeTables: ['mail'], dumped })).toBe(
        dumpText(source, asTables),
      )
    }
  })

  it('is refused where it cannot be made anew, and where somebody has put an index on a table that it keeps them in', async () => {
    const unknown = made(
      `CREATE TABLE vec_rows(x); PRAGMA writable_schema=ON;
       INSERT INTO sqlite_schema VALUES('table','vec','vec',0,'CREATE VIRTUAL TABLE vec USING unknown(x)')`,
    )
    await expect(backUp(unknown, { excludeTables: ['vec'] })).rejects.toMatchObject({
      code: 'source',
      message: expect.stringContaining(
        'dump table "vec": its rows cannot be left out: no such module: unknown',
      ),
      hint: expect.stringContaining('extensions'),
    })
    await backUp(unknown, { excludeTables: ['vec', 'vec_rows'] })
    const indexed = made(
      `CREATE VIRTUAL TABLE mail USING fts4(body, languageid=lid); CREATE INDEX of_user ON mail_content(c0body)`,
    )
    await expect(backUp(indexed, { excludeTables: ['mail'] })).rejects.toThrow('has an index or a trigger')
  })
})

describe('Samples of rows that are left out', () => {
  const sql = `CREATE TABLE session(key TEXT PRIMARY KEY, data); CREATE TABLE note(x); CREATE INDEX x ON note(x);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50)
      INSERT INTO session SELECT 'hunter'||i, i FROM n;
    INSERT INTO note SELECT 'note of '||key FROM session; UPDATE note SET x=replace(x,'hunter','nobody'); ANALYZE;`

  it('are not in the statistics of the commit, which has those of other tables', async () => {
    const source = made(sql)
    const db = new Database(source)
    expect(db.prepare("SELECT count(*) FROM sqlite_stat4 WHERE tbl='session'").pluck().get()).toBeGreaterThan(
      0,
    )
    db.close()
    const repository = await backUp(source, { excludeTables: ['Session'] })
    expect(committed(repository)).not.toContain('hunter')
    const copy = await restored(repository)
    const tables = 'SELECT DISTINCT tbl FROM sqlite_stat4 ORDER BY 1'
    expect(copy.prepare(tables).pluck().all()).toEqual(['note'])
    expect(copy.prepare("SELECT stat FROM sqlite_stat1 WHERE tbl='session'").pluck().all()).toEqual(['50 1'])
    copy.close()
  })
})
