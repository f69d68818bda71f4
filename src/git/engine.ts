/** Which engine works on a repository: the git binary, or isomorphic-git where there is none. */

import { dirname } from 'node:path'
import { RowbackError } from '../errors.ts'
import { git } from './run.ts'

/** `native` is the git binary, `embedded` is isomorphic-git. */
export type Engine = 'native' | 'embedded'

/** With `auto`, or without a choice, the git binary where a usable one is in PATH. */
export type EngineChoice = Engine | 'auto'

/** Older ones do not know what keeps the user's settings apart (GIT_CONFIG_GLOBAL). */
const oldestGit = [2, 32] as const

/** The engine for a choice. */
export async function engineOf(choice: EngineChoice = 'auto'): Promise<Engine> {
  if (choice !== 'auto') return choice
  const path = process.env.PATH ?? ''
  const known = usable.get(path) ?? hasUsableGit()
  usable.set(path, known)
  return (await known) ? 'native' : 'embedded'
}

/** What was found in each PATH: a verb may open its repository more than once. */
const usable = new Map<string, Promise<boolean>>()

/** Whether PATH has a git that is new enough. */
async function hasUsableGit(): Promise<boolean> {
  // In a folder that is there for sure: a missing one would pass for a missing git.
  const said = await git(dirname(process.execPath), ['version']).catch(() => undefined)
  const [, major, minor] = /^git version (\d+)\.(\d+)/.exec(said?.stdout.toString() ?? '') ?? []
  if (said?.code !== 0 || major === undefined) return false
  const [oldMajor, oldMinor] = oldestGit
  return Number(major) > oldMajor || (Number(major) === oldMajor && Number(minor) >= oldMinor)
}

/** What helps where only the git binary can do something. */
export const installGit = `install git ${oldestGit.join('.')} or newer, for example: apt-get install git`

/** The error for what the embedded engine cannot do. */
export function needsGit(code: RowbackError['code'], what: string, why: string): RowbackError {
  return new RowbackError(
    code,
    `${what}: ${why}, which takes the git program; the embedded engine is in use`,
    {
      hint: installGit,
    },
  )
}
