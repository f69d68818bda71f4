/** Trees as git stores them, read without git. */

import { RowbackError } from '../../errors.ts'
import { noMode, treeDifference } from '../diff-tree.ts'
import { longestList, treeEntries, unfit } from '../ls-tree.ts'
import type { TreeDifference } from '../store.ts'
import type { TreeEntry } from '../tree.ts'
import type { EmbeddedObjects } from './objects.ts'
import { mostTags, taggedBy } from './revision.ts'

/** An entry of one tree; the name is bytes, as it may be anything. */
export interface StoredEntry {
  /** In six octal digits. */
  mode: string
  name: Buffer
  oid: string
}

const treeMode = '040000'

export function isTree({ mode }: StoredEntry): boolean {
  return mode === treeMode
}

export function isSubmodule({ mode }: StoredEntry): boolean {
  return mode === '160000'
}

/** The entries of a tree object, in its order. Throws RowbackError('repository') for a malformed one. */
export function parseTree(oid: string, content: Buffer): StoredEntry[] {
  const entries: StoredEntry[] = []
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(0x20, at)
    const nul = content.indexOf(0, space)
    const end = nul + 21
    const mode = content.toString('latin1', at, space).padStart(6, '0')
    if (space < 0 || nul < 0 || end > content.length || !/^[0-7]{6}$/.test(mode))
      throw new RowbackError('repository', `read tree ${oid}: it is malformed`, { hint: 'rowback verify' })
    entries.push({
      mode,
      name: content.subarray(space + 1, nul),
      oid: content.toString('hex', nul + 1, end),
    })
    at = end
  }
  return entries
}

/** No path is longer; trees that name one another could go on without end. */
const longestPath = 2 ** 16

/** Every file of a tree by path, in git's order; see `Store.listTree`. */
export async function listTree(
  objects: EmbeddedObjects,
  oid: string,
  under?: string,
): Promise<Map<string, TreeEntry>> {
  const root = await rootOf(objects, oid)
  const lines: Buffer[] = []
  let bytes = 0
  const wanted = under === undefined ? undefined : Buffer.from(under)
  const visit = async (tree: string, folder: Buffer): Promise<void> => {
    for (const entry of parseTree(tree, await objects.read(tree, 'tree'))) {
      const path = Buffer.concat([folder, entry.name])
      if (wanted && !leadsTo(path, wanted)) continue
      if (path.length > longestPath) throw unfit(oid, path.toString('latin1', 0, 200), 'its path is too long')
      if (isTree(entry)) await visit(entry.oid, Buffer.concat([path, slash]))
      else {
        const type = isSubmodule(entry) ? 'commit' : 'blob'
        const line = Buffer.concat([Buffer.from(`${entry.mode} ${type} ${entry.oid}\t`), path, nul])
        bytes += line.length
        if (bytes > longestList)
          throw new RowbackError('dump', `read tree ${oid}: it lists more files than a dump can have`)
        lines.push(line)
      }
    }
  }
  await visit(root, Buffer.alloc(0))
  return treeEntries(oid, Buffer.concat(lines))
}

/** The files that two commits do not share; see `Store.diffTrees`. */
export async function diffTrees(objects: EmbeddedObjects, from: string, to: string): Promise<TreeDifference> {
  const what = `${from}..${to}`
  const lines: Buffer[] = []
  let bytes = 0
  const read = async (tree: string | undefined): Promise<Map<string, StoredEntry>> => {
    const entries = tree === undefined ? [] : parseTree(tree, await objects.read(tree, 'tree'))
    return new Map(entries.map((entry) => [`${isTree(entry)} ${entry.name.toString('latin1')}`, entry]))
  }
  const visit = async (old: string | undefined, now: string | undefined, folder: Buffer): Promise<void> => {
    const [before, after] = [await read(old), await read(now)]
    for (const key of new Set([...before.keys(), ...after.keys()])) {
      const [a, b] = [before.get(key), after.get(key)]
      if (a?.oid === b?.oid && a?.mode === b?.mode) continue
      const path = Buffer.concat([folder, (a ?? (b as StoredEntry)).name])
      if (path.length > longestPath)
        throw unfit(what, path.toString('latin1', 0, 200), 'its path is too long')
      if (key.startsWith('true')) await visit(a?.oid, b?.oid, Buffer.concat([path, slash]))
      else {
        const modes = `:${a?.mode ?? noMode} ${b?.mode ?? noMode}`
        const line = Buffer.concat([Buffer.from(`${modes} ${a?.oid ?? ''} ${b?.oid ?? ''} M\0`), path, nul])
        bytes += line.length
        if (bytes > longestList)
          throw new RowbackError('dump', `compare trees ${what}: more files differ than a dump can have`)
        lines.push(line)
      }
    }
  }
  await visit(await rootOf(objects, from), await rootOf(objects, to), Buffer.alloc(0))
  return treeDifference(what, Buffer.concat(lines))
}

const slash = Buffer.from('/')
const nul = Buffer.from([0])

/** Whether a path is the wanted one, above it or below it. */
function leadsTo(path: Buffer, wanted: Buffer): boolean {
  const shared = Math.min(path.length, wanted.length)
  if (!path.subarray(0, shared).equals(wanted.subarray(0, shared))) return false
  const longer = path.length > wanted.length ? path : wanted
  return path.length === wanted.length || longer[shared] === 0x2f
}

async function rootOf(objects: EmbeddedObjects, oid: string, steps = 0): Promise<string> {
  const object = await objects.readAny(oid)
  if (object.type === 'tree') return oid
  const next =
    object.type === 'tag'
      ? taggedBy(object)
      : /^tree ([0-9a-f]{40})\n/.exec(object.content.toString('latin1', 0, 46))?.[1]
  if (object.type === 'blob' || next === undefined || steps > mostTags)
    throw new RowbackError('repository', `read tree ${oid}: it is a ${object.type}`)
  return rootOf(objects, next, steps + 1)
}
