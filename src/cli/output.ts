/** What the command line prints: results on stdout, all else on stderr; nothing of it can command a terminal. */

import { errorText, RowbackError } from '../errors.ts'
import type { Signature } from '../git/signature.ts'
import { counted, number } from '../number.ts'
import type { OnProgress, Progress } from '../progress.ts'
import { visible } from '../terminal.ts'
import { print } from './streams.ts'

export interface OutputOptions {
  json: boolean
  quiet: boolean
  verbose: boolean
}

/** The streams of one run; with `json` the result is one document on stdout. */
export class Output {
  private readonly options: OutputOptions
  private readonly startedAt = performance.now()
  private lastProgressAt = 0
  private progressShown = false

  constructor(options: OutputOptions) {
    this.options = options
  }

  get json(): boolean {
    return this.options.json
  }

  /** A line of the result; nothing with --quiet or --json. */
  line(text: string): void {
    if (this.options.quiet || this.options.json) return
    this.clearProgress()
    print('stdout', `${visible(text)}\n`)
  }

  /** The result as a document; nothing without --json. */
  document(result: unknown): void {
    if (this.options.json) this.raw(`${JSON.stringify(result, undefined, 1)}\n`)
  }

  /** A part of a document that is written piece by piece. */
  raw(text: string): void {
    this.clearProgress()
    print('stdout', visible(text))
  }

  warn(text: string): void {
    if (!this.options.quiet) this.problem(text)
  }

  /** A warning that is also printed with --quiet. */
  problem(text: string): void {
    this.clearProgress()
    print('stderr', `rowback: ${visible(text)}\n`)
  }

  /** Phases and their times; nothing without --verbose. */
  times(timesMs: Record<string, number>): void {
    if (!this.options.verbose) return
    const phases = Object.entries(timesMs).map(([phase, ms]) => `${phase} ${(ms / 1000).toFixed(2)} s`)
    this.warn(phases.join(', '))
  }

  error(error: unknown): void {
    this.clearProgress()
    const known = error instanceof RowbackError
    const hint = hintOf(error)
    print('stderr', `rowback: ${visible(known ? error.message : errorText(error))}\n`)
    if (hint !== undefined) print('stderr', `rowback: try: ${visible(hint)}\n`)
    if ((!known || this.options.verbose) && error instanceof Error)
      print('stderr', `${visible(error.stack ?? '')}\n`)
    this.document(errorDocument(error))
  }

  /** Shows on a terminal what a run that takes over a second is at, ten times a second; undefined elsewhere. */
  progress(): OnProgress | undefined {
    if (!process.stderr.isTTY || this.options.quiet) return undefined
    return (progress) => {
      const now = performance.now()
      if (now - this.startedAt < 1000 || now - this.lastProgressAt < 100) return
      this.lastProgressAt = now
      this.progressShown = true
      print('stderr', `\r\x1b[K${progressText(progress)}`)
    }
  }

  private clearProgress(): void {
    if (!this.progressShown) return
    this.progressShown = false
    print('stderr', '\r\x1b[K')
  }
}

/** An error that the document on stdout has told already. */
export class ToldError extends Error {}

/** What --json says of an error. */
export function errorDocument(error: unknown): Record<string, unknown> {
  const known = error instanceof RowbackError
  const hint = hintOf(error)
  const code = known ? error.code : 'fault'
  const shown = { code, message: errorText(error), ...(hint === undefined ? {} : { hint }) }
  return { ...(known ? error.result : {}), error: shown }
}

function hintOf(error: unknown): string | undefined {
  if (error instanceof RowbackError) return error.hint
  return 'this is a fault of Rowback; please report it with what --verbose prints'
}

function progressText({ phase, rows, bytes, elapsedMs, commit }: Progress): string {
  const parts = commit ? [`commit ${number(commit.number)} of ${number(commit.of)}`, phase] : [phase]
  if (rows > 0) parts.push(counted(rows, 'row'))
  if (rows > 0 && elapsedMs > 1000) parts.push(`${number(Math.round(rows / (elapsedMs / 1000)))} rows/s`)
  if (bytes > 0) parts.push(size(bytes))
  return parts.join('  ')
}

/** Bytes in decimal units, as disks are sold. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** A commit id as git abbreviates it. */
export function shortId(oid: string): string {
  return oid.slice(0, 10)
}

/** Total of phase times in seconds. */
export function seconds(timesMs: Record<string, number>): string {
  return `${(Object.values(timesMs).reduce((sum, ms) => sum + ms, 0) / 1000).toFixed(1)} s`
}

/** Who signed a commit, and with which key. */
export function signedBy({ format, signer, key }: Signature): string {
  return `signed by ${signer} with ${format === 'ssh' ? 'SSH' : 'OpenPGP'} key ${key}`
}
