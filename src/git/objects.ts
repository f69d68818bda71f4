/** Objects in the form in which `git cat-file --batch` replies. */

import { constants } from 'node:buffer'
import { writeSync } from 'node:fs'
import { RowbackError } from '../errors.ts'
import type { ByteReader } from './byte-reader.ts'
import { GitClosed } from './run.ts'

export type ObjectType = 'blob' | 'commit' | 'tree' | 'tag'

/** What is read whole becomes a string, and longer ones do not exist. */
const longestObject = constants.MAX_STRING_LENGTH

/**
 * Reads one reply for the object `oid`: `<oid> <type> <size>`, the content, a newline. The stream stands behind the
 * reply afterwards, whatever happened. Throws RowbackError('repository') if the object is missing or of another type,
 * RowbackError('dump') if it has more than `limitBytes`, GitClosed if the stream ends.
 */
export async function readObject(
  bytes: ByteReader,
  oid: string,
  type: ObjectType,
  limitBytes = longestObject,
): Promise<Buffer> {
  const size = await readHeader(bytes, oid, type)
  if (size > limitBytes) {
    await skip(bytes, size + 1)
    throw new RowbackError('dump', `read object ${oid}: ${size} bytes are more than a dump has in one`)
  }
  const content = await bytes.exactly(size)
  await skip(bytes, 1)
  return content
}

/** As `readObject`, but appends the content to an open file. Throws the system error if that cannot be written. */
export async function copyObject(
  bytes: ByteReader,
  oid: string,
  type: ObjectType,
  file: number,
): Promise<void> {
  const size = await readHeader(bytes, oid, type)
  let left = size
  try {
    while (left > 0) {
      const chunk = await bytes.some(left)
      left -= chunk.length
      // Synchronous: for the usual small files, promises would take ten times as long as the writing.
      for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at)
    }
  } finally {
    await skip(bytes, left + 1)
  }
}

async function readHeader(bytes: ByteReader, oid: string, type: ObjectType): Promise<number> {
  const line = await bytes.line()
  if (line === undefined) throw new GitClosed('git closed its output')
  if (line === `${oid} missing`)
    throw new RowbackError('repository', `read object ${oid}: it is missing from the repository`)
  const [, found, size] = /^\w+ (\w+) (\d+)$/.exec(line) ?? []
  if (found === undefined)
    throw new RowbackError('fault', `read object ${oid}: git replied ${JSON.stringify(line)}`)
  if (found === type) return Number(size)
  await skip(bytes, Number(size) + 1)
  throw new RowbackError('repository', `read object ${oid}: it is a ${found}, not a ${type}`)
}

async function skip(bytes: ByteReader, count: number): Promise<void> {
  for (let left = count; left > 0; ) left -= (await bytes.some(left)).length
}
