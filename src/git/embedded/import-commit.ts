/** Writes the trees and the commit of a session as a pack, byte for byte as `git fast-import` makes them. */

import { BlobPack } from '../blob-pack.ts'
import { identityLine } from '../commit.ts'
import { packFolder } from '../session.ts'
import type { SigningKey } from '../sign.ts'
import type { NewCommit } from '../store.ts'
import { changedTrees, objectOid, type TreeEntry } from '../tree.ts'
import type { EmbeddedObjects } from './objects.ts'
import { listTree } from './trees.ts'

/**
 * Writes a commit of blobs that the session or the repository has, and returns its id. Throws an Error whose text is
 * the cause.
 */
export async function importCommit(
  objects: EmbeddedObjects,
  session: string,
  commit: NewCommit,
  isWritten: (oid: string) => boolean,
): Promise<string> {
  const identity = identityLine(commit.author, commit.time)
  const { parent } = commit
  const before = parent === undefined ? new Map<string, TreeEntry>() : await listTree(objects, parent)
  const treesBefore = parent === undefined ? [] : changedTrees(before.values(), { add: [], remove: [] })
  const known = new Set(treesBefore.map(({ oid }) => oid))
  const trees = changedTrees(before.values(), commit)
  await expectBlobs(objects, commit.add, before, isWritten)
  const root = trees.at(-1)?.oid as string
  const unsigned = Buffer.from(
    [
      `tree ${root}\n`,
      parent === undefined ? '' : `parent ${parent}\n`,
      `author ${identity}\ncommitter ${identity}\n\n${commit.message}`,
    ].join(''),
  )
  const content = commit.sign ? await signed(unsigned, commit.sign) : unsigned
  const oid = objectOid('commit', content).toString('hex')
  const pack = await BlobPack.create(packFolder(session))
  try {
    for (const tree of trees) {
      if (known.has(tree.oid)) continue
      known.add(tree.oid)
      await pack.add(tree.oid, tree.content, 'tree')
    }
    await pack.add(oid, content, 'commit')
    await pack.finish()
  } catch (error) {
    await pack.close()
    throw error
  }
  return oid
}

/** Loads what signs only where that is asked for. */
async function signed(content: Buffer, key: SigningKey): Promise<Buffer> {
  const { signedCommit } = await import('../sign.ts')
  return signedCommit(content, key)
}

/** A commit must not name what nobody has written. */
async function expectBlobs(
  objects: EmbeddedObjects,
  added: readonly TreeEntry[],
  before: ReadonlyMap<string, TreeEntry>,
  isWritten: (oid: string) => boolean,
): Promise<void> {
  const known = new Set([...before.values()].map(({ oid }) => oid))
  for (const { oid, path } of added) {
    if (isWritten(oid) || known.has(oid)) continue
    await objects.read(oid, 'blob', Number.POSITIVE_INFINITY).catch((cause: unknown) => {
      throw new Error(`Blob not found: ${oid} of ${path}`, { cause })
    })
  }
}
