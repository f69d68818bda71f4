/** The words in which a difference is told. */

import { describe, expect, it } from 'vitest'
import type { CommitTree } from '../src/commit-tree.ts'
import { differenceText } from '../src/difference.ts'
import type { TreeEntry } from '../src/git/tree.ts'

const path = 'databases/main/30-rows/%C3%A4/+first/+first.sql'

function commit(): CommitTree {
  const tables = [{ name: 'ä', rows: 1, key: 'rowid' as const }]
  const databases = [
    { name: 'main', path: 'a b.db', fullText: 'logical' as const, excludedTables: [], tables },
  ]
  return {
    commit: {
      oid: '1'.repeat(40),
      tree: '2'.repeat(40),
      parents: [],
      author: { name: 'A', email: 'a@example.org', time: 0, timezone: '+0000' },
      message: '',
      subject: '',
      trailers: new Map(),
      signed: undefined,
    },
    entries: new Map(),
    manifest: { format: 1, source: 'file', databases, assets: { files: 0, bytes: 0 } },
  }
}

function entries(oid: string, mode: TreeEntry['mode'] = '100644'): Map<string, TreeEntry> {
  return new Map([[path, { path, mode, oid: oid.repeat(40) }]])
}

/** What is said of one file with these contents. */
function texts(stored: string, made: string): Promise<string | undefined> {
  return differenceText(commit(), entries('a'), entries('b'), {
    stored: async () => Buffer.from(stored),
    made: async () => Buffer.from(made),
  })
}

const place = `table "ä" of database "a b.db": ${path} line 2 came back different`

describe('differenceText', () => {
  it('says nothing of equal trees', async () => {
    const read = async () => Buffer.alloc(0)
    expect(
      await differenceText(commit(), entries('a'), entries('a'), { stored: read, made: read }),
    ).toBeUndefined()
  })

  it('shows of a long row the key and what surrounds the difference', async () => {
    const before = 'é'.repeat(5000)
    const row = (value: string): string => `INSERT\n (17,'${before}${value}${'z'.repeat(500)}')\n;\n`
    const shown = (value: string): string =>
      JSON.stringify(`(17,'${'é'.repeat(35)}…${'é'.repeat(20)}${value}${'z'.repeat(99)}…`)
    expect(await texts(row('X'), row('Y'))).toBe(`${place}: expected ${shown('X')}, found ${shown('Y')}`)
  })

  it('shows the whole of a short row, with nothing that could control a terminal', async () => {
    expect(await texts("INSERT\n (1,'\x1b[2J')\n;\n", "INSERT\n (1,'[2J')\n;\n")).toBe(
      `${place}: expected "(1,'\\u001b[2J')", found "(1,'[2J')"`,
    )
  })

  it('says where a file has ended', async () => {
    expect(await texts('INSERT\n (1)\n;\n', 'INSERT\n')).toBe(
      `${place}: expected "(1)", found the end of the file`,
    )
    expect(await texts('INSERT\n', 'INSERT\n\n')).toBe(`${place}: expected the end of the file, found ""`)
  })

  it('tells a mode from a content, and a damaged object from both', async () => {
    const read = async () => Buffer.from('INSERT\n (1)\n;\n')
    const both = { stored: read, made: read }
    expect(await differenceText(commit(), entries('a', '100755'), entries('a'), both)).toBe(
      `${path} has the mode 100755, not 100644`,
    )
    expect(await differenceText(commit(), entries('a'), entries('b'), both)).toBe(
      `${path} does not hold what its id ${'a'.repeat(40)} says; the repository is damaged`,
    )
  })
})
