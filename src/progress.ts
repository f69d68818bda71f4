/** What a flow reports while it runs, and how long each of its phases took. */

/** The running phase and what it has done so far. */
export interface Progress {
  phase: string
  rows: number
  bytes: number
  /** Since the phase began. */
  elapsedMs: number
  /** Which commit the flow is at, counted from 1, and of how many; where it goes through several. */
  commit?: { number: number; of: number } | undefined
}

export type OnProgress = (progress: Progress) => void

/** Times the phases of one flow; phases follow one another. */
export class Phases {
  /** Milliseconds by phase, in the order they began. */
  readonly timesMs: Record<string, number> = {}
  private phase = ''
  private startedAt = 0
  private rows = 0
  private bytes = 0
  private readonly onProgress: OnProgress

  constructor(onProgress: OnProgress = () => {}) {
    this.onProgress = onProgress
  }

  /** Ends the running phase and begins another; a phase that comes again adds to its time. */
  begin(phase: string): void {
    this.end()
    this.phase = phase
    this.startedAt = performance.now()
    this.rows = 0
    this.bytes = 0
    this.report()
  }

  /** Counts work of the running phase. */
  add(rows: number, bytes: number): void {
    this.rows += rows
    this.bytes += bytes
    this.report()
  }

  end(): void {
    if (this.phase === '') return
    this.timesMs[this.phase] = Math.round(
      (this.timesMs[this.phase] ?? 0) + performance.now() - this.startedAt,
    )
    this.phase = ''
  }

  private report(): void {
    const { phase, rows, bytes } = this
    this.onProgress({ phase, rows, bytes, elapsedMs: performance.now() - this.startedAt })
  }
}
