/**
 * Cuts what a push has to send into parts of a bounded size: hosts refuse packs over some limit, often 2 GB. Whole
 * commits go to the branch one after another; the blobs of a commit that is larger alone go before it.
 */

import { pipeline } from 'node:stream/promises'
import { ByteReader } from './byte-reader.ts'
import type { ObjectType } from './objects.ts'
import { listPacks } from './repack.ts'
import { git, gitCause, mapsLittle, startGit } from './run.ts'
import type { Store } from './store.ts'

/** An object that the remote does not have. */
export interface NewObject {
  oid: string
  type: ObjectType
  /** What it takes in a pack, at most. */
  bytes: number
}

/** All up to a commit; or some blobs of the commit that follows. */
export type Part = { commit: string } | { blobs: string[] }

/** The parts of objects that come commit by commit, oldest first; the last one is the last commit. Pure. */
export async function* parts(objects: AsyncIterable<NewObject>, limitBytes: number): AsyncGenerator<Part> {
  /** The last commit that fits into the part which is being filled, and what that part holds. */
  let last: string | undefined
  let filled = 0
  for await (const { oid, bytes, blobs } of commits(objects)) {
    if (last !== undefined && filled + bytes > limitBytes) {
      yield { commit: last }
      filled = 0
    }
    if (bytes > limitBytes) {
      for (const group of groups(blobs, limitBytes)) yield { blobs: group.map((blob) => blob.oid) }
    }
    filled = bytes > limitBytes ? limitBytes : filled + bytes
    last = oid
  }
  if (last !== undefined) yield { commit: last }
}

/** A commit with all that it adds. */
interface WholeCommit {
  oid: string
  bytes: number
  blobs: NewObject[]
}

async function* commits(objects: AsyncIterable<NewObject>): AsyncGenerator<WholeCommit> {
  let commit: WholeCommit | undefined
  for await (const object of objects) {
    if (object.type === 'commit') {
      if (commit) yield commit
      commit = { oid: object.oid, bytes: 0, blobs: [] }
    }
    if (commit) commit.bytes += object.bytes
    if (object.type === 'blob') commit?.blobs.push(object)
  }
  if (commit) yield commit
}

/** Blobs in groups of at most that size, in their order; one that is larger is alone. */
function groups(blobs: readonly NewObject[], limitBytes: number): NewObject[][] {
  const found: NewObject[][] = []
  let filled = Number.POSITIVE_INFINITY
  for (const blob of blobs) {
    if (filled + blob.bytes > limitBytes) {
      found.push([])
      filled = 0
    }
    found.at(-1)?.push(blob)
    filled += blob.bytes
  }
  return found
}

/** Whether a push may send so much; it cannot send more than there is. */
export async function mayExceed({ gitDir }: Store, limitBytes: number): Promise<boolean> {
  const packs = await listPacks(gitDir)
  return packs.reduce((sum, { bytes }) => sum + bytes, 0) > limitBytes
}

/**
 * What `tip` reaches and none of `known` (ids of commits and trees) does: each commit followed by the objects that it
 * adds, oldest first. Throws an Error of git's words.
 */
export async function* newObjects(
  { gitDir }: Store,
  tip: string,
  known: readonly string[],
): AsyncGenerator<NewObject> {
  const order = ['--objects', '--no-object-names', '--in-commit-order', '--reverse']
  const list = startGit(gitDir, ['rev-list', ...order, tip, ...known.map((oid) => `^${oid}`)])
  const format = '%(objectname) %(objecttype) %(objectsize) %(objectsize:disk) %(deltabase)'
  const sizes = startGit(gitDir, [...mapsLittle, 'cat-file', '--buffer', `--batch-check=${format}`])
  const piping = pipeline(list.stdout, sizes.stdin)
  piping.catch(() => {})
  try {
    const lines = new ByteReader(sizes.stdout)
    for (let line = await lines.line(); line !== undefined; line = await lines.line()) yield newObject(line)
    for (const end of [await list.ended, await sizes.ended])
      if (end.code !== 0) throw new Error(gitCause(end))
  } finally {
    list.kill()
    sizes.kill()
  }
}

const noBase = '0'.repeat(40)

/** A delta whose base is in another part is sent whole. */
function newObject(line: string): NewObject {
  const [oid = '', type, size, onDisk, base] = line.split(' ')
  return { oid, type: type as ObjectType, bytes: Number(base === noBase ? onDisk : size) }
}

/** Which of those ids name objects that are here. */
export async function presentObjects({ gitDir }: Store, oids: readonly string[]): Promise<string[]> {
  if (oids.length === 0) return []
  const input = oids.map((oid) => `${oid}\n`).join('')
  const found = await git(gitDir, ['cat-file', '--batch-check=%(objectname) %(objecttype)'], { input })
  const lines = found.stdout.toString().split('\n')
  return lines.filter((line) => /^\w+ (?:commit|tree)$/.test(line)).map((line) => line.slice(0, 40))
}

/** Writes a tree with those blobs, named after their ids, and returns its id. Throws an Error of git's words. */
export async function writeBlobTree({ gitDir }: Store, blobs: readonly string[]): Promise<string> {
  const input = blobs.map((oid) => `100644 blob ${oid}\t${oid}\0`).join('')
  const made = await git(gitDir, ['mktree', '-z'], { input })
  if (made.code !== 0) throw new Error(gitCause(made))
  return made.stdout.toString().trim()
}
