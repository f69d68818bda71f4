/** The folder in which a run makes its data; it is gone when the run ends, however it does. IO. */

import { mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'

/** Makes a folder in `dir` for `use`; Ctrl-C removes it, too. */
export async function withRunFolder<T>(
  dir: string,
  prefix: string,
  use: (runDir: string) => Promise<T>,
): Promise<T> {
  mkdirSync(dir, { recursive: true })
  const runDir = mkdtempSync(join(dir, prefix))
  const remove = (): void => rmSync(runDir, { recursive: true, force: true })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      remove()
      process.exit(130)
    })
  }
  try {
    return await use(runDir)
  } finally {
    remove()
  }
}

/** Throws where the disk has no room for so many bytes. */
export function checkRoom(dir: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(dir)
  const gigabytes = (size: number): string => (size / 1e9).toFixed(1)
  if (bavail * bsize < bytes)
    throw new Error(
      `${dir} has room for ${gigabytes(bavail * bsize)} GB, and this takes ${gigabytes(bytes)} GB`,
    )
}
