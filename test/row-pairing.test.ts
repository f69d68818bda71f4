/** By which columns rows are matched where a table has another key on each side. */

import { expect, test } from 'vitest'
import type { TableKey } from '../src/dump/manifest.ts'
import { type Pairing, pairingOf } from '../src/row-pairing.ts'

const both = (...names: string[]): Pairing => ({ before: names, after: names })

test.each<[string, TableKey, string[], TableKey, string[], Pairing]>([
  ['the same rowid', 'rowid', ['id', 'v'], 'rowid', ['id', 'w'], 'rowid'],
  ['a rowid that gets another name', 'rowid', ['rowid', 'v'], 'rowid', ['id', 'v'], 'rowid'],
  ['another rowid', 'rowid', ['a', 'b'], 'rowid', ['b', 'a'], both('b', 'a')],
  ['a column that becomes the rowid', 'rowid', ['rowid', 'id'], 'rowid', ['id'], both('id')],
  ['a rowid that becomes a key', 'rowid', ['id', 'v'], ['id'], ['id', 'v', 'w'], both('id')],
  ['a key for rowids', 'rowid', ['rowid', 'k', 'v'], ['k'], ['k', 'v'], both('k')],
  ['the same key', ['k'], ['k', 'v'], ['k'], ['k', 'w'], both('k')],
  ['another key', ['a'], ['a', 'b', 'c'], ['b'], ['b', 'a', 'c'], both('b', 'a')],
  ['a key with one more column', ['id'], ['id', 'v'], ['group', 'id'], ['group', 'id', 'v'], both('id')],
  [
    'a renamed column of a key',
    ['k', 'l'],
    ['k', 'l', 'v'],
    ['kk', 'l'],
    ['kk', 'l', 'v'],
    { before: ['k', 'l'], after: ['kk', 'l'] },
  ],
  [
    'a part of either key',
    ['a', 'b'],
    ['a', 'b', 'v'],
    ['c', 'b', 'd'],
    ['c', 'b', 'd', 'v'],
    both('b', 'v'),
  ],
  ['nothing', ['a', 'b'], ['a', 'b'], ['c'], ['c', 'd'], 'position'],
  ['no key, with one more column', 'position', ['a', 'b'], 'position', ['b', 'c', 'a'], both('b', 'a')],
])('%s.', (_, old, before, now, after, expected) => {
  expect(pairingOf(old, now, { before, after })).toEqual(expected)
})

test.each<[string, TableKey, TableKey, Pairing]>([
  ['rowids', 'rowid', 'rowid', 'rowid'],
  ['no keys', 'position', 'position', 'position'],
  ['keys', ['a'], ['a'], both('a')],
  ['a longer key', ['a'], ['a', 'b'], both('a', 'b')],
  ['a rowid that becomes a key', 'rowid', ['a'], both('a')],
])('%s with the same columns.', (_, old, now, expected) => {
  expect(pairingOf(old, now, undefined)).toEqual(expected)
})
