/** Copies an open file without writing its holes: what reads as zeros takes no room in the copy. */

import { type BigIntStats, read } from 'node:fs'
import { open } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Reads into a buffer of the caller's, which `fs.createReadStream` does not. */
const readInto = promisify(read)

const pieceBytes = 2 ** 20

/** Whether a file takes less room than its size says; blocks count 512 bytes each, whatever the file system. */
export function isSparse({ size, blocks }: Pick<BigIntStats, 'size' | 'blocks'>): boolean {
  return blocks * 512n < size
}

/** Copies the first `size` bytes of an open file, or as many as there are, into a file that is empty. */
export async function copyWithHoles(descriptor: number, size: number, target: string): Promise<void> {
  const copy = await open(target, 'r+')
  try {
    const buffer = Buffer.allocUnsafe(Math.min(size, pieceBytes))
    const zeros = Buffer.alloc(buffer.length)
    let at = 0
    while (at < size) {
      const { bytesRead } = await readInto(descriptor, buffer, 0, Math.min(buffer.length, size - at), at)
      if (bytesRead === 0) break
      const piece = buffer.subarray(0, bytesRead)
      if (!piece.equals(zeros.subarray(0, bytesRead))) await copy.writev([piece], at)
      at += bytesRead
    }
    await copy.truncate(at)
  } finally {
    await copy.close()
  }
}
