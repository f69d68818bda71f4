/** Trees and blobs as git names them; pure. The rules: gitformat-pack(5) and git's `base_name_compare`. */

import { createHash } from 'node:crypto'
import { RowbackError } from '../errors.ts'

/** One file of a tree. `path` is UTF-8, its parts separated by `/`; `oid` is 40 hexadecimal digits. */
export interface TreeEntry {
  path: string
  mode: '100644' | '100755' | '120000'
  oid: string
}

type Directory = Map<string, Directory | TreeEntry>

/** A tree object; its content is as git stores it. */
export interface TreeObject {
  oid: string
  content: Buffer
}

/** The object id of a blob with that content. */
export function blobOid(content: Buffer): string {
  return objectOid('blob', content).toString('hex')
}

/**
 * The object id of the root tree that holds the entries, in whatever order they come.
 * Throws RowbackError('fault') if two entries cannot be in one tree, or a path has a part that git refuses.
 */
export function treeOid(entries: Iterable<TreeEntry>): string {
  const root: Directory = new Map()
  for (const entry of entries) insert(root, entry)
  return directoryOid(root).toString('hex')
}

/**
 * The trees of a commit whose files are `before`, then without `remove`, then with `add`: the root comes last. As
 * `git fast-import` does it: what stands in the way of a path goes, and so do directories that hold nothing.
 * Throws RowbackError('fault') for a path with a part that git refuses.
 */
export function changedTrees(
  before: Iterable<TreeEntry>,
  { add, remove }: { add: Iterable<TreeEntry>; remove: Iterable<string> },
): TreeObject[] {
  const root: Directory = new Map()
  for (const entry of before) insert(root, entry)
  for (const path of remove) removePath(root, treePathParts(path))
  for (const entry of add) replacePath(root, treePathParts(entry.path), entry)
  const trees: TreeObject[] = []
  directoryOid(root, (tree) => trees.push(tree))
  return trees
}

/** Returns whether the directory is empty afterwards. */
function removePath(directory: Directory, [name = '', ...rest]: string[]): boolean {
  const child = directory.get(name)
  if (rest.length === 0 || (child instanceof Map && removePath(child, rest))) directory.delete(name)
  return directory.size === 0
}

function replacePath(root: Directory, parts: string[], entry: TreeEntry): void {
  let directory = root
  for (const part of parts.slice(0, -1)) {
    const found = directory.get(part)
    const child: Directory = found instanceof Map ? found : new Map()
    directory.set(part, child)
    directory = child
  }
  directory.set(parts.at(-1) as string, entry)
}

/** What leads from one tree to another: entries of `to` that are new or differ, entries of `from` that are gone. */
export function treeChanges(
  from: ReadonlyMap<string, TreeEntry>,
  to: ReadonlyMap<string, TreeEntry>,
): { added: TreeEntry[]; changed: TreeEntry[]; removed: TreeEntry[] } {
  const added: TreeEntry[] = []
  const changed: TreeEntry[] = []
  for (const entry of to.values()) {
    const old = from.get(entry.path)
    if (!old) added.push(entry)
    else if (old.oid !== entry.oid || old.mode !== entry.mode) changed.push(entry)
  }
  return { added, changed, removed: [...from.values()].filter(({ path }) => !to.has(path)) }
}

/**
 * The parts of a tree path. Throws RowbackError('fault') for a part that git refuses to check out or to receive
 * (`git fsck`: emptyName, hasDot, hasDotdot, hasDotgit): whoever names files has to escape such a name.
 */
export function treePathParts(path: string): string[] {
  const parts = path.split('/')
  const refused = parts.find((part) => /^(|\.|\.\.|\.git)$/i.test(part) || part.includes('\0'))
  if (refused === undefined) return parts
  throw new RowbackError(
    'fault',
    `name tree entry ${JSON.stringify(path)}: git refuses the part ${JSON.stringify(refused)}`,
  )
}

function insert(root: Directory, entry: TreeEntry): void {
  const parts = treePathParts(entry.path)
  const name = parts.pop() as string
  let directory = root
  for (const part of parts) {
    const child = directory.get(part) ?? new Map()
    if (!(child instanceof Map)) throw twice(entry.path)
    directory.set(part, child)
    directory = child
  }
  if (directory.has(name)) throw twice(entry.path)
  directory.set(name, entry)
}

function twice(path: string): RowbackError {
  return new RowbackError('fault', `name tree entry ${JSON.stringify(path)}: another entry is in its place`)
}

/** The id of a directory; `onTree` gets each tree in it, and then its own. */
function directoryOid(directory: Directory, onTree?: (tree: TreeObject) => void): Buffer {
  const children = [...directory].map(([text, child]) => {
    const name = Buffer.from(text)
    // git orders a directory as if its name ended in `/`, by bytes.
    return { child, name, order: child instanceof Map ? Buffer.from(`${text}/`) : name }
  })
  children.sort((a, b) => Buffer.compare(a.order, b.order))
  const lines = children.flatMap(({ name, child }) =>
    child instanceof Map
      ? [directoryMode, name, nul, directoryOid(child, onTree)]
      : [modes[child.mode], name, nul, Buffer.from(child.oid, 'hex')],
  )
  const content = Buffer.concat(lines)
  const oid = objectOid('tree', content)
  onTree?.({ oid: oid.toString('hex'), content })
  return oid
}

const nul = Buffer.from([0])
const directoryMode = Buffer.from('40000 ')
const modes: Record<TreeEntry['mode'], Buffer> = {
  '100644': Buffer.from('100644 '),
  '100755': Buffer.from('100755 '),
  '120000': Buffer.from('120000 '),
}

/** The object id of whatever has that type and content. */
export function objectOid(type: string, content: Buffer): Buffer {
  return createHash('sha1').update(`${type} ${content.length}\0`).update(content).digest()
}
