/** What Rowback is to reach, as ratios within one run, and what it reached. Pure. */

import type { Work } from './contestants.ts'
import type { Figures } from './measure.ts'
import type { Sample } from './scenarios.ts'

/** What was measured on a database of one size. */
export interface SizeResult {
  megabytes: number
  fileBytes: number
  rows: Record<string, number>
  rounds: number
  samples: readonly Sample[]
}

export interface Outcome {
  goal: string
  /** The limit in words. */
  atMost: string
  /** By the database's megabytes: the median, and the range where there are several rounds. */
  measured: Map<number, Spread>
  /** Undefined where the sizes that the goal speaks of were not measured. */
  met: boolean | undefined
}

export interface Spread {
  median: number
  low: number
  high: number
}

type Metric = keyof Figures
type Side = readonly [by: string, work: Work]

/** The size, in megabytes, that the goals speak of; and the one that shows whether cost grows with the database. */
const GOAL_SIZE = 300
const LARGE_SIZE = 3000

const DUMP = 'dump, add, commit'
const MEMORY_LIMIT_BYTES = 300e6

const RATIO_GOALS: readonly { goal: string; atMost: number; metric: Metric; ours: Side; theirs: Side }[] = [
  {
    goal: 'first backup : dump + add + commit',
    atMost: 0.5,
    metric: 'seconds',
    ours: ['Rowback', 'first'],
    theirs: [DUMP, 'first'],
  },
  {
    goal: 'nothing changed : dump + add + commit',
    atMost: 0.02,
    metric: 'seconds',
    ours: ['Rowback', 'unchanged'],
    theirs: [DUMP, 'unchanged'],
  },
  {
    goal: '100 updates + 200 rows : dump + add + commit',
    atMost: 0.1,
    metric: 'seconds',
    ours: ['Rowback', 'small'],
    theirs: [DUMP, 'small'],
  },
  {
    goal: '100 updates + 200 rows : restic',
    atMost: 0.6,
    metric: 'seconds',
    ours: ['Rowback', 'small'],
    theirs: ['restic', 'small'],
  },
  {
    goal: 'bytes added to the repository by that : those of restic, before upkeep',
    atMost: 0.15,
    metric: 'addedBytes',
    ours: ['Rowback', 'small'],
    theirs: ['restic', 'small'],
  },
  {
    goal: 'bytes added to the repository by that : those of restic, after upkeep',
    atMost: 0.01,
    metric: 'addedBytes',
    ours: ['Rowback', 'upkeep'],
    theirs: ['restic', 'small'],
  },
  {
    goal: 'restore : `git show` piped into `sqlite3`',
    atMost: 0.45,
    metric: 'seconds',
    ours: ['Rowback', 'newest'],
    theirs: [DUMP, 'newest'],
  },
  {
    // The last dump before is of the same rows.
    goal: 'verify : dump + add + commit',
    atMost: 1.5,
    metric: 'seconds',
    ours: ['Rowback', 'verify'],
    theirs: [DUMP, 'column'],
  },
  {
    goal: 'diff of those two commits : `sqldiff`',
    atMost: 0.15,
    metric: 'seconds',
    ours: ['Rowback', 'diff'],
    theirs: ['sqldiff', 'diff'],
  },
]

/** What became of each goal, in the order of the list. */
export function outcomes(results: readonly SizeResult[]): Outcome[] {
  const ratioOutcomes = RATIO_GOALS.map(({ goal, atMost, metric, ours, theirs }) => {
    const measured = bySize(results, (result) => ratio(result, metric, ours, theirs))
    const reached = measured.get(GOAL_SIZE)
    return { goal, atMost: String(atMost), measured, met: reached && reached.median <= atMost }
  })
  return [...ratioOutcomes, memoryGrowth(results), memoryLimit(results), incrementalGrowth(results)]
}

