/** Which rows differ between two trees, whatever chunks they lie in. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Manifest, TableKey } from '../src/dump/manifest.ts'
import { rowHeader } from '../src/dump/rows.ts'
import { blobOid, type TreeEntry } from '../src/git/tree.ts'
import { type TreeSide, tableChanges } from '../src/row-changes.ts'

interface TestRow {
  id: number
  value: number
  /** Whether a chunk begins with it. */
  cuts: boolean
}

const blobs = new Map<string, Buffer>()

/** Reads as a store does: each caller gets a content of its own. */
async function read(oid: string): Promise<Buffer> {
  return Buffer.concat([blobs.get(oid) as Buffer])
}

/** A tree with one table, whose rows are cut into chunks and directories. */
function side(rows: readonly TestRow[], key: TableKey, columns: readonly string[]): TreeSide {
  const entries = new Map<string, TreeEntry>()
  let chunk: string[] = []
  let path = '+first/+first'
  const end = (): void => {
    if (chunk.length === 0) return
    const content = Buffer.from(`${rowHeader('t', columns)} ${chunk.join('\n,')}\n;\n`)
    const file = { path: `databases/d/30-rows/t/${path}.sql`, mode: '100644' as const, oid: blobOid(content) }
    blobs.set(file.oid, content)
    entries.set(file.path, file)
    chunk = []
  }
  for (const row of rows) {
    if (row.cuts && chunk.length > 0) {
      end()
      const name = key === 'rowid' ? `${row.id}`.padStart(19, '0') : nameOf(key, row.id, entries.size)
      path = `${row.id % 3 === 0 ? name : path.slice(0, path.indexOf('/'))}/${name}`
    }
    chunk.push(literals(row, columns))
  }
  end()
  const manifest: Manifest = {
    format: 1,
    source: 'file',
    databases: [
      { name: 'd', fullText: 'logical', excludedTables: [], tables: [{ name: 't', rows: rows.length, key }] },
    ],
    assets: { files: 0, bytes: 0 },
  }
  return { manifest, entries }
}

/** Several rows without a key may be the same, and begin a chunk each. */
function nameOf(key: TableKey, id: number, nth: number): string {
  return blobOid(Buffer.from(key === 'position' ? `${id} ${nth}` : `${id}`)).slice(0, 32)
}

function literals({ id, value }: TestRow, columns: readonly string[]): string {
  return `(${[id, `'v${value}'`, ...columns.slice(2).map(() => 'NULL')].join(',')})`
}

async function changesOf(before: TreeSide, after: TreeSide): Promise<string[]> {
  const found: string[] = []
  for (const { changes } of tableChanges(before, after, read))
    for await (const list of changes)
      for (const change of list) found.push(`${change.kind} ${change.before} ${change.after}`)
  return found
}

const row = fc.record({ id: fc.nat(60), value: fc.nat(2), cuts: fc.boolean() })
const table = fc
  .uniqueArray(row, { selector: ({ id }) => id, maxLength: 40 })
  .map((rows) => rows.sort((a, b) => a.id - b.id))
const columns = fc.constantFrom<string[][]>(['id', 'v'], ['id', 'v', 'w'])
const twoTables = [table, columns, table, columns] as const

/** What differs, matched by the key as one would with both tables at hand, in the order of the keys. */
function expected(before: TestRow[], old: string[], after: TestRow[], now: string[]): string[] {
  const bare = (row: TestRow, names: string[]): string => literals(row, names).slice(1, -1)
  const ids = [...new Set([...before, ...after].map(({ id }) => id))].sort((a, b) => a - b)
  return ids.flatMap((id) => {
    const [left, right] = [before, after].map((rows) => rows.find((one) => one.id === id))
    if (!right) return left ? [`removed ${bare(left, old)} undefined`] : []
    if (!left) return [`added undefined ${bare(right, now)}`]
    const isSame = bare(left, old) === bare(right, now)
    return isSame ? [] : [`changed ${bare(left, old)} ${bare(right, now)}`]
  })
}

test('rows with integer keys are matched in the order of their keys.', async () => {
  await fc.assert(
    fc.asyncProperty(...twoTables, async (before, old, after, now) => {
      const found = await changesOf(side(before, 'rowid', old), side(after, 'rowid', now))
      expect(found).toEqual(expected(before, old, after, now))
    }),
  )
})

test('rows with other keys are matched wherever their chunks lie.', async () => {
  await fc.assert(
    fc.asyncProperty(...twoTables, async (before, old, after, now) => {
      const found = await changesOf(side(before, ['id'], old), side(after, ['id'], now))
      expect(found.sort()).toEqual(expected(before, old, after, now).sort())
    }),
  )
})

test('rows without a key are there or not, each as often as it is.', async () => {
  const some = fc.array(row, { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(some, some, async (before, after) => {
      const names = ['id', 'v']
      const left = before.map((one) => literals(one, names).slice(1, -1))
      const expected = after.flatMap((one) => {
        const text = literals(one, names).slice(1, -1)
        const at = left.indexOf(text)
        if (at >= 0) left.splice(at, 1)
        return at >= 0 ? [] : [`added undefined ${text}`]
      })
      const found = await changesOf(side(before, 'position', names), side(after, 'position', names))
      expect(found.sort()).toEqual([...expected, ...left.map((text) => `removed ${text} undefined`)].sort())
    }),
  )
})

test('a changed row has the columns of both sides where they differ.', async () => {
  const rows = [1, 2].map((id) => ({ id, value: id, cuts: false }))
  const [old, now] = [side(rows, 'rowid', ['id', 'v', 'w']), side(rows, 'rowid', ['id', 'v'])]
  const same = side([{ id: 1, value: 9, cuts: false }], 'rowid', ['id', 'v'])
  const columnsOf = async (before: TreeSide, after: TreeSide): Promise<unknown[]> => {
    const found: unknown[] = []
    for (const { columns, changes } of tableChanges(before, after, read)) {
      found.push(await columns())
      for await (const list of changes)
        for (const { kind, columns, columnsBefore } of list) found.push([kind, columns, columnsBefore])
    }
    return found
  }
  const changed = ['changed', ['id', 'v'], ['id', 'v', 'w']]
  expect(await columnsOf(old, now)).toEqual([
    { before: ['id', 'v', 'w'], after: ['id', 'v'] },
    changed,
    changed,
  ])
  expect(await columnsOf(now, same)).toEqual([
    undefined,
    ['changed', ['id', 'v'], undefined],
    ['removed', ['id', 'v'], undefined],
  ])
  expect(await columnsOf(old, side([], 'rowid', ['id']))).toEqual([
    undefined,
    ['removed', ['id', 'v', 'w'], undefined],
    ['removed', ['id', 'v', 'w'], undefined],
  ])
})
