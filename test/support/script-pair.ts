/** Two states of a database, and what `diff --sql` says of them. */

import { execFileSync } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { backup } from '../../src/backup.ts'
import type { Ended } from './cli.ts'
import { databaseFrom, dumpFile } from './database.ts'
import { rowback } from './in-process.ts'
import { tempDir } from './temp.ts'

/** The rows of a database, bit by bit. */
export function rowsOf(file: string): string[] {
  return dumpFile(file)
    .filter(({ path }) => path.startsWith('30-rows/'))
    .map(({ path, content }) => `${path}\n${content}`)
}

/** Runs SQL by stock sqlite3. */
export function run(file: string, sql: string): void {
  execFileSync('sqlite3', [file], { input: sql, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** The files of two states of one database. */
export interface Pair {
  before: string
  after: string
}

/** What `diff --sql` says of two states of one source. */
export async function diffOf({ before, after }: Pair, ...flags: string[]): Promise<Ended> {
  const dir = tempDir()
  const [source, repository] = [join(dir, 'app.db'), join(dir, 'repo.git')]
  for (const file of [before, after]) {
    copyFileSync(file, source)
    await backup({ source, repository, verify: 'never' })
  }
  return rowback(['diff', 'latest~1', '--sql', ...flags, '--repo', repository])
}

/** A state that SQL makes, and what more SQL makes of it. */
export function pairOf(before: string, change: string): Pair {
  const first = databaseFrom(before)
  const after = join(tempDir(), 'after.db')
  copyFileSync(first, after)
  databaseFrom(change, after)
  return { before: first, after }
}
