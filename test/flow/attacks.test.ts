/** Attacks by the SQL around the rows: whoever can write to the repository gains nothing where it is restored. */

import { describe } from 'vitest'
import { type Attack, type Change, dump, testRefusals } from '../support/hostile.ts'

const [open, tables, schema, close] = ['10-open', '20-tables', '40-schema', '90-close'].map(
  (name) => `${dump}/${name}.sql`,
) as [string, string, string, string]

/** Statements before all others of a file. */
const first =
  (sql: string): Change =>
  (content, { dir }) =>
    sql.replaceAll('DIR', dir) + content
/** Statements behind all others of a file. */
const last =
  (sql: string): Change =>
  (content, { dir }) =>
    content + sql.replaceAll('DIR', dir)

const notAllowed = /holds what a dump may not hold/
const endless = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)'

function script(name: string, path: string, change: Change, message: string | RegExp = notAllowed): Attack {
  return { name, changes: { [path]: change }, message }
}

const patch = (sql: string) => `PRAGMA writable_schema=ON;\n${sql};\nPRAGMA writable_schema=RESET;\n`

const statementAttacks: Attack[] = [
  script('ATTACH before the transaction', open, first("ATTACH 'DIR/pwned.db' AS x;\nCREATE TABLE x.t(a);\n")),
  script('ATTACH behind the transaction', close, last("ATTACH 'DIR/pwned.db' AS x;\n")),
  script('VACUUM INTO', close, last("VACUUM INTO 'DIR/pwned.db';\n")),
  script('load_extension', schema, first("SELECT load_extension('DIR/evil.so');\n")),
  script('a query without an end', schema, first(`${endless} SELECT count(*) FROM n;\n`)),
  script('a pragma that is not listed', open, first('PRAGMA trusted_schema=ON;\n')),
  script('a listed pragma in another file', tables, first('PRAGMA writable_schema=ON;\n')),
  script('a listed pragma with an expression', close, first('PRAGMA user_version=(1);\n')),
  script('a pragma that moves temporary files', open, first("PRAGMA temp_store_directory='DIR';\n")),
  script('CREATE TABLE AS SELECT', tables, last(`CREATE TABLE x AS ${endless} SELECT i FROM n;\n`)),
  script('CREATE TEMP TABLE', tables, last('CREATE TEMP TABLE x(a);\n')),
  script('a table of another database', tables, last('CREATE TABLE temp.x(a);\n')),
  script(
    'an INSERT among the tables',
    tables,
    last("INSERT INTO note(id) VALUES (readfile('/etc/passwd'));\n"),
  ),
  script(
    'a trigger among the tables',
    tables,
    last('CREATE TRIGGER x AFTER INSERT ON note BEGIN SELECT 1; END;\n'),
  ),
  script('DROP TABLE', schema, first('DROP TABLE note;\n')),
  script('DELETE', schema, first('DELETE FROM note;\n')),
  script(
    'a second statement behind an index',
    schema,
    first("CREATE INDEX x ON note(body); DETACH 'main';\n"),
  ),
  script('an explained statement', schema, first('EXPLAIN CREATE VIEW x AS SELECT 1;\n')),
  script(
    'rows of sqlite_schema among the system rows',
    close,
    first('INSERT INTO "sqlite_schema"("type") VALUES\n (1)\n;\n'),
  ),
  script(
    'a query in a system row',
    close,
    first('INSERT INTO "sqlite_sequence"("name","seq") VALUES\n ((SELECT 1),1)\n;\n'),
    'is no row',
  ),
  script('a last statement without its end', close, last('VACUUM')),
  script('a comment that never ends', schema, last('CREATE VIEW x AS SELECT 1 /*')),
  script('NUL, behind which SQLite reads nothing', schema, first('CREATE VIEW x AS SELECT 1\0 /* */;\n')),
  script('bytes that are no UTF-8', schema, (content) =>
    Buffer.concat([Buffer.from(content), Buffer.from([0x2d, 0x2d, 0xff, 0x0a])]),
  ),
]

