/**
 * Rowback beside what a user would take instead: the same data, the same run, in turns. Prints the results, and writes
 * bench/RESULTS.md if there are rounds enough. Usage: npm run bench [-- MEGABYTES... [OPTIONS]], see `usage`.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { contestants, works } from './contestants.ts'
import type { SizeResult } from './goals.ts'
import { keepRound, readRounds } from './kept-rounds.ts'
import { describeMachine, isInstalled } from './machine.ts'
import { type Report, reportText, resultsFile } from './report.ts'
import { checkRoom, withRunFolder } from './run-folder.ts'
import { createBenchDatabase, rowCounts } from './sample-data.ts'
import { runRound, type Sample } from './scenarios.ts'

const usage = `npm run bench [-- MEGABYTES... [OPTIONS]]
  MEGABYTES       sizes of the database (default: 300); the goals speak of 300 and 3000. 3000x1 is one round of it
  --runs N        rounds for each other size (default: 5)
  --without NAME  leaves a contestant out; may be given again
  --dir DIR       where the data of the run lies until its end (default: bench-data)
  --keep FILE     adds each round that ends to FILE, and does not run again those that it has: a run that was cut off goes on
  --output FILE   where results go (default: bench/RESULTS.md for 5 rounds and more)
`

/** Fewer rounds are for trying things; their figures are not kept. */
const ROUNDS_TO_KEEP = 5

/** Room that a round takes, in sizes of its database: measured, with a fifth to spare. */
const ROOM = 16

const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

interface Options {
  sizes: { megabytes: number; rounds: number }[]
  without: string[]
  dir: string
  keep: string | undefined
  output: string | undefined
}

function readOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      runs: { type: 'string', default: String(ROUNDS_TO_KEEP) },
      without: { type: 'string', multiple: true, default: [] },
      dir: { type: 'string', default: 'bench-data' },
      keep: { type: 'string' },
      output: { type: 'string' },
    },
  })
  const rounds = Number(values.runs)
  const sizes = (positionals.length === 0 ? ['300'] : positionals).map((text) => {
    const [, megabytes, own = rounds] = /^(\d+)(?:x(\d+))?$/.exec(text) ?? []
    return { megabytes: Number(megabytes), rounds: Number(own) }
  })
  const counts = sizes.flatMap((size) => [size.megabytes, size.rounds])
  if (![rounds, ...counts].every((value) => Number.isInteger(value) && value > 0))
    throw new Error('sizes, rounds and --runs are whole numbers above 0')
  const kept = rounds >= ROUNDS_TO_KEEP ? join(projectRoot, 'bench', 'RESULTS.md') : undefined
  const { without, dir, keep, output = kept } = values
  return { sizes, without, dir: resolve(dir), keep, output }
}

/** Those that can take part, and a note on each that cannot. */
function present(without: readonly string[]): Pick<Report, 'contestants' | 'notes'> {
  const all = contestants(`${process.execPath} ${join(projectRoot, 'bin', 'rowback.js')}`)
  const unknown = without.filter((left) => !all.some(({ name }) => name === left))
  if (unknown.length > 0)
    throw new Error(
      `nobody is called ${unknown.join(', ')}; there are ${all.map(({ name }) => name).join('; ')}`,
    )
  const notes: string[] = []
  const able = all.filter(({ name, programs }) => {
    const missing = programs.filter((program) => !isInstalled(program))
    if (without.includes(name)) notes.push(`${name} was left out.`)
    else if (missing.length > 0) notes.push(`${name} was skipped: ${missing.join(' and ')} is not installed.`)
    else return true
    return false
  })
  return { contestants: able, notes }
}

/** All rounds on a database of one size, but for those that were kept; `dir` is empty, and stays so. */
async function runSize(
  { megabytes, rounds }: Options['sizes'][number],
  { contestants: taking, machine }: Pick<Report, 'contestants' | 'machine'>,
  { dir, keep }: { dir: string; keep: string | undefined },
): Promise<SizeResult> {
  const ended = readRounds(keep, machine)
    .filter((round) => round.megabytes === megabytes)
    .slice(0, rounds)
  const base = join(dir, 'base.db')
  if (ended.length < rounds) {
    say(`${megabytes} MB: making the database`)
    createBenchDatabase(base, megabytes)
    checkRoom(dir, statSync(base).size * ROOM)
  }
  for (let number = ended.length + 1; number <= rounds; number++) {
    const roundDir = join(dir, 'round')
    mkdirSync(roundDir)
    const onSample = ({ work, by, figures }: Sample): void =>
      say(
        `${megabytes} MB, round ${number} of ${rounds}: ${works[work]}: ${by} ${figures.seconds?.toFixed(2)} s`,
      )
    const samples = await runRound({ number, dir: roundDir, contestants: taking, onSample })
    rmSync(roundDir, { recursive: true })
    const round = { machine, megabytes, fileBytes: statSync(base).size, rows: rowCounts(base), samples }
    if (keep !== undefined) keepRound(keep, round)
    ended.push(round)
  }
  rmSync(base, { force: true })
  const { fileBytes = 0, rows = {} } = ended[0] ?? {}
  return { megabytes, fileBytes, rows, rounds, samples: ended.flatMap(({ samples }) => samples) }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

async function main({ sizes, without, dir, keep, output }: Options): Promise<void> {
  const taking = present(without)
  for (const note of taking.notes) say(note)
  await withRunFolder(dir, 'run-', async (runDir) => {
    const date = new Date().toISOString().slice(0, 10)
    const report = { ...taking, date, machine: describeMachine(taking.contestants, runDir) }
    const results: SizeResult[] = []
    for (const size of sizes) {
      results.push(await runSize(size, report, { dir: runDir, keep }))
      // After each size: the next one may take hours.
      if (output !== undefined) writeResults({ ...report, results }, output)
    }
    process.stdout.write(reportText({ ...report, results }))
  })
}

function writeResults(report: Report, file: string): void {
  writeFileSync(file, resultsFile(report, existsSync(file) ? readFileSync(file, 'utf8') : ''))
}

try {
  await main(readOptions(process.argv.slice(2)))
} catch (error) {
  say(`${error instanceof Error ? error.message : String(error)}\n${usage}`)
  process.exitCode = 1
}
