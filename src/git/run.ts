/** Runs the git binary, without a shell. `git` is one short command, `startGit` one to talk with. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import type { Readable, Writable } from 'node:stream'
import { releaseArrays } from '../buffers.ts'
import { killTree, noteChild } from '../child-processes.ts'
import { RowbackError } from '../errors.ts'
import { accessFault, storageFault } from './access-fault.ts'
import { gitEnv } from './env.ts'

/** How a git process ended; `code` is 128 when a signal ended it, and `stderr` then says which. */
export interface GitEnd {
  code: number
  stderr: string
}

/** A running git. Its streams never emit an unhandled `error`; what went wrong is in `ended`. */
export interface GitProcess {
  readonly stdin: Writable
  readonly stdout: Readable
  /** Settles when git is gone. Rejects with RowbackError('repository') if it could not be started. */
  readonly ended: Promise<GitEnd>
  /** Ends git at once, and what it has started, giving them no time to write anything more. */
  kill(): void
  /** Lets everything else on the machine go first; best called at once, as what git starts by then keeps its priority. */
  giveWay(): void
}

/** git closed a pipe before the conversation was over; `ended` of its process says why. */
export class GitClosed extends Error {
  override readonly name = 'GitClosed'
}

/** Settings for a git that reads much: it maps 16 MB of the packs at a time, and not all of them, for the same speed. */
export const mapsLittle = ['core.packedGitWindowSize=1m', 'core.packedGitLimit=16m'].flatMap((setting) => [
  '-c',
  setting,
])

/** More of git's messages than this is no help to anyone. */
const maxStderrChars = 65_536

/**
 * Starts git on the git directory `gitDir` (not a work tree; it is also the working directory), with `gitEnv()`
 * unless `env` is given. Of its messages `stderrChars` are kept, in characters.
 */
export function startGit(
  gitDir: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = gitEnv(),
  stderrChars: number = maxStderrChars,
): GitProcess {
  const child = spawn('git', args, { cwd: gitDir, env: { ...env, GIT_DIR: gitDir }, windowsHide: true })
  noteChild(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < stderrChars) stderr += text
  })
  for (const stream of child.stdio) stream?.on('error', () => {})
  const ended = new Promise<GitEnd>((resolve, reject) => {
    child.once('error', (error) => reject(startError(gitDir, error)))
    child.once('close', (code, signal) => {
      if (code === null) resolve({ code: 128, stderr: `${stderr}git was ended by ${signal}` })
      else resolve({ code, stderr: code === 0 ? stderr : withFault(gitDir, stderr) })
    })
  })
  ended.catch(() => {})
  const kill = () => {
    killTree(child)
    // An unread pipe would hold back the `close` event.
    child.stdout.destroy()
  }
  const giveWay = () => {
    try {
      if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW)
    } catch {
      // It has ended already, or may not be told.
    }
  }
  return { stdin: child.stdin, stdout: child.stdout, ended, kill, giveWay }
}

/** What git says, with the reason before it where it leaves that out. */
function withFault(gitDir: string, stderr: string): string {
  const saysMissing =
    /not a git repository|inside a git repository|configuration files|invalid config file|missing object|bad object|error reading reference/
  const read = saysMissing.test(stderr) ? accessFault(gitDir) : undefined
  const fault =
    read ?? (/(?:couldn't|could not) (?:set|write) '/.test(stderr) ? storageFault(gitDir) : undefined)
  return fault === undefined ? stderr : `fatal: ${fault}\n${stderr}`
}

function startError(gitDir: string, cause: Error): RowbackError {
  // Node reports a missing working directory as a missing program.
  if (!existsSync(gitDir))
    return new RowbackError('repository', `open repository ${gitDir}: it does not exist`, { cause })
  if ((cause as NodeJS.ErrnoException).code !== 'ENOENT')
    return new RowbackError('repository', `run git: ${cause.message}`, { cause })
  return new RowbackError('repository', 'run git: there is no program of that name in PATH', {
    hint: 'install git, for example: apt-get install git, or add --engine embedded',
    cause,
  })
}

/**
 * Runs one git command on the git directory `gitDir` and returns its exit code and what it printed; a code other
 * than 0 is not thrown. With `inBackground` git gives way to everything else.
 * Throws RowbackError('repository') if git could not be started.
 */
export async function git(
  gitDir: string,
  args: readonly string[],
  options: {
    env?: NodeJS.ProcessEnv
    input?: string | Buffer
    limitBytes?: number
    inBackground?: boolean
    stderrChars?: number
  } = {},
): Promise<{ code: number; stdout: Buffer; stderr: string }> {
  const child = startGit(gitDir, args, options.env, options.stderrChars)
  const chunks: Buffer[] = []
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY
  child.stdout.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    left -= chunk.length
    if (left < 0) child.kill()
  })
  if (options.inBackground) child.giveWay()
  child.stdin.end(options.input)
  const { code, stderr } = await child.ended
  const stdout = Buffer.concat(chunks)
  releaseArrays(chunks)
  return { code, stdout, stderr }
}

/** What git's last words leave out at times: why the system did not let it. */
const systemCause =
  /: (?:Permission denied|Operation not permitted|Read-only file system|Input\/output error)$/

/** One name for what the system, git and LFS have three for. */
export const fullDisk = 'no space left on device'

/** Whether a program has found the disk full. */
export function saysFull(stderr: string): boolean {
  return /No space left on device|Out of diskspace|Disk quota exceeded/i.test(stderr)
}

/** Why git failed, on one line and without its `fatal:`; for messages of the form "verb object: cause". */
export function gitCause({ code, stderr }: GitEnd): string {
  if (saysFull(stderr)) return fullDisk
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  // The last words before the others.
  const failures = ['fatal: ', 'error: '].flatMap((kind) => lines.filter((text) => text.startsWith(kind)))
  const line = failures.find((text) => systemCause.test(text)) ?? failures[0]
  return (line ?? lines[0])?.replace(/^(fatal|error|warning): /, '').trim() ?? `git ended with code ${code}`
}
