/** What a settings file may hold: its keys, their types and their defaults. Pure. */

import { z } from 'zod'
import {
  defaultSettings,
  engineModes,
  signatureFormats,
  unstableModes,
  upkeepModes,
  verifyModes,
} from './defaults.ts'
import {
  authorProblem,
  branchProblem,
  fingerprintProblem,
  folderProblem,
  globProblem,
  lineProblem,
  pathProblem,
  remoteProblem,
  signingKeyProblem,
  sizeProblem,
  variableProblem,
} from './settings-checks.ts'

/** A text that passes a check; the check returns what is wrong, or undefined. */
function text(problem: (value: string) => string | undefined) {
  return z.string().superRefine((value, context) => {
    const message = problem(value)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
}

/** Has keys looked at together where one of them is wrong alone, too: all that is wrong with a file is told at once. */
const when = ({ value }: { value: unknown }): boolean => typeof value === 'object' && value !== null

/** SQLite keeps its busy timeout, in milliseconds, in 31 bits. */
const longestTimeout = Math.floor((2 ** 31 - 1) / 1000)

const seconds = z.number().refine((value) => value >= 0 && value <= longestTimeout, {
  error: ({ input }) => `expected 0 to ${longestTimeout} seconds, found ${input}`,
})

const overSize = z.union([z.number().transform(String), z.string()], {
  error: 'expected a size such as 50 MB',
})

const rule = z
  .strictObject({
    match: z.array(text(globProblem)).min(1, 'names no glob: it would match nothing').optional(),
    over: overSize.pipe(text(sizeProblem)).optional(),
    store: z.enum(['git', 'lfs', 'manifest']),
  })
  .refine(({ match, over }) => match !== undefined || over !== undefined, {
    error: 'needs "match" or "over"',
    when,
  })

const assets = z.strictObject({
  include: z.array(text(globProblem)).default(defaultSettings.assets.include),
  exclude: z.array(text(globProblem)).default(defaultSettings.assets.exclude),
  rules: z.array(rule).default(defaultSettings.assets.rules),
  unstable: z.enum(unstableModes).default(defaultSettings.assets.unstable),
})

const assetColumn = z.strictObject({
  database: text(lineProblem).optional(),
  table: text(lineProblem),
  column: text(lineProblem),
  folder: text(folderProblem).default(''),
})

/** A remote beyond its address; a text is one without more. */
const remote = z.strictObject({
  url: text(remoteProblem),
  'password-variable': text(variableProblem).optional(),
})

const remotes = z.array(z.preprocess((value) => (typeof value === 'string' ? { url: value } : value), remote))

const retries = z.number().refine((value) => Number.isInteger(value) && value >= 0 && value <= 20, {
  error: ({ input }) => `expected a count from 0 to 20, found ${input}`,
})

const author = z.strictObject({ name: text(authorProblem), email: text(authorProblem) })

const sign = z
  .strictObject({ format: z.enum(signatureFormats), key: text(lineProblem) })
  .superRefine(({ format, key }, context) => {
    const message = signingKeyProblem(format, key)
    if (message !== undefined) context.addIssue({ code: 'custom', message, path: ['key'] })
  })

const signers = z
  .strictObject({
    ssh: text(pathProblem).optional(),
    openpgp: z.array(text(fingerprintProblem)).min(1, { error: 'is empty' }).optional(),
    required: z.boolean().default(false),
  })
  .refine(({ ssh, openpgp }) => ssh !== undefined || openpgp !== undefined, {
    error: 'needs "ssh" or "openpgp"',
    when,
  })

/** The top level of a settings file, by the keys that users write. */
export const settingsFile = z.strictObject({
  source: text(pathProblem).optional(),
  repository: text(pathProblem).optional(),
  remote: text(remoteProblem).optional(),
  remotes: remotes.default(defaultSettings.remotes),
  retries: retries.default(defaultSettings.retries),
  branch: text(branchProblem).optional(),
  engine: z.enum(engineModes).default(defaultSettings.engine),
  name: text(lineProblem).optional(),
  assets: assets.prefault({}),
  'asset-columns': z.array(assetColumn).default(defaultSettings.assetColumns),
  'exclude-tables': z.array(text(lineProblem)).default(defaultSettings.excludeTables),
  'full-text': z.enum(['logical', 'exact']).default(defaultSettings.fullText),
  extensions: z.array(text(pathProblem)).default(defaultSettings.extensions),
  author: author.optional(),
  sign: sign.optional(),
  signers: signers.optional(),
  verify: z.enum(verifyModes).default(defaultSettings.verify),
  hook: z.boolean().default(defaultSettings.hook),
  upkeep: z.enum(upkeepModes).default(defaultSettings.upkeep),
  'busy-timeout': seconds.default(defaultSettings.busyTimeoutMs / 1000),
  'lock-timeout': seconds.default(defaultSettings.lockTimeoutMs / 1000),
})

/** A settings file that passed, with its defaults. */
export type SettingsFile = z.output<typeof settingsFile>

/** The keys that may stand at a place of a settings file. */
export function keysAt(path: readonly PropertyKey[]): string[] {
  if (path.length === 0) return Object.keys(settingsFile.shape)
  if (path[0] === 'remotes') return Object.keys(remote.shape)
  if (path[0] === 'assets') return Object.keys(path[1] === 'rules' ? rule.shape : assets.shape)
  if (path[0] === 'asset-columns') return Object.keys(assetColumn.shape)
  if (path[0] === 'sign') return Object.keys(sign.shape)
  if (path[0] === 'signers') return Object.keys(signers.shape)
  return path[0] === 'author' ? Object.keys(author.shape) : []
}
