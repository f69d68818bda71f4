/**
 * What is done in one round: the life of one repository for each contestant, all on the same database, work by work and
 * taking turns in who begins. IO. Invariant: everything that a round makes is below its folder.
 */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { backups, type Contestant, environment, type Work, works } from './contestants.ts'
import { type Figures, folderBytes, measure, run } from './measure.ts'
import { type BenchChange, changeBenchDatabase, rowCounts } from './sample-data.ts'

/** What one contestant's work took in one round. */
export interface Sample {
  work: Work
  by: string
  round: number
  figures: Figures
}

export interface Round {
  number: number
  /** Empty; `../base.db` beside it is the database to begin with. */
  dir: string
  contestants: readonly Contestant[]
  onSample: (sample: Sample) => void
}

const CHANGES: Partial<Record<Work, BenchChange>> = { small: 'small', percent: 'percent', column: 'column' }

/** Runs all works once and returns what they took; throws where a command fails or restores too few rows. */
export async function runRound(round: Round): Promise<Sample[]> {
  await prepare(round)
  const application = openApplication(round)
  const samples: Sample[] = []
  try {
    for (const work of Object.keys(works) as Work[]) {
      if (CHANGES[work]) application.change(CHANGES[work])
      for (const contestant of inTurn(round, work)) {
        const sample = { work, by: contestant.name, round: round.number, figures: {} as Figures }
        sample.figures = await workOf(contestant, work, round, application)
        samples.push(sample)
        round.onSample(sample)
      }
    }
  } finally {
    application.close()
  }
  return samples
}

async function prepare(round: Round): Promise<void> {
  await shell(round, 'cp ../base.db app.db')
  for (const { prepare } of round.contestants) if (prepare !== undefined) await shell(round, prepare)
}

/** Those that can do a work; each round another one begins. */
function inTurn({ contestants, number }: Round, work: Work): Contestant[] {
  const able = contestants.filter(({ scripts }) => scripts[work] !== undefined)
  // What upkeep leaves behind is the same in each round, too, and it takes long.
  if (work === 'upkeep' && number > 1) return []
  const first = number % Math.max(able.length, 1)
  return [...able.slice(first), ...able.slice(0, first)]
}

async function workOf(
  contestant: Contestant,
  work: Work,
  round: Round,
  application: Application,
): Promise<Figures> {
  if (work === 'newest' || work === 'oldest') return restore(contestant, work, round, application)
  if (work === 'upkeep') return upkeep(contestant, round)
  if ((backups as readonly Work[]).includes(work)) return backUp(contestant, work, round)
  return measured(contestant, work, round)
}

async function backUp(contestant: Contestant, work: Work, round: Round): Promise<Figures> {
  const folder = join(round.dir, contestant.repository as string)
  const before = folderBytes(folder)
  const figures = await measured(contestant, work, round)
  const addedBytes = folderBytes(folder) - before
  if (contestant.push === undefined) return { ...figures, addedBytes, pushedBytes: addedBytes }
  // What a push sends is the same in each round, and packing a large dump for it takes longer than to back it up.
  if (round.number > 1) return { ...figures, addedBytes }
  const pushedBytes = sentBytes(await shell(round, contestant.push))
  if (contestant.scripts.upkeep && work === 'first') await keepUp(contestant, round)
  return { ...figures, addedBytes, pushedBytes }
}

/** The small change again, with the upkeep of the repository done before and behind it. */
async function upkeep(contestant: Contestant, round: Round): Promise<Figures> {
  const before = folderBytes(join(round.dir, 'upkeep.git'))
  const figures = await keepUp(contestant, round)
  return { ...figures, addedBytes: folderBytes(join(round.dir, 'upkeep.git')) - before }
}

async function keepUp(contestant: Contestant, round: Round): Promise<Figures> {
  await shell(round, `rm -rf upkeep.git && cp -a ${contestant.repository} upkeep.git`)
  return measured(contestant, 'upkeep', round)
}

async function restore(
  contestant: Contestant,
  work: 'newest' | 'oldest',
  round: Round,
  application: Application,
): Promise<Figures> {
  const figures = await measured(contestant, work, round)
  const restored = JSON.stringify(rowCounts(join(round.dir, 'out', 'app.db')))
  const expected = JSON.stringify(application.rowCounts(work))
  if (restored !== expected)
    throw new Error(`${contestant.name}, ${works[work]}: ${restored} rows came back of ${expected}`)
  rmSync(join(round.dir, 'out'), { recursive: true })
  return figures
}

/** Measures a script after the disk has taken what others have written, so that nobody pays for them. */
async function measured(contestant: Contestant, work: Work, round: Round): Promise<Figures> {
  await shell(round, 'sync --file-system .')
  return measure(command(round, contestant.scripts[work] as string))
}

const UNITS: Record<string, number> = { bytes: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }

/** What pushes say they have sent, to a hundredth of its unit; 0 where everything was up to date. */
export function sentBytes(progress: string): number {
  // Before "done" a push may say several times how far it is.
  const sent = /Writing objects: 100% \(\d+\/\d+\), ([\d.]+) (bytes|KiB|MiB|GiB)(?: \| \S+ \S+)?, done/g
  let bytes = 0
  for (const [, amount, unit = 'bytes'] of progress.matchAll(sent))
    bytes += Number(amount) * (UNITS[unit] as number)
  return bytes
}

interface Application {
  change(kind: BenchChange): void
  rowCounts(of: 'newest' | 'oldest'): Record<string, number>
  close(): void
}

/**
 * The application whose database it is: it keeps it open throughout. Its changes are in the file itself when a backup
 * begins, as restic and borg read nothing else.
 */
function openApplication({ dir }: Round): Application {
  const file = join(dir, 'app.db')
  const db = new Database(file, { fileMustExist: true })
  // The first read makes -wal and -shm.
  db.pragma('user_version')
  const first = rowCounts(file)
  return {
    change: (kind) => {
      changeBenchDatabase(file, kind)
      db.pragma('wal_checkpoint(TRUNCATE)')
    },
    rowCounts: (of) => (of === 'oldest' ? first : rowCounts(file)),
    close: () => db.close(),
  }
}

function command({ dir }: Round, script: string) {
  return { script, cwd: dir, env: environment(dir) }
}

function shell(round: Round, script: string): Promise<string> {
  return run(command(round, script))
}