/** Where SQLite sees the end of a trigger before our tokenizer does, what follows would run. */
const smuggled = (end: string) =>
  `CREATE TRIGGER x AFTER INSERT ON note BEGIN SELECT 1;${end}; DELETE FROM note; SELECT 1; END;\n`

const smuggleAttacks: Attack[] = [
  script('END behind a byte order mark', schema, first(smuggled('\ufeffEND'))),
  script('END behind a vertical tab', schema, first(smuggled(' \vEND'))),
  script('END behind comments', schema, first(smuggled('/*;*/--;\nEND'))),
  script(
    'a quote in a comment',
    schema,
    first("CREATE VIEW x AS SELECT 1 /* ' */; DELETE FROM note; --'\n;\n"),
  ),
  script(
    'a comment in a quoted name',
    schema,
    first('CREATE VIEW x AS SELECT 1 AS [/*]; DELETE FROM note; --*/\n;\n'),
  ),
  script(
    'a string of millions of quotes',
    schema,
    first(`CREATE INDEX x ON note(body) WHERE title='${"''".repeat(4e6)}' DROP;\n`),
    /syntax error|may not hold/,
  ),
  script(
    'a patch of millions of quotes',
    schema,
    first(patch(`UPDATE sqlite_schema SET sql='${"''".repeat(8e6)}'`)),
  ),
]

const schemaAttacks: Attack[] = [
  script('another root page', schema, first(patch("UPDATE sqlite_schema SET rootpage=2 WHERE name='note'"))),
  script('a patch of every object', schema, first(patch("UPDATE sqlite_schema SET sql='CREATE TABLE x(a)'"))),
  script(
    'a table whose text is a view',
    schema,
    first(
      patch("UPDATE sqlite_schema SET sql='CREATE VIEW note AS SELECT 1' WHERE type='table' AND name='note'"),
    ),
  ),
  script(
    'a table whose text is hidden behind a marker',
    schema,
    first(
      patch(
        "UPDATE sqlite_schema SET sql=replace('XCREATE TABLE note(a)','X',char(10)) WHERE type='table' AND name='note'",
      ),
    ),
  ),
  script(
    'a row with a root page',
    schema,
    first(
      patch(
        `INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table','x','x',2,'CREATE VIRTUAL TABLE x USING fts5(a)')`,
      ),
    ),
  ),
  script(
    'a row for an index',
    schema,
    first(
      patch(
        `INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('index','x','note',0,'CREATE INDEX x ON note(body)')`,
      ),
    ),
  ),
  script(
    'a row with a query for its text',
    schema,
    first(
      patch(
        `INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('view','x','x',0,(SELECT 'CREATE VIEW x AS SELECT 1'))`,
      ),
    ),
  ),
  script(
    'a row whose text is no definition',
    schema,
    first(
      patch(
        `INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('view','x','x',0,'DROP VIEW x')`,
      ),
    ),
  ),
  script('a deleted row', schema, first(patch("DELETE FROM sqlite_schema WHERE name='note'"))),
  script(
    'a patched trigger on a system table',
    schema,
    first(
      patch(
        `INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('trigger','x','sqlite_schema',0,'CREATE TRIGGER x AFTER INSERT ON sqlite_schema BEGIN SELECT 1; END')`,
      ),
    ),
    'malformed database schema',
  ),
]

