/** Lists the files that two trees do not share. */

import { isUtf8 } from 'node:buffer'
import { RowbackError } from '../errors.ts'
import { checkedEntry, illegiblePart, longestList, unfit } from './ls-tree.ts'
import { git, gitCause } from './run.ts'
import type { TreeDifference } from './store.ts'
import type { TreeEntry } from './tree.ts'

/** See `Store.diffTrees`. */
export async function diffTrees(gitDir: string, from: string, to: string): Promise<TreeDifference> {
  const args = ['diff-tree', '-r', '-z', '--raw', '--no-abbrev', '--no-renames', '--end-of-options', from, to]
  const listed = await git(gitDir, args, { limitBytes: longestList })
  const what = `${from}..${to}`
  if (listed.stdout.length > longestList)
    throw new RowbackError('dump', `compare trees ${what}: more files differ than a dump can have`)
  if (listed.code !== 0)
    throw new RowbackError('repository', `compare trees ${what}: ${gitCause(listed)}`, {
      hint: 'rowback verify',
    })
  return treeDifference(what, listed.stdout)
}

/** The mode of a file that is not there. */
export const noMode = '000000'

/** What `git diff-tree -z` says: `:<mode> SP <mode> SP <oid> SP <oid> SP <letter> NUL <path> NUL` each. */
export function treeDifference(what: string, listed: Buffer): TreeDifference {
  if (!isUtf8(listed)) throw unfit(what, illegiblePart(listed), 'its path is not UTF-8')
  const before = new Map<string, TreeEntry>()
  const after = new Map<string, TreeEntry>()
  const parts = listed.toString().split('\0')
  for (let index = 0; index + 1 < parts.length; index += 2) {
    const [modes = '', path = ''] = parts.slice(index, index + 2)
    const [oldMode = '', newMode = '', oldOid = '', newOid = ''] = modes.slice(1).split(' ')
    for (const [side, mode, oid] of [
      [before, oldMode, oldOid],
      [after, newMode, newOid],
    ] as const) {
      if (mode === noMode) continue
      if (side.has(path)) throw unfit(what, path, 'it is there twice')
      side.set(path, checkedEntry(what, { path, mode, oid }))
    }
  }
  return { before, after }
}
