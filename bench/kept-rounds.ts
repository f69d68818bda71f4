/** Rounds that have ended, in a file: a run of hours that was cut off goes on where it was. IO. */

import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { Report } from './report.ts'
import type { Sample } from './scenarios.ts'

/** A round and what it was made on; its samples have its number. */
export interface EndedRound {
  machine: Report['machine']
  megabytes: number
  fileBytes: number
  rows: Record<string, number>
  samples: readonly Sample[]
}

/** The rounds in a file, a line each; none without a file. Throws where one was run on another machine or by other versions. */
export function readRounds(file: string | undefined, machine: Report['machine']): EndedRound[] {
  if (file === undefined || !existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  const rounds = lines.map((line) => JSON.parse(line) as EndedRound)
  const other = rounds.find((round) => JSON.stringify(round.machine) !== JSON.stringify(machine))
  if (other) throw new Error(`${file} has rounds of another machine: ${JSON.stringify(other.machine)}`)
  return rounds
}

/** Adds a round to the file. */
export function keepRound(file: string, round: EndedRound): void {
  appendFileSync(file, `${JSON.stringify(round)}\n`)
}
