/** What a settings file may hold: its keys, their types and their defaults. Pure. */

import { z } from 'zod'
import {
  authorProblem,
  branchProblem,
  globProblem,
  lineProblem,
  pathProblem,
  remoteProblem,
} from './settings-checks.ts'

/** A text that passes a check; the check returns what is wrong, or undefined. */
function text(problem: (value: string) => string | undefined) {
  return z.string().superRefine((value, context) => {
    const message = problem(value)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
}

/** Which commits a backup proves before the branch moves to them. */
export const verifyModes = ['always', 'schema', 'never'] as const

/** When packs are joined after a backup. */
export const upkeepModes = ['auto', 'always', 'never'] as const

/** SQLite keeps its busy timeout, in milliseconds, in 31 bits. */
const longestTimeout = Math.floor((2 ** 31 - 1) / 1000)

const seconds = z.number().refine((value) => value >= 0 && value <= longestTimeout, {
  error: ({ input }) => `expected 0 to ${longestTimeout} seconds, found ${input}`,
})

const assets = z.strictObject({
  include: z.array(text(globProblem)).default(['**']),
  exclude: z.array(text(globProblem)).default([]),
})

const author = z.strictObject({ name: text(authorProblem), email: text(authorProblem) })

/** The top level of a settings file, by the keys that users write. */
export const settingsFile = z.strictObject({
  source: text(pathProblem).optional(),
  repository: text(pathProblem).optional(),
  remote: text(remoteProblem).optional(),
  branch: text(branchProblem).default('main'),
  name: text(lineProblem).optional(),
  assets: assets.prefault({}),
  'exclude-tables': z.array(text(lineProblem)).default([]),
  'full-text': z.enum(['logical', 'exact']).default('logical'),
  extensions: z.array(text(pathProblem)).default([]),
  author: author.optional(),
  verify: z.enum(verifyModes).default('schema'),
  hook: z.boolean().default(true),
  upkeep: z.enum(upkeepModes).default('auto'),
  'busy-timeout': seconds.default(10),
})

/** A settings file that passed, with its defaults. */
export type SettingsFile = z.output<typeof settingsFile>

/** The keys that may stand at a place of a settings file. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  if (path.length === 0) return Object.keys(settingsFile.shape)
  if (path[0] === 'assets') return Object.keys(assets.shape)
  return path[0] === 'author' ? Object.keys(author.shape) : []
}
