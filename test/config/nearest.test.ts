import { expect, it } from 'vitest'
import { nearest } from '../../src/config/nearest.ts'

const keys = ['source', 'remote', 'exclude-tables', 'full-text', 'busy-timeout', 'hook', 'name']

it.each([
  ['sorce', 'source'],
  ['Source', 'source'],
  ['exclude_tables', 'exclude-tables'],
  ['excludedTables', 'exclude-tables'],
  ['fulltext', 'full-text'],
  ['timeout', 'busy-timeout'],
  ['hooks', 'hook'],
])('takes %s for %s', (word, key) => {
  expect(nearest(word, keys)).toBe(key)
})

it.each(['', 'x', 'schedule', 'password', 'q'.repeat(100_000)])('takes %.20s for nothing', (word) => {
  expect(nearest(word, keys)).toBeUndefined()
})
