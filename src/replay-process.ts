/**
 * A process of its own for what SQLite runs of a commit. What is written there may compute without end, and nothing
 * stops SQLite inside a process but the end of that process.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { noteChild } from './child-processes.ts'
import { RowbackError } from './errors.ts'
import { packageRoot } from './package.ts'
import type { OnReplay, ReplayJob, ReplayNews, ReplayProof } from './replay-job.ts'
import { revivedError } from './sqlite/plain-error.ts'

type Outcome = Extract<ReplayNews, { kind: 'done' | 'failed' }> | RowbackError

/** Starts with the first job, and again with the first after one that failed. */
export class ReplayProcess {
  private running: Child | undefined

  /** Carries out one job at a time; throws what it fails with as if that had been done here. */
  async run(job: ReplayJob, on: OnReplay): Promise<ReplayProof | undefined> {
    this.running ??= startChild()
    const outcome = await carriedOut(this.running, job, on)
    if (!(outcome instanceof RowbackError) && outcome.kind === 'done') return outcome.proof
    await this.end()
    throw outcome instanceof RowbackError ? outcome : revivedError(outcome.error)
  }

  /** Ends the process at once, whatever it is at; it is gone when this returns. */
  async end(): Promise<void> {
    const { running } = this
    this.running = undefined
    running?.kill()
    await running?.ended
  }
}

/** Runs `use` with the process that the caller keeps, or with one that ends with it. */
export async function withReplayProcess<T>(
  use: (process: ReplayProcess) => Promise<T>,
  kept?: ReplayProcess | undefined,
): Promise<T> {
  if (kept) return use(kept)
  const process = new ReplayProcess()
  try {
    return await use(process)
  } finally {
    await process.end()
  }
}

interface Child {
  process: ChildProcess
  /** Settles when it is gone, with the error for those who still wait for it. */
  ended: Promise<RowbackError>
  kill(): void
}

function startChild(): Child {
  const file = join(packageRoot, 'dist', 'program', 'replay-child.js')
  const child = fork(file, {
    // What an extension prints is not what this program says.
    stdio: ['ignore', 2, 2, 'ipc'],
    serialization: 'advanced',
    // The text of a row file lives for one statement: with little room for the young it goes soon (159 MB, not 222).
    execArgv: ['--max-semi-space-size=1'],
  })
  // It leaves other signals to this process.
  noteChild(child, 'SIGKILL')
  const kill = (): void => {
    child.kill('SIGKILL')
  }
  const ended = new Promise<RowbackError>((resolve) => {
    child.once('error', (error) => resolve(endError(error.message)))
    child.once('exit', (code, signal) => resolve(endError(signal ?? `code ${code}`)))
  })
  return { process: child, ended, kill }
}

async function carriedOut({ process, ended }: Child, job: ReplayJob, on: OnReplay): Promise<Outcome> {
  const outcome = new Promise<Outcome>((resolve) => {
    const listen = (news: ReplayNews): void => {
      if (news.kind === 'phase') on.onPhase(news.phase)
      else if (news.kind === 'progress') {
        on.onRows(news.rows, news.bytes)
        for (const file of news.files) on.onFile?.(file)
      } else {
        process.off('message', listen)
        resolve(news)
      }
    }
    process.on('message', listen)
  })
  process.send(job, () => {})
  return Promise.race([outcome, ended])
}

/** The error for a process that has ended without an answer. */
function endError(how: string): RowbackError {
  // Ctrl-C reaches it too, and at its start before it can leave that to its parent.
  const code = how === 'SIGINT' || how === 'SIGTERM' ? 'interrupted' : 'fault'
  return new RowbackError(code, `replay database: the process that does it was ended by ${how}`)
}
