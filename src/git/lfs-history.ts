/** Which contents of Git LFS the commits of a history need. */

import { type LfsObject, lfsFolder, parseLfsPointer, storedAssetPath } from '../assets/lfs.ts'
import { RowbackError } from '../errors.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** A content with the path of a file that it is of, to be named by. */
export interface LfsFile extends LfsObject {
  path: string
}

type HistoryStore = Pick<Store, 'engine' | 'dir' | 'gitDir' | 'log' | 'listTree' | 'prefetch' | 'readBlob'>

/** A pointer has about 130 bytes; git-lfs takes nothing of more than 1,024 for one. */
const longestPointer = 1024

/**
 * The contents, each once, that appear in the commits which `tip` reaches and `known` does not; in all without `known`.
 * Paths are those of the tree. Throws RowbackError('repository').
 */
export async function lfsFilesSince(store: HistoryStore, tip: string, known?: string): Promise<LfsFile[]> {
  const paths = await (store.engine === 'native' ? pathsByLog : pathsByTree)(store, tip, known)
  await store.prefetch([...paths.keys()])
  const files: LfsFile[] = []
  for (const [oid, path] of paths) {
    const object = await readPointer(store, oid)
    if (object) files.push({ ...object, path: storedAssetPath(path) ?? path })
  }
  return files
}

/** What a blob points to; undefined where it is no pointer. */
async function readPointer(store: HistoryStore, oid: string): Promise<LfsObject | undefined> {
  const content = await store.readBlob(oid, longestPointer).catch((error: unknown) => {
    // It is too long for one, which the proof of its commit says.
    if (error instanceof RowbackError && error.code === 'dump') return undefined
    throw error
  })
  return content && parseLfsPointer(content)
}

/** Pointers by their ids, each with one of its paths. */
type PointerPaths = Map<string, string>

async function pathsByLog(store: HistoryStore, tip: string, known?: string): Promise<PointerPaths> {
  const form = ['--raw', '--no-abbrev', '--no-renames', '--root', '-m', '-z', '--format=', '--full-history']
  const range = known === undefined ? [tip] : [tip, `^${known}`]
  const listed = await git(store.gitDir, ['log', ...form, ...range, '--', lfsFolder])
  if (listed.code !== 0) throw new RowbackError('repository', `read log of ${store.dir}: ${gitCause(listed)}`)
  // Of each change: `:<mode> <mode> <old id> <new id> <kind>`, NUL, the path, NUL.
  const changes = [...listed.stdout.toString().matchAll(/:\d+ \d+ [0-9a-f]+ ([0-9a-f]+) (\w)\0([^\0]+)/g)]
  const left = changes.filter(([, , kind]) => kind !== 'D')
  return new Map(left.map(([, oid = '', , path = '']) => [oid, path]))
}

/** Without git each commit is looked at, and tells of unchanged files as well. */
async function pathsByTree(store: HistoryStore, tip: string, known?: string): Promise<PointerPaths> {
  const paths: PointerPaths = new Map()
  for await (const { oid } of store.log(tip, { known })) {
    for (const entry of (await store.listTree(oid, lfsFolder)).values()) paths.set(entry.oid, entry.path)
  }
  return paths
}
