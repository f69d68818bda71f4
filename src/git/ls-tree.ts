/** Lists the files of a tree. */

import { isUtf8 } from 'node:buffer'
import { RowbackError } from '../errors.ts'
import { git, gitCause } from './run.ts'
import type { TreeEntry } from './tree.ts'

const modes: readonly TreeEntry['mode'][] = ['100644', '100755', '120000']

/** The longest list of files that is read, in bytes: about two million. Trees can name one subtree again and again. */
export const longestList = 2 ** 28

/** Every file of a tree by path, in git's order; see `Store.listTree`. */
export async function listTree(
  gitDir: string,
  treeish: string,
  under?: string,
): Promise<Map<string, TreeEntry>> {
  // Without --literal-pathspecs a path that begins with `:` would be read as a pattern.
  const args = ['--literal-pathspecs', 'ls-tree', '-r', '-z', '--full-tree', '--end-of-options', treeish]
  const listed = await git(gitDir, under === undefined ? args : [...args, '--', under], {
    limitBytes: longestList,
  })
  if (listed.stdout.length > longestList)
    throw new RowbackError('dump', `read tree ${treeish}: it lists more files than a dump can have`)
  if (listed.code !== 0)
    throw new RowbackError('repository', `read tree ${treeish}: ${gitCause(listed)}`, {
      hint: 'rowback verify',
    })
  return treeEntries(treeish, listed.stdout)
}

/**
 * The entries of `git ls-tree -z` output: `<mode> SP <type> SP <oid> TAB <path> NUL` each. Their texts are cut from the
 * bytes: parts of one text would keep all of it in memory.
 */
export function treeEntries(treeish: string, listed: Buffer): Map<string, TreeEntry> {
  if (!isUtf8(listed)) {
    const line = illegiblePart(listed)
    throw unfit(treeish, line.slice(line.indexOf('\t') + 1), 'its path is not UTF-8')
  }
  const entries = new Map<string, TreeEntry>()
  let last = listed.subarray(0, 0)
  for (let [at, end] = [0, listed.indexOf(0)]; end >= 0; at = end + 1, end = listed.indexOf(0, at)) {
    const tab = listed.indexOf('\t', at)
    const bytes = listed.subarray(tab + 1, end)
    const path = bytes.toString()
    const mode = listed.toString('latin1', at, at + 6)
    const entry = checkedEntry(treeish, { path, mode, oid: listed.toString('latin1', tab - 40, tab) })
    if (bytes.compare(last) <= 0) throw unfit(treeish, path, 'it is there twice, or not in its place')
    last = bytes
    entries.set(path, entry)
  }
  return entries
}

/** An entry with any mode; throws where a dump never holds one. */
export function checkedEntry(
  treeish: string,
  { path, mode, oid }: Record<keyof TreeEntry, string>,
): TreeEntry {
  const known = modes.find((one) => one === mode)
  if (known === undefined) throw unfit(treeish, path, `its mode is ${mode}, no file's and no symbolic link's`)
  return { path, mode: known, oid }
}

/** Which of the NUL-ended parts is not UTF-8, a character a byte. */
export function illegiblePart(listed: Buffer): string {
  const parts = listed.toString('latin1').split('\0')
  return parts.find((text) => !isUtf8(Buffer.from(text, 'latin1'))) ?? ''
}

export function unfit(treeish: string, path: string, cause: string): RowbackError {
  return new RowbackError(
    'dump',
    `read tree ${treeish}: entry ${JSON.stringify(path)} may not be in a dump: ${cause}`,
  )
}
