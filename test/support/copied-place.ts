/** Places that take long to make: made once for a test file, and copied for each of its tests. */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { tempDir } from './temp.ts'

/**
 * What `make` puts into an empty folder, in a folder of the running test; to be called at the top of a test file.
 * Repositories directly in it, called `*.git`, name the copy where they named the folder that was copied.
 */
export function copiedPlace(make: (dir: string) => unknown): () => Promise<string> {
  let original: Promise<string> | undefined
  afterAll(async () => rmSync((await original) ?? '', { recursive: true, force: true }))
  const made = async (): Promise<string> => {
    const dir = mkdtempSync(join(tmpdir(), 'rowback-original-'))
    await make(dir)
    return dir
  }
  return async () => {
    original ??= made()
    const [from, to] = [await original, tempDir()]
    execFileSync('cp', ['-a', `${from}/.`, to])
    for (const name of readdirSync(to).filter((entry) => entry.endsWith('.git'))) {
      const config = join(to, name, 'config')
      writeFileSync(config, readFileSync(config, 'utf8').replaceAll(from, to))
    }
    return to
  }
}
