/** Tells what is no file, symlink or directory. */

import type { BigIntStats, Stats } from 'node:fs'

/** `a fifo`, `a socket` or `a device`; undefined for what can be read to an end. */
export function specialKind(stats: Stats | BigIntStats): string | undefined {
  if (stats.isSocket()) return 'a socket'
  if (stats.isFIFO()) return 'a fifo'
  return stats.isBlockDevice() || stats.isCharacterDevice() ? 'a device' : undefined
}
