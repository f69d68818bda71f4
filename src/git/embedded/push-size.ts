/** What a push of everything sends, without git: each object is read and compressed. */

import { deflateSync } from 'node:zlib'
import { compressionOf } from '../compression.ts'
import type { ReachableObject } from '../host-limits.ts'
import { EmbeddedObjects } from './objects.ts'
import { parseTree } from './trees.ts'
import { reachable } from './walk.ts'

/** All that a commit reaches. Throws RowbackError('repository') for what is missing or damaged. */
export async function* objectsToSend(gitDir: string, tip: string): AsyncGenerator<ReachableObject> {
  for await (const { oid, path, read } of reachable(new EmbeddedObjects(gitDir), [tip])) {
    const { type, content } = await read()
    const onDisk = deflateSync(content, compressionOf(content)).length
    const countEntries = async () => parseTree(oid, content).length
    yield { type, size: content.length, onDisk, path, countEntries }
  }
}
