/** Attacks by the files of rows: nothing but values of the dump's own tables comes out of them. */

import { describe } from 'vitest'
import { type Attack, type Change, dump, testRefusals } from '../support/hostile.ts'

const note = `${dump}/30-rows/note/+first/+first.sql`
const tables = `${dump}/20-tables.sql`
const header = 'INSERT INTO "note"("id","title","body") VALUES\n'
const isNoRow = /line \d+ is no row of format 1/

/** A row file of `note` with that text behind its header. */
function rows(name: string, body: string | Buffer, message: string | RegExp = isNoRow): Attack {
  return { name, changes: { [note]: () => Buffer.concat([Buffer.from(header), Buffer.from(body)]) }, message }
}

/** One row of `note` with that literal as its title. */
const literal = (name: string, text: string | Buffer): Attack =>
  rows(name, Buffer.concat([Buffer.from(' (1,'), Buffer.from(text), Buffer.from(",'b')\n;\n")]))

const literalAttacks: Attack[] = [
  literal('a query', '(SELECT 1)'),
  literal('a function that reads files', "readfile('/etc/passwd')"),
  literal('a function that loads code', "load_extension('evil')"),
  literal('a function that fills the memory', 'zeroblob(1000000000)'),
  literal('replace() that grows its text', "replace('aaaa','a',hex(zeroblob(1000000)))"),
  literal('replace() with a marker of its own', "replace('aaaa','a',char(10))"),
  literal('replace() three times', `${'replace('.repeat(3)}'a'${",'\\n',char(10))".repeat(3)}`),
  literal('char() of another character', "replace('a\\nb','\\n',char(0))"),
  literal('CAST to another type', "CAST(X'31' AS INTEGER)"),
  literal('a concatenation', "'a'||'b'"),
  literal('an operator behind a number', '1<<62'),
  literal('a name', '"title"'),
  literal('a parameter', '?1'),
  literal('a comment', '/**/1'),
  literal('a text that never ends', "'a"),
  literal('half a byte', "X'ABC'"),
  literal('an integer that is out of range', '9223372036854775808'),
  literal('a hexadecimal integer', '0x10'),
  literal('a decimal that parsers read differently', '0.1000000000000000055511151231257827'),
  literal('NUL, behind which SQLite reads nothing', "'a\0b'"),
  literal('a carriage return', "'a\rb'"),
  literal('a line feed in a text', "'a\nb'"),
  literal('bytes that are no UTF-8', Buffer.from([0x27, 0xff, 0x27])),
]

const statementAttacks: Attack[] = [
  rows('a second statement', " (1,'a','b')\n;\nATTACH 'pwned.db' AS x;\n"),
  rows('a second statement on the line of a row', " (1,'a','b');DELETE FROM note;--\n;\n"),
  rows('a clause for conflicts', " (1,'a','b')\nON CONFLICT DO UPDATE SET title=1\n;\n"),
  rows('a clause that returns', " (1,'a','b')\nRETURNING 1\n;\n"),
  rows('a row too short', ' (1)\n;\n'),
  rows('a row too long', " (1,'a','b',2)\n;\n"),
  rows('no rows', ';\n'),
  {
    name: 'another verb',
    changes: { [note]: (content) => content.replace('INSERT', 'REPLACE') },
    message: isNoRow,
  },
  {
    name: 'a clause of INSERT',
    changes: { [note]: (content) => content.replace('INSERT', 'INSERT OR IGNORE') },
    message: isNoRow,
  },
  {
    name: 'a query in place of values',
    changes: { [note]: () => `${header.replace(' VALUES\n', ' SELECT 1,2,3')};\n` },
    message: isNoRow,
  },
]

/** A row file of any table. */
const file = (folder: string, text: string): Record<string, Change> => ({
  [`${dump}/30-rows/${folder}/+first/+first.sql`]: () => text,
})
const table = (sql: string): Record<string, Change> => ({ [tables]: (content) => `${content}${sql};\n` })
const otherTable = /it holds rows of another table/
const otherColumns = /its columns are not those of table/

const tableAttacks: Attack[] = [
  {
    name: 'rows of sqlite_schema',
    changes: file('sqlite_schema', 'INSERT INTO "sqlite_schema"("type") VALUES\n (1)\n;\n'),
    message: otherTable,
  },
  {
    name: 'rows of another folder',
    changes: file('note2', `${header} (9,'a','b')\n;\n`),
    message: otherTable,
  },
  {
    name: 'rows of a table behind an index',
    changes: file('own_data', 'INSERT INTO "own_data"("id","block") VALUES\n (10,X\'00\')\n;\n'),
    message: otherTable,
  },
  {
    name: 'rows of a table of the module',
    changes: file('dbstat', 'INSERT INTO "dbstat"("name") VALUES\n (1)\n;\n'),
    message: otherTable,
  },
  {
    name: 'a command to a full-text index',
    changes: file('own', 'INSERT INTO "own"("own","rank") VALUES\n (\'pgsz\',64)\n;\n'),
    message: otherColumns,
  },
  {
    name: 'a command beside the content',
    changes: file('own', 'INSERT INTO "own"("rowid","words","own") VALUES\n (1,\'a\',\'delete\')\n;\n'),
    message: otherColumns,
  },
  {
    name: 'a column left to its DEFAULT',
    changes: {
      ...table('CREATE TABLE g(a, b DEFAULT (hex(zeroblob(400000000))))'),
      ...file('g', 'INSERT INTO "g"("rowid","a") VALUES\n (1,1)\n;\n'),
    },
    message: otherColumns,
  },
  {
    name: 'a column left to its expression',
    changes: {
      ...table('CREATE TABLE g(a, b AS (hex(zeroblob(a))) STORED)'),
      ...file('g', 'INSERT INTO "g"("rowid","a") VALUES\n (1,400000000)\n;\n'),
    },
    message: otherColumns,
  },
  {
    name: 'a column given twice',
    changes: file('plain', 'INSERT INTO "plain"("rowid","a","a") VALUES\n (1,1,2)\n;\n'),
    message: otherColumns,
  },
  {
    name: 'an index on an expression that fills the disk',
    changes: {
      ...table('CREATE TABLE g(a, b AS (hex(zeroblob(a))) UNIQUE)'),
      ...file('g', 'INSERT INTO "g"("rowid","a") VALUES\n (1,50000000)\n;\n'),
    },
    message: 'it fills more pages',
  },
  {
    name: 'a row that is there twice',
    changes: {
      [note.replace('/+first.sql', '/0000000000000000009.sql')]: () => `${header} (1,'a','b')\n;\n`,
    },
    message: 'UNIQUE constraint failed',
  },
]

const noFile = /it is no file of a dump/

const pathAttacks: Attack[] = [
  ...[
    'note/+first/note.sql',
    'note/a/+first.sql',
    'note/+first.sql',
    'note/+first/+first/+first.sql',
    'note/+first/+first.sql.sh',
    'note/+first/\x1b[2J.sql',
  ].map((path) => ({
    name: `a row file called ${JSON.stringify(path)}`,
    changes: {
      [`${dump}/30-rows/${path}`]: () => `${header} (9,'a','b')\n;\n`,
      ...(path === 'note/+first.sql' ? { [note]: () => undefined } : {}),
    },
    message: noFile,
  })),
]

describe.each([
  { kind: 'a literal', attacks: literalAttacks },
  { kind: 'a statement', attacks: statementAttacks },
  { kind: 'a table', attacks: tableAttacks },
  { kind: 'a path', attacks: pathAttacks },
])('$kind that no dump has is refused:', ({ attacks }) => testRefusals(attacks))
