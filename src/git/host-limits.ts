/**
 * What hosts of git repositories refuse, looked up before anything is sent: GitHub takes no file over 100 MiB, no push
 * over 2 GiB, and advises against more than 3,000 entries in a directory (its documentation, "Repository limits").
 */

import { pipeline } from 'node:stream/promises'
import { number } from '../number.ts'
import { ByteReader } from './byte-reader.ts'
import { git, gitCause, mapsLittle, startGit } from './run.ts'
import type { Store } from './store.ts'

export interface HostLimits {
  fileBytes: number
  pushBytes: number
  entries: number
}

export const hostLimits: HostLimits = { fileBytes: 100 * 2 ** 20, pushBytes: 2 ** 31, entries: 3000 }

/** Something of a push that is over a limit. */
export interface OverLimit {
  kind: 'file' | 'push' | 'directory'
  /** In the commit; undefined for the push as a whole. */
  path: string | undefined
  /** Bytes of a file or a push, entries of a directory. */
  size: number
}

/** What a push of all that `tip` reaches comes to. */
export interface PushSize {
  /** What is sent, at most. */
  bytes: number
  /** The largest version of each path that is over a limit. */
  over: OverLimit[]
}

/** A tree's entry is a mode, a path of one letter, two separators and an id: no tree with more entries is shorter. */
const shortestEntry = '100644 x\0'.length + 20

/**
 * The size of a push that sends all that `tip` reaches, at most `partBytes` at once, and what of it is over the limits.
 * Throws an Error of git's words.
 */
export async function pushSize(
  store: Store,
  tip: string,
  partBytes: number,
  limits: HostLimits = hostLimits,
): Promise<PushSize> {
  const over = new Map<string, OverLimit>()
  const note = (found: OverLimit): void => {
    const key = `${found.kind} ${found.path}`
    if (found.size > (over.get(key)?.size ?? 0)) over.set(key, found)
  }
  let bytes = 0
  let largest = 0
  for await (const { type, size, onDisk, path, countEntries } of await objectsOf(store, tip)) {
    bytes += onDisk
    largest = Math.max(largest, onDisk)
    if (type === 'blob' && size > limits.fileBytes) note({ kind: 'file', path, size })
    if (type === 'tree' && size > limits.entries * shortestEntry) {
      const entries = await countEntries()
      if (entries > limits.entries) note({ kind: 'directory', path: path || '.', size: entries })
    }
  }
  // A part is only larger than it should be where one file is. Without git there are no parts.
  const part = store.engine === 'native' ? Math.min(bytes, partBytes) : bytes
  const atOnce = Math.max(largest, part)
  if (atOnce > limits.pushBytes) note({ kind: 'push', path: undefined, size: atOnce })
  return { bytes, over: [...over.values()] }
}

/** An object that a push of everything sends. */
export interface ReachableObject {
  type: string
  size: number
  /** What it takes of a push, at most. */
  onDisk: number
  /** Where it was first seen; empty for commits and their trees. */
  path: string
  /** Of a tree. */
  countEntries: () => Promise<number>
}

async function objectsOf(store: Store, tip: string): Promise<AsyncGenerator<ReachableObject>> {
  if (store.engine === 'native') return reachableObjects(store.gitDir, tip)
  const { objectsToSend } = await import('./embedded/push-size.ts')
  return objectsToSend(store.gitDir, tip)
}

async function* reachableObjects(gitDir: string, tip: string): AsyncGenerator<ReachableObject> {
  const list = startGit(gitDir, ['rev-list', '--objects', tip])
  const format = '%(objectname) %(objecttype) %(objectsize) %(objectsize:disk) %(rest)'
  const sizes = startGit(gitDir, [...mapsLittle, 'cat-file', '--buffer', `--batch-check=${format}`])
  const piping = pipeline(list.stdout, sizes.stdin)
  piping.catch(() => {})
  try {
    const lines = new ByteReader(sizes.stdout)
    for (let line = await lines.line(); line !== undefined; line = await lines.line()) {
      const [oid = '', type = '', size, onDisk, ...path] = line.split(' ')
      const countEntries = () => entriesOf(gitDir, oid)
      yield { type, size: Number(size), onDisk: Number(onDisk), path: path.join(' '), countEntries }
    }
    for (const end of [await list.ended, await sizes.ended])
      if (end.code !== 0) throw new Error(gitCause(end))
  } finally {
    list.kill()
    sizes.kill()
  }
}

async function entriesOf(gitDir: string, tree: string): Promise<number> {
  const listed = await git(gitDir, ['ls-tree', '-z', '--name-only', tree])
  if (listed.code !== 0) throw new Error(gitCause(listed))
  return listed.stdout.toString('latin1').split('\0').length - 1
}

/** What is over a limit, in words. */
export function overLimitText({ kind, path, size }: OverLimit): string {
  const megabytes = (bytes: number) => `${number(Math.ceil(bytes / 2 ** 20))} MiB`
  if (kind === 'directory')
    return `directory ${JSON.stringify(path)} has ${number(size)} entries, more than the ${number(hostLimits.entries)} that hosts like GitHub advise`
  if (kind === 'push')
    return `${megabytes(size)} go at once, and hosts like GitHub refuse more than ${megabytes(hostLimits.pushBytes)}`
  return `file ${JSON.stringify(path)} has ${megabytes(size)}, and hosts like GitHub refuse more than ${megabytes(hostLimits.fileBytes)}`
}
