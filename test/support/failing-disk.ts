/** A disk that fails for the program and its gits from a step on: see full-disk.c. */

import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Ended, projectRoot, rowback } from './cli.ts'
import { tempDir } from './temp.ts'

/** It is full, or read-only, or the rights are taken away. */
export type Fault = 'ENOSPC' | 'EROFS' | 'EACCES'

/** Whether each step is tried, and not some. */
export const isLong = process.env.ROWBACK_LONG !== undefined

/** What fails in the program and its gits, as a library; undefined, with a note, where it cannot be compiled. */
export function faultLibrary(): string | undefined {
  const library = join(tempDir(), 'full-disk.so')
  const source = join(projectRoot, 'test', 'support', 'full-disk.c')
  try {
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source, '-ldl'], { stdio: 'pipe' })
    return library
  } catch (error) {
    if (process.env.CI) throw error
    console.warn(`SKIPPED, it needs gcc and LD_PRELOAD: ${error}`)
    return undefined
  }
}

export interface FailingDisk {
  library: string
  error: Fault
  /** The folder that fails. */
  below: string
  /** The first step that fails; none with 0. */
  at: number
}

/** Runs `rowback` on a disk that fails; returns what it said and how many steps there were. */
export async function onFailingDisk(
  args: readonly string[],
  { library, error, below, at }: FailingDisk,
  { cwd, env }: { cwd: string; env?: Record<string, string> },
): Promise<Ended & { steps: number }> {
  const count = join(tempDir(), 'count')
  writeFileSync(count, Buffer.alloc(4))
  const ended = await rowback(args, {
    cwd,
    env: {
      ...env,
      LD_PRELOAD: library,
      FAULT_BELOW: below,
      FAULT_COUNT: count,
      FAULT_AT: String(at),
      FAULT_ERROR: error,
      UV_USE_IO_URING: '0',
    },
  })
  return { ...ended, steps: readFileSync(count).readUInt32LE() }
}

/** The steps that are tried: all, or some that are spread over them. */
export function stepsToTry(steps: number, some: number): number[] {
  const all = Array.from({ length: steps }, (_, index) => index + 1)
  const stride = isLong ? 1 : steps / some
  return all.filter((at) => Math.floor(at / stride + 0.5) !== Math.floor((at - 1) / stride + 0.5))
}
