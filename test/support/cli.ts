/** Runs the built program as its users do, and says what is on a disk before and after. */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of package.json; `npm run build` has put the program into its `dist`. */
export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

export interface RunOptions {
  cwd?: string
  env?: Record<string, string>
  /** Whose rights the program has; those of the tests without it. */
  uid?: number
}

/** Runs `rowback` with those arguments; its own faults come back as exit codes, too. */
export function rowback(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return program(process.execPath, [join(projectRoot, 'bin', 'rowback.js'), ...args], options)
}

/** Runs any program in the tests' own environment, without the variables that point git elsewhere. */
export function program(
  file: string,
  args: readonly string[],
  { cwd, env, uid }: RunOptions = {},
): Promise<Ended> {
  const identity = uid === undefined ? {} : { uid, gid: uid }
  const child = spawn(file, args, {
    ...(cwd === undefined ? {} : { cwd }),
    env: { ...ownEnv(), ...env },
    ...identity,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err]: [Buffer[], Buffer[]] = [[], []]
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      resolve({ code, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() })
    })
  })
}

/** The tests' own environment without the variables that point git elsewhere. */
export function ownEnv(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')))
}

/** Runs `rowback` with --json and returns its document; throws what it said where it failed. */
export function rowbackJson<T>(args: readonly string[], options: RunOptions = {}): Promise<T> {
  return documentOf<T>(args, rowback([...args, '--json'], options))
}

/** The document of a run with those arguments and --json; throws what it said where it failed. */
export async function documentOf<T>(args: readonly string[], run: Promise<Ended>): Promise<T> {
  const { code, stdout, stderr } = await run
  if (code !== 0) throw new Error(`rowback ${args.join(' ')} ended with ${code}: ${stderr}`)
  return JSON.parse(stdout) as T
}

/**
 * Everything below a folder: a line for each file, directory and symlink with its mode, and for files the time of the
 * last change in nanoseconds, the size and a digest of the content. What is called `without` is left out.
 */
export function contents(dir: string, without: readonly string[] = []): string[] {
  const lines: string[] = []
  const visit = (path: string): void => {
    for (const name of readdirSync(join(dir, path)).sort()) {
      const inner = path === '' ? name : `${path}/${name}`
      if (without.includes(inner)) continue
      const stats = lstatSync(join(dir, inner), { bigint: true })
      const mode = (Number(stats.mode) & 0o7777).toString(8)
      if (stats.isDirectory()) {
        lines.push(`${inner}/ ${mode}`)
        visit(inner)
      } else if (stats.isSymbolicLink()) lines.push(`${inner} -> ${readlinkSync(join(dir, inner))}`)
      else lines.push(`${inner} ${mode} ${stats.mtimeNs} ${stats.size} ${digest(join(dir, inner))}`)
    }
  }
  visit('')
  return lines
}

function digest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16)
}
