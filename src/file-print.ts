/** What tells, without reading a file, that it has not changed: as git's index does it (racy-git in git's documentation). */

import type { BigIntStats } from 'node:fs'

/**
 * A file that was written less long ago may be written again within the same tick of its clock: two seconds on FAT,
 * a few milliseconds elsewhere.
 */
const settleMs = 2_500

type FileStats = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mode' | 'mtimeNs' | 'ctimeNs'>

/** A text that differs once the file was written, replaced or given another mode; undefined while that is not sure. */
export function filePrint({ dev, ino, size, mode, mtimeNs, ctimeNs }: FileStats): string | undefined {
  const newest = Number((mtimeNs > ctimeNs ? mtimeNs : ctimeNs) / 1_000_000n)
  return Date.now() - newest < settleMs ? undefined : [dev, ino, size, mode, mtimeNs, ctimeNs].join(' ')
}