const virtualAttacks: Attack[] = [
  script('a module that is not listed', schema, first('CREATE VIRTUAL TABLE x USING dbstat(main);\n')),
  script(
    'a module that reads files',
    tables,
    last("CREATE VIRTUAL TABLE x USING csv(filename='/etc/passwd');\n"),
  ),
  script(
    'a module behind a table called as one',
    tables,
    last('CREATE VIRTUAL TABLE "USING fts5(" USING dbstat;\n'),
  ),
  script(
    'a command to a view with a trigger',
    schema,
    last(
      `CREATE VIEW v AS SELECT 1 AS v;\nCREATE TRIGGER x INSTEAD OF INSERT ON v BEGIN DELETE FROM note; END;\nINSERT INTO "v"("v") VALUES('rebuild');\n`,
    ),
  ),
  script('a view of another database in the way of a command', schema, (content) =>
    content.replace(
      'CREATE VIRTUAL TABLE ft',
      `CREATE VIEW temp.ft AS SELECT 1 AS ft;\nCREATE TRIGGER temp.fires INSTEAD OF INSERT ON temp.ft BEGIN INSERT INTO plain VALUES (77); END;\n$&`,
    ),
  ),
  ...[
    'VIEW IF NOT EXISTS temp.x AS SELECT 1',
    'VIEW temp . "x" AS SELECT 1',
    'UNIQUE INDEX IF NOT EXISTS main.x ON note(title)',
    'TRIGGER [temp].x AFTER INSERT ON note BEGIN SELECT 1; END',
    'VIRTUAL TABLE IF NOT EXISTS temp.x USING fts5(a)',
    'VIRTUAL TABLE temp/**/.x USING fts5(a)',
  ].map((text) => script(`CREATE ${text}`, schema, last(`CREATE ${text};\n`))),
  script(
    'a setting of a view with a trigger',
    schema,
    last(
      `CREATE VIEW v AS SELECT 1 AS v, 2 AS rank;\nCREATE TRIGGER x INSTEAD OF INSERT ON v BEGIN DELETE FROM note; END;\nINSERT INTO "v"("v","rank") VALUES('x',1);\n`,
    ),
  ),
  script(
    'a trigger behind the tables of an index',
    schema,
    last(
      `CREATE VIRTUAL TABLE f USING fts5(title, content='note', content_rowid='id');\nCREATE TRIGGER x AFTER INSERT ON f_docsize BEGIN DELETE FROM note; END;\nINSERT INTO "f"("f") VALUES('rebuild');\n`,
    ),
  ),
  script(
    'a view without an end behind an index',
    schema,
    last(
      `CREATE VIEW v AS ${endless} SELECT i AS rowid, 'x' AS a FROM n;\nCREATE VIRTUAL TABLE f USING fts5(a, content='v');\nINSERT INTO "f"("f") VALUES('rebuild');\n`,
    ),
    'it fills more pages',
  ),
  script(
    'an index on an expression that fills the disk',
    schema,
    last('CREATE INDEX x ON note(hex(zeroblob(100000000+id)));\n'),
    'it fills more pages',
  ),
  script(
    'an index that is its own content',
    schema,
    last(`CREATE VIRTUAL TABLE f USING fts5(a, content='f');\nINSERT INTO "f"("f") VALUES('rebuild');\n`),
    /recursively|it fills|replay/,
  ),
]

const orderAttacks: Attack[] = [
  {
    name: 'a dump without its last file',
    changes: { [close]: () => undefined },
    message: 'ends before its last file',
  },
  {
    name: 'a dump without its transaction',
    changes: { [open]: () => undefined },
    message: 'no transaction is active',
  },
  { name: 'a second transaction', changes: { [open]: last('BEGIN;\n') }, message: 'within a transaction' },
  {
    name: 'a file of another name',
    changes: { [`${dump}/15-more.sql`]: () => 'DELETE FROM note;\n' },
    message: 'no file of a dump',
  },
]

describe.each([
  { kind: 'a statement that no dump holds', attacks: statementAttacks },
  { kind: 'a statement smuggled past the grammar', attacks: smuggleAttacks },
  { kind: 'a patch of sqlite_schema', attacks: schemaAttacks },
  { kind: 'a virtual table', attacks: virtualAttacks },
  { kind: 'the order of the files', attacks: orderAttacks },
])('$kind is refused:', ({ attacks }) => testRefusals(attacks))
