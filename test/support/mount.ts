/** Small file systems for tests of full and read-only disks; only root can mount them. */

import { spawnSync } from 'node:child_process'
import { onTestFinished } from 'vitest'
import { tempDir } from './temp.ts'

/** A disk that is unmounted when the running test ends. */
export interface SmallDisk {
  dir: string
  /** Makes it read-only. */
  seal(): void
}

/**
 * Mounts a tmpfs of that size. Where the tests may not mount, it says so and returns undefined; in CI, where every
 * test must run, it throws.
 */
export function smallDisk(size: string): SmallDisk | undefined {
  const dir = tempDir()
  const { status, stderr } = spawnSync('mount', [
    '-t',
    'tmpfs',
    '-o',
    `size=${size},mode=0755`,
    'rowback-test',
    dir,
  ])
  if (status !== 0) {
    const cause = String(stderr ?? 'there is no mount').trim()
    if (process.env.CI) throw new Error(`the tests of full disks cannot mount one: ${cause}`)
    console.warn(`SKIPPED, it needs root to mount a small disk: ${cause}`)
    return undefined
  }
  onTestFinished(() => void spawnSync('umount', ['--lazy', dir]))
  return { dir, seal: () => void spawnSync('mount', ['-o', 'remount,ro', dir]) }
}