/** How often one figure goes into another: the median and range over the rounds, each of which compares its own. */
export function ratio(result: SizeResult, metric: Metric, ours: Side, theirs: Side): Spread | undefined {
  const divisors = new Map(samplesOf(result, theirs).map(({ round, figures }) => [round, figures[metric]]))
  const ratios = samplesOf(result, ours).map(
    ({ round, figures }) => (figures[metric] ?? Number.NaN) / (divisors.get(round) ?? Number.NaN),
  )
  return spread(ratios.filter((value) => Number.isFinite(value) && value >= 0))
}

/** A figure over all rounds; undefined where nothing was measured. */
export function figure(result: SizeResult, metric: Metric, side: Side): Spread | undefined {
  return spread(samplesOf(result, side).flatMap(({ figures }) => figures[metric] ?? []))
}

function memoryGrowth(results: readonly SizeResult[]): Outcome {
  const atMost = 1.2
  const [normal, large] = [GOAL_SIZE, LARGE_SIZE].map((size) => highestMemory(results, size))
  const measured = new Map(normal && large ? [[LARGE_SIZE, one(large / normal)]] : [])
  return {
    goal: 'highest peak memory, 3 GB : 300 MB',
    atMost: String(atMost),
    measured,
    met: normal && large ? large / normal <= atMost : undefined,
  }
}

function memoryLimit(results: readonly SizeResult[]): Outcome {
  const measured = bySize(results, ({ megabytes }) => {
    const highest = highestMemory(results, megabytes)
    return highest === undefined ? undefined : one(highest / 1e6)
  })
  const large = measured.get(LARGE_SIZE)
  return {
    goal: 'highest peak memory at 3 GB, in MB',
    atMost: String(MEMORY_LIMIT_BYTES / 1e6),
    measured,
    met: large && large.median < MEMORY_LIMIT_BYTES / 1e6,
  }
}

function incrementalGrowth(results: readonly SizeResult[]): Outcome {
  const grows = (side: Side) => {
    const [normal, large] = [GOAL_SIZE, LARGE_SIZE].map((size) => {
      const result = results.find(({ megabytes }) => megabytes === size)
      return result && figure(result, 'seconds', side)?.median
    })
    return normal && large ? large / normal : undefined
  }
  const [incremental, reading] = [grows(['Rowback', 'small']), grows(['dd', 'read'])]
  return {
    goal: '100 updates + 200 rows, 3 GB : 300 MB',
    atMost: reading === undefined ? 'reading the file' : `${reading.toFixed(1)} (reading the file)`,
    measured: new Map(incremental === undefined ? [] : [[LARGE_SIZE, one(incremental)]]),
    met: incremental === undefined || reading === undefined ? undefined : incremental <= reading,
  }
}

/** Of the median peaks of Rowback's own works, the highest. */
function highestMemory(results: readonly SizeResult[], megabytes: number): number | undefined {
  const result = results.find((candidate) => candidate.megabytes === megabytes)
  if (result === undefined) return undefined
  const own = result.samples.filter(({ by, work }) => by === 'Rowback' && work !== 'upkeep')
  const peaks = [...new Set(own.map(({ work }) => work))].map(
    (work) => figure(result, 'peakBytes', ['Rowback', work])?.median ?? 0,
  )
  return Math.max(...peaks) || undefined
}

function samplesOf({ samples }: SizeResult, [by, work]: Side): Sample[] {
  return samples.filter((sample) => sample.by === by && sample.work === work)
}

function bySize(
  results: readonly SizeResult[],
  measure: (result: SizeResult) => Spread | undefined,
): Map<number, Spread> {
  const measured = new Map<number, Spread>()
  for (const result of results) {
    const value = measure(result)
    if (value !== undefined) measured.set(result.megabytes, value)
  }
  return measured
}

function spread(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const at = (place: number) => sorted[place] as number
  const middle = (sorted.length - 1) / 2
  const median = (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2
  return { median, low: at(0), high: at(sorted.length - 1) }
}

function one(value: number): Spread {
  return { median: value, low: value, high: value }
}
