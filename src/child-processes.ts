/** The processes that this one has started, and their end. */

import type { ChildProcess } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

const children = new Map<ChildProcess, NodeJS.Signals>()

/** Notes a process that `endChildren` is to end, by the signal that it heeds. */
export function noteChild(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): void {
  children.set(child, signal)
  for (const end of ['error', 'exit']) child.once(end, () => children.delete(child))
}

/** Ends a process at once, and what it has started. */
export function killTree(child: ChildProcess): void {
  // Its id may be that of another one by now.
  if (child.exitCode !== null || child.signalCode !== null) return
  const started = startedBy(child.pid)
  child.kill('SIGKILL')
  signalAll(started, 'SIGKILL')
}

/**
 * Ends all that this process has started, and what that has, and waits until they are gone, so that none writes into
 * what is removed next. SIGTERM lets git remove its locks and temporary files.
 */
export function endChildren(): void {
  const noted = [...children.keys()].flatMap(({ pid }) => pid ?? [])
  // Where the system has such a list, it has those of libraries, too.
  const pids = [...new Set([...noted, ...startedBy(process.pid)])]
  for (const [child, signal] of children) child.kill(signal)
  signalAll(pids, 'SIGTERM')
  if (!haveEnded(pids)) {
    signalAll(pids, 'SIGKILL')
    haveEnded(pids)
  }
}

/** The ids of what a process has started and what still runs, and so on; none where the system has no such list (proc(5)). */
function startedBy(pid: number | undefined): number[] {
  const list = attempt(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')) ?? ''
  const started = list.split(' ').filter(Boolean).map(Number)
  return started.flatMap((child) => [child, ...startedBy(child)])
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  // One that has ended already does not count.
  for (const pid of pids) attempt(() => process.kill(pid, signal))
}

/** How long a process that was told to end may take, for example to remove what it has half-written. */
const patienceMs = 1000

/** Waits for the end of processes, and returns whether all have ended in time. */
function haveEnded(pids: readonly number[]): boolean {
  const until = performance.now() + patienceMs
  const never = new Int32Array(new SharedArrayBuffer(4))
  while (pids.some(isRunning)) {
    if (performance.now() > until) return false
    Atomics.wait(never, 0, 0, 1)
  }
  return true
}

/** Whether a thread of the process still runs: what has ended is a zombie until its parent is told (proc(5)). */
function isRunning(pid: number): boolean {
  const threads = attempt(() => readdirSync(`/proc/${pid}/task`)) ?? []
  return threads.some((id) =>
    attempt(() => !/\) [ZX] /.test(readFileSync(`/proc/${pid}/task/${id}/stat`, 'latin1'))),
  )
}

/** What `call` returns, or undefined where it throws. */
function attempt<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch {
    return undefined
  }
}
