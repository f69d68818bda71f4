/**
 * Runs one command of a contestant and measures what it costs. IO. Memory is read from Linux' /proc; elsewhere it is
 * not measured.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'

/** What was measured; a name that is missing was not. */
export interface Figures {
  /** Of the clock, from the command's start to its end; the shell around it is not part of that. */
  seconds?: number
  /** User and system time of the command and all processes that it waited for. */
  cpuSeconds?: number
  /** The largest sum of the proportional set sizes (Pss) of all its processes at one time. */
  peakBytes?: number
  /** The same without pages of files, which the kernel can drop at any time. */
  ownBytes?: number
  /** How long processes that the command left behind went on after it, in seconds. */
  lingerSeconds?: number
  /** By which the files of the repository grew. */
  addedBytes?: number
  /** That a push to another disk or machine sends. */
  pushedBytes?: number
}

export interface Command {
  /** For bash. It fails where any part of it, also within a pipe, fails. */
  script: string
  cwd: string
  env: NodeJS.ProcessEnv
}

// Processes are told by this variable, which they hand down: some leave their group, or outlive their parent.
const MARK = 'ROWBACK_BENCH_COMMAND'

/** Runs a command and waits until all its processes have ended; throws what it said where it fails. */
export async function measure({ script, cwd, env }: Command): Promise<Figures> {
  const mark = randomUUID()
  const child = spawn('bash', ['-c', timedScript(script)], {
    cwd,
    env: { ...env, [MARK]: mark },
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  const family = new Family(child.pid as number, mark)
  const [said, times] = [collect(child.stderr as Readable), collect(child.stdio[3] as Readable)]
  const memory = await watch(child, family)
  if (child.exitCode !== 0)
    throw new Error(`${script}\nended with ${child.exitCode ?? child.signalCode}: ${await said}`)
  const endedAt = performance.now()
  while (family.members().length > 0) await sleep(20)
  const lingerSeconds = (performance.now() - endedAt) / 1000
  return { ...readTimes(await times), ...memory, lingerSeconds }
}

/** Runs a command that is not measured and returns what it said on stderr; throws that where it fails. */
export async function run({ script, cwd, env }: Command): Promise<string> {
  const child = spawn('bash', ['-c', `set -eo pipefail\n${script}`], {
    cwd,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const said = await collect(child.stderr)
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((done) => child.on('exit', done))
  if (child.exitCode !== 0) throw new Error(`${script}\nended with ${child.exitCode}: ${said}`)
  return said
}

/** The bytes of all files below a folder; 0 where it does not exist. */
export function folderBytes(dir: string): number {
  if (!existsSync(dir)) return 0
  let bytes = 0
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name)
    bytes += entry.isDirectory() ? folderBytes(path) : lstatSync(path).size
  }
  return bytes
}

// The shell takes the times itself: its own start does not count, nor does how soon we notice its end.
function timedScript(script: string): string {
  return `set -eo pipefail
began=$EPOCHREALTIME
{
${script}
}
ended=$EPOCHREALTIME
{ echo "$began $ended"; times; } >&3`
}

/** Reads "began ended" in seconds since 1970, then user and system time of the shell and of its children. */
function readTimes(text: string): Figures {
  const [began, ended] = text.split(/\s/, 2).map(Number) as [number, number]
  let cpuSeconds = 0
  for (const [, minutes, seconds] of text.matchAll(/(\d+)m([\d.]+)s/g))
    cpuSeconds += Number(minutes) * 60 + Number(seconds)
  return { seconds: ended - began, cpuSeconds }
}

/** So many times the time that a look takes is paused after it: what is measured shall not wait for who measures. */
const PAUSE_PER_LOOK = 15

/** Looks at the memory of a family until the child ends: often at first, later ten times a second. */
async function watch(child: ChildProcess, family: Family): Promise<Figures> {
  const startedAt = performance.now()
  let ended = false
  const end = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', () => {
      ended = true
      resolve()
    })
  })
  const peak = { peakBytes: 0, ownBytes: 0 }
  while (!ended) {
    const lookedAt = performance.now()
    const [peakBytes, ownBytes] = family.memory()
    peak.peakBytes = Math.max(peak.peakBytes, peakBytes)
    peak.ownBytes = Math.max(peak.ownBytes, ownBytes)
    const lookMs = performance.now() - lookedAt
    const pauseMs = Math.min(100, Math.max(5 + (lookedAt - startedAt) / 100, PAUSE_PER_LOOK * lookMs))
    await Promise.race([end, sleep(pauseMs)])
  }
  await end
  return peak.peakBytes === 0 ? {} : peak
}

/** The processes of one command: its shell, and those with its mark or a parent in the family. */
class Family {
  readonly #mark: string
  /** Whether a process belongs to it; a process keeps its answer. */
  readonly #known = new Map<string, boolean>([[String(process.pid), false]])

  constructor(shell: number, mark: string) {
    this.#mark = `${MARK}=${mark}\0`
    this.#known.set(String(shell), true)
  }

  /** The ids of those that live; zombies have ended. */
  members(): string[] {
    if (!existsSync('/proc/self/smaps_rollup')) return []
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && this.#belongs(name) && isAlive(name))
  }

  /** Proportional set sizes in bytes: with pages of files, which processes and others share, and without. */
  memory(): [all: number, own: number] {
    let [all, own] = [0, 0]
    for (const pid of this.members()) {
      const rollup = readProc(pid, 'smaps_rollup')
      all += kilobytes(rollup, 'Pss')
      own += kilobytes(rollup, 'Pss') - kilobytes(rollup, 'Pss_File')
    }
    return [all * 1024, own * 1024]
  }

  #belongs(pid: string): boolean {
    const known = this.#known.get(pid)
    if (known !== undefined) return known
    const parent = statFields(pid)[1]
    const belongs =
      (parent !== undefined && this.#known.get(parent) === true) ||
      readProc(pid, 'environ').includes(this.#mark)
    this.#known.set(pid, belongs)
    return belongs
  }
}

function isAlive(pid: string): boolean {
  const [state] = statFields(pid)
  return state !== undefined && state !== 'Z' && state !== 'X'
}

/** State, parent and so on (proc_pid_stat(5)): what stands behind the name, which may hold anything. */
function statFields(pid: string): string[] {
  const stat = readProc(pid, 'stat')
  return stat === '' ? [] : stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** A file of a process; empty where the process has ended or is another user's. */
function readProc(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'latin1')
  } catch {
    return ''
  }
}

function kilobytes(rollup: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0)
}

async function collect(stream: Readable): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += String(chunk)
  return text
}

function sleep(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms))
}
