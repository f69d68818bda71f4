/** The digests of a content; pure. */

import { createHash } from 'node:crypto'

export interface Digests {
  /** 64 hexadecimal digits. */
  sha256: string
  /** The id of the content as a git blob: SHA-1 of `blob <size>`, NUL and the content, 40 hexadecimal digits. */
  oid: string
}

/** The digests of a content of `size` bytes, which comes in pieces. */
export async function digests(
  size: number,
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<Digests> {
  const sha256 = createHash('sha256')
  const blob = createHash('sha1').update(`blob ${size}\0`)
  for await (const piece of pieces) {
    sha256.update(piece)
    blob.update(piece)
  }
  return { sha256: sha256.digest('hex'), oid: blob.digest('hex') }
}
