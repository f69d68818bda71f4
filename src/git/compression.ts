/** How blobs are compressed: as fast as rows allow. Any zlib stream is git's. */

import { constants, deflateSync, type ZlibOptions } from 'node:zlib'

/**
 * Rows compress well at any level, and the slow levels take longer than all the rest of a backup. The most memory
 * and a window of 8 KiB, which stays in the processor's cache, are a tenth faster than the defaults, and smaller.
 */
export const compression: ZlibOptions = { level: 1, memLevel: 9, windowBits: 13 }

const sampleBytes = 1024

/** The options for a whole content: digits of a blob are coded one by one, where they repeat nothing longer. */
export function compressionOf(content: Buffer): ZlibOptions {
  const chunkSize = Math.max(sampleBytes, content.length >> 1)
  const middle = content.length >> 1
  const sample = content.subarray(middle, middle + sampleBytes)
  if (sample.length < sampleBytes || !isHexadecimal(sample) || repeats(sample))
    return { ...compression, chunkSize }
  return { ...compression, chunkSize, strategy: constants.Z_RLE }
}

/** Whether all bytes are digits of a blob literal. */
function isHexadecimal(bytes: Buffer): boolean {
  return bytes.every((byte) => (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46))
}

/** Whether hexadecimal digits take less than the four bits each that random ones need. */
function repeats(digits: Buffer): boolean {
  return deflateSync(digits, { level: 1, memLevel: 4, windowBits: 10 }).length < digits.length / 2
}
