import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { gitEnv } from '../../src/git/env.ts'
import { blobOid, type TreeEntry, treeChanges, treeOid } from '../../src/git/tree.ts'
import { stockGit, testdir } from './testdir.ts'
import { treeEntries } from './tree-entries.ts'

/** The tree that git itself makes of the entries. */
async function gitTree(dir: string, entries: TreeEntry[]): Promise<string> {
  const index = entries.map(({ mode, oid, path }) => `${mode} ${oid}\t${path}\0`).join('')
  // The protections are for checkouts on other systems; they would refuse some names that a tree can hold.
  const lenient = ['-c', 'core.protectNTFS=false', '-c', 'core.protectHFS=false']
  const options = { cwd: dir, env: gitEnv() }
  execFileSync('git', ['read-tree', '--empty'], options)
  execFileSync('git', [...lenient, 'update-index', '-z', '--index-info'], { ...options, input: index })
  return await stockGit(dir, 'write-tree', '--missing-ok')
}

test('treeOid names every tree as git write-tree does', async () => {
  const dir = await testdir()
  await stockGit(dir, 'init', '--quiet')
  await fc.assert(
    fc.asyncProperty(treeEntries, async (tree) => {
      expect(treeOid(tree)).toBe(await gitTree(dir, tree))
    }),
    { numRuns: 30 },
  )
})

test('treeOid orders a directory as if its name ended in a slash, and by bytes of UTF-8', async () => {
  const dir = await testdir()
  await stockGit(dir, 'init', '--quiet')
  const oid = blobOid(Buffer.from('x'))
  const paths = [
    'a/b',
    'a.b',
    'a0',
    'a-b',
    'A',
    'deep/er/and/deeper/f',
    'deep/er.f',
    '\u{10000}',
    '\uffee',
    ' ',
    'a\nb',
    '"',
    '\\',
  ]
  const tree = paths.map((path): TreeEntry => ({ path, mode: '100644', oid }))
  expect(treeOid(tree)).toBe(await gitTree(dir, tree))
  expect(treeOid(tree.reverse())).toBe(treeOid(tree))
})

test('the empty tree and the empty blob have the ids that all of git knows', () => {
  expect(treeOid([])).toBe('4b825dc642cb6eb9a060e54bf8d69288fbee4904')
  expect(blobOid(Buffer.alloc(0))).toBe('e69de29bb2d1d6434b8b29ae775ad8c2e48c5391')
})

test.each(['', '/a', 'a/', 'a//b', '.', 'a/../b', '.git/config', 'a/.GIT', 'a\0'])(
  'treeOid refuses the path %j, as git does',
  (path) => {
    expect(() => treeOid([{ path, mode: '100644', oid: blobOid(Buffer.alloc(0)) }])).toThrow(
      'git refuses the part',
    )
  },
)

test('treeOid refuses two entries in one place', () => {
  const entry = (path: string): TreeEntry => ({ path, mode: '100644', oid: blobOid(Buffer.alloc(0)) })
  for (const paths of [
    ['a', 'a'],
    ['a', 'a/b'],
    ['a/b', 'a'],
  ])
    expect(() => treeOid(paths.map(entry))).toThrow('another entry is in its place')
})

test('treeChanges tells new, changed and gone entries apart', () => {
  const entry = (path: string, content: string, mode: TreeEntry['mode'] = '100644'): TreeEntry => ({
    path,
    mode,
    oid: blobOid(Buffer.from(content)),
  })
  const byPath = (...list: TreeEntry[]) => new Map(list.map((item) => [item.path, item]))
  const from = byPath(entry('same', '1'), entry('edited', '1'), entry('mode', '1'), entry('gone', '1'))
  const to = byPath(entry('new', '1'), entry('same', '1'), entry('edited', '2'), entry('mode', '1', '100755'))
  expect(treeChanges(from, to)).toEqual({
    added: [entry('new', '1')],
    changed: [entry('edited', '2'), entry('mode', '1', '100755')],
    removed: [entry('gone', '1')],
  })
})
