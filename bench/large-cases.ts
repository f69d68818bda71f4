/** What `large.ts` tries: each case makes its data, measures the works of a repository's life, and checks the results. IO. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { size } from '../src/cli/output.ts'
import { number } from '../src/number.ts'
import {
  changeOneAsset,
  compareDatabases,
  createIncompressible,
  createLongRow,
  createLongTables,
  createManyAssets,
} from './large-data.ts'
import type { Figures } from './measure.ts'

/** Where a case runs: an empty folder, and how it is measured. */
export interface LargePlace {
  dir: string
  /** What sizes and counts are multiplied by. */
  scale: number
  /** Measures a script; `rowback` is a command in it. */
  work: (name: string, script: string) => Promise<Figures>
  /** Runs a script that is not measured, and returns what it said on stderr; throws that where it fails. */
  run: (script: string) => Promise<string>
}

export interface LargeCase {
  name: string
  title: string
  /** Returns what was found, a sentence each; throws where something is not as it must be. */
  run: (place: LargePlace) => Promise<string[]>
}

export const largeCases: readonly LargeCase[] = [
  { name: 'rows', title: 'two tables of 10 million rows', run: runLongTables },
  { name: 'blob', title: 'a row with a blob of 200 MB', run: (place) => runLongRow(place, 'blob', 200e6) },
  { name: 'text', title: 'a row with a text of 200 MB', run: (place) => runLongRow(place, 'text', 200e6) },
  {
    name: 'longest-blob',
    title: 'a row with a blob of 249 MB',
    run: (place) => runLongRow(place, 'blob', 249e6),
  },
  { name: 'assets', title: '100,000 files of 100 B to 10 kB', run: runManyAssets },
  { name: 'push', title: 'a first push of more than 2 GB', run: runLargePush },
]

const ENTRIES_LIMIT = 3000

async function runLongTables({ dir, scale, work, run }: LargePlace): Promise<string[]> {
  createLongTables(join(dir, 'app.db'), Math.round(10e6 * scale))
  await work('first backup', 'rowback backup app.db --repo repo.git --no-hook --quiet')
  await work('restore', 'rowback restore latest --to out --repo repo.git --quiet')
  compareDatabases(join(dir, 'app.db'), join(dir, 'out', 'app.db'))
  await run('git -C repo.git ls-tree -r -t -z --name-only main > paths')
  const entries = entriesByFolder(readFileSync(join(dir, 'paths'), 'utf8').split('\0').slice(0, -1))
  const most = Math.max(...entries.values())
  if (most >= ENTRIES_LIMIT) throw new Error(`a directory has ${most} entries`)
  return [`The fullest of ${number(entries.size)} directories has ${number(most)} entries.`]
}

/** How many entries each folder has of which the paths name one; folders are among the paths. */
export function entriesByFolder(paths: readonly string[]): Map<string, number> {
  const entries = new Map<string, number>()
  for (const path of paths) {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    entries.set(folder, (entries.get(folder) ?? 0) + 1)
  }
  return entries
}

async function runLongRow(
  { dir, scale, work, run }: LargePlace,
  kind: 'blob' | 'text',
  atFullSize: number,
): Promise<string[]> {
  const bytes = Math.round(atFullSize * scale)
  createLongRow(join(dir, 'app.db'), kind, bytes)
  const figures = [
    await work('first backup', 'rowback backup app.db --repo repo.git --no-hook --quiet'),
    await work('verify', 'rowback verify --repo repo.git --quiet'),
    await work('restore', 'rowback restore latest --to out --repo repo.git --quiet'),
  ]
  compareDatabases(join(dir, 'app.db'), join(dir, 'out', 'app.db'))
  await work(
    'restore by git and sqlite3',
    'git -C repo.git archive main:databases/main | tar -xO | sqlite3 stock.db',
  )
  compareDatabases(join(dir, 'app.db'), join(dir, 'stock.db'))
  await run(`sqlite3 app.db "UPDATE document SET title='changed' WHERE id=2"`)
  figures.push(
    await work('backup of another title', 'rowback backup app.db --repo repo.git --quiet'),
    await work('diff', 'rowback diff latest~1 latest --repo repo.git --stat'),
  )
  const peak = Math.max(...figures.map(({ ownBytes = 0 }) => ownBytes))
  return [
    `The highest peak without files, ${size(Math.round(peak))}, is ${(peak / bytes).toFixed(1)} times the row.`,
  ]
}

/** Longer than a file must lie still to be known by its state. */
const SETTLE_MS = 3000

async function runManyAssets({ dir, scale, work, run }: LargePlace): Promise<string[]> {
  const data = join(dir, 'data')
  createManyAssets(data, Math.round(100_000 * scale))
  await sleep(SETTLE_MS)
  const backup = 'rowback backup data --repo repo.git --no-hook --quiet'
  await work('first backup', backup)
  await work('nothing changed', backup)
  changeOneAsset(data)
  await work('one file changed', backup)
  await work('log', 'rowback log --repo repo.git')
  await work('diff', 'rowback diff latest~1 latest --repo repo.git')
  await work('verify', 'rowback verify --repo repo.git --quiet')
  await work('restore', 'rowback restore latest --to out --repo repo.git --quiet')
  await run('diff -r --exclude=app.db data out')
  compareDatabases(join(data, 'app.db'), join(dir, 'out', 'app.db'))
  await run('git init -q --bare remote.git')
  await work('push', 'rowback push --repo repo.git --remote remote.git --quiet')
  return []
}

const HOST_LIMIT_BYTES = 2 ** 31

async function runLargePush({ dir, scale, work, run }: LargePlace): Promise<string[]> {
  createIncompressible(join(dir, 'data'), 2.4e9 * scale)
  for (const remote of ['remote.git', 'other.git'])
    await run(
      `git init -q --bare ${remote} && git -C ${remote} config receive.maxInputSize ${HOST_LIMIT_BYTES}`,
    )
  await work('first backup', 'rowback backup data --repo repo.git --no-hook --quiet')
  const refused = await run('git -C repo.git push -q ../other.git main').catch(
    (error: Error) => error.message,
  )
  await run('rm -rf other.git')
  await work('push', 'rowback push --repo repo.git --remote remote.git --json > pushed.json')
  const { pushes } = JSON.parse(readFileSync(join(dir, 'pushed.json'), 'utf8')) as {
    pushes: [{ parts: number }]
  }
  await run('test "$(git -C remote.git rev-parse main)" = "$(git -C repo.git rev-parse main)"')
  await run('git -C remote.git fsck --connectivity-only && rm -rf repo.git')
  await work('clone', 'rowback clone remote.git clone.git')
  await work('restore from the clone', 'rowback restore latest --to out --repo clone.git --quiet')
  await run('diff -r --exclude=app.db data out')
  compareDatabases(join(dir, 'data', 'app.db'), join(dir, 'out', 'app.db'))
  const packs = readdirSync(join(dir, 'remote.git', 'objects', 'pack')).filter((name) =>
    name.endsWith('.pack'),
  )
  return [
    `The host takes packs of ${size(HOST_LIMIT_BYTES)} at most; \`git push\` of all at once ${refusal(refused)}.`,
    `The push went in ${pushes[0].parts} parts, and left ${packs.length} packs.`,
  ]
}

/** What git says of a pack over `receive.maxInputSize`. */
function refusal(said: string): string {
  const words = /pack exceeds maximum allowed size[^\n]*/.exec(said)
  return words ? `was refused: \`${words[0].trim()}\`` : 'went through'
}
