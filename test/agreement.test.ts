import { expect, it } from 'vitest'
import { type AgreementSide, type AssetColumn, agreementOf, type KnownReferences } from '../src/agreement.ts'
import type { AssetEntry } from '../src/assets/manifest.ts'
import type { TableKey } from '../src/dump/manifest.ts'
import { manifestOf } from './support/manifest.ts'

const databasePath: AgreementSide['databasePath'] = ({ path = 'main.db' }) => path

/** A tree with one table in one database; each chunk is a list of rows, a row the literals of its two columns. */
function treeOf(key: TableKey, chunks: Record<string, [string, string][]>) {
  const manifest = manifestOf([{ name: 't', rows: 1, key }])
  const contents = new Map<string, string>()
  const entries: AgreementSide['entries'] = new Map(
    Object.entries(chunks).map(([name, rows]) => {
      const lines = rows.map(([id, file], index) => `${index === 0 ? ' ' : ','}(${id},${file})\n`)
      contents.set(name, `INSERT INTO "t"("id","file") VALUES\n${lines.join('')};\n`)
      const path = `databases/app.db/30-rows/t/+first/${name}.sql`
      return [path, { path, mode: '100644', oid: name }]
    }),
  )
  const reads: string[] = []
  const read = async (oid: string) => {
    reads.push(oid)
    return Buffer.from(contents.get(oid) ?? '')
  }
  return { side: { manifest, entries, databasePath }, read, reads }
}

const column: AssetColumn = { table: 't', column: 'file', folder: 'f' }

function assetsOf(...paths: string[]): AssetEntry[] {
  return paths.map((path) => ({ kind: 'unreadable', path }))
}

it('a row without a key is named by its place in the table, also behind chunks that are known', async () => {
  const tree = treeOf('position', {
    '+first': [
      ['0', "'a'"],
      ['0', "'b'"],
    ],
    '0000000000000000003': [['0', "'c'"]],
  })
  const first = await agreementOf(tree.side, assetsOf('f/a', 'g/x', 'f/y'), [column], tree.read)
  expect(first.agreement).toEqual({
    missing: [
      { database: 'app.db', table: 't', column: 'file', row: '2', path: 'f/b' },
      { database: 'app.db', table: 't', column: 'file', row: '3', path: 'f/c' },
    ],
    unnamed: ['f/y'],
    unknown: [],
  })
  expect(tree.reads).toHaveLength(2)
  const again = await agreementOf(tree.side, assetsOf('f/a', 'f/b'), [column], tree.read, first.references)
  expect(again.agreement.missing.map(({ row }) => row)).toEqual(['3'])
  expect(again.references).toEqual(first.references)
  expect(tree.reads).toHaveLength(2)
})

it('chunks that are gone are forgotten, and another column does not take what one knows', async () => {
  const tree = treeOf('rowid', { '+first': [['7', "'a'"]] })
  const known: KnownReferences = new Map([['0 gone', { rows: 1, named: [{ row: 1, path: 'gone' }] }]])
  const id: AssetColumn = { ...column, column: 'id' }
  const { agreement, references } = await agreementOf(tree.side, [], [column, id], tree.read, known)
  expect(agreement.missing.map(({ row, path }) => [row, path])).toEqual([
    ['7', 'f/a'],
    ['7', 'f/7'],
  ])
  expect([...references.keys()]).toEqual(['0 +first', '1 +first'])
})

it.each([
  ["'a b/ü'", 'f/a b/ü'],
  ["'./x//y/'", 'f/x/y'],
  ["'/x'", 'f/x'],
  ["'../x'", 'x'],
  ["replace('x\\ny','\\n',char(10))", 'f/x\ny'],
  ["CAST(X'78FF' AS TEXT)", 'f/x\udcff'],
  ["X'78'", 'f/x'],
  ['12', 'f/12'],
])('the value %s names %j', async (literal, path) => {
  const tree = treeOf('rowid', { '+first': [['1', literal]] })
  const { agreement } = await agreementOf(tree.side, [], [column], tree.read)
  expect(agreement.missing.map((file) => file.path)).toEqual([path])
})

it.each(['NULL', "''", "'http://a.example/x'"])('the value %s names nothing', async (literal) => {
  const tree = treeOf('rowid', { '+first': [['1', literal]] })
  expect((await agreementOf(tree.side, [], [column], tree.read)).agreement.missing).toEqual([])
})

it('a database, a directory in which anything is, and the source itself are there', async () => {
  const tree = treeOf('rowid', {
    '+first': [
      ['1', "'../app.db'"],
      ['2', "'d'"],
      ['3', "'..'"],
    ],
  })
  const { agreement } = await agreementOf(tree.side, assetsOf('f/d/e/x'), [column], tree.read)
  expect(agreement.missing).toEqual([])
  const here = treeOf('rowid', { '+first': [['1', "'.'"]] })
  const source = { ...column, folder: '.' }
  expect((await agreementOf(here.side, [], [source], here.read)).agreement.missing).toEqual([])
})

it('a table without rows may have the column', async () => {
  const tree = treeOf('rowid', {})
  const wrong = { ...column, table: 'nil' }
  expect((await agreementOf(tree.side, [], [column, wrong], tree.read)).agreement.unknown).toEqual([
    'nil.file',
  ])
})
