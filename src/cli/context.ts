/** What every verb starts from: its flags joined with the settings file. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { defaultSettings } from '../config/defaults.ts'
import type { Settings } from '../config/settings.ts'
import { globProblem } from '../config/settings-checks.ts'
import { RowbackError } from '../errors.ts'
import type { Signers } from '../git/signature.ts'
import { Output } from './output.ts'

/** Flags of verbs that read or replace a source. */
export interface AssetFlags {
  include?: string[]
  exclude?: string[]
}

/** Flags that every verb takes. */
export interface CommonFlags {
  config?: string
  repo?: string
  engine?: Settings['engine']
  json?: boolean
  quiet?: boolean
  verbose?: boolean
}

/** Flags of verbs that open databases. */
export interface ExtensionFlags extends CommonFlags {
  extension?: string[]
}

/** Flags of verbs that push. */
export interface RemoteFlags extends CommonFlags {
  remote?: string[]
  retries?: string
}

/** Flags of verbs that may demand a signature. */
export interface SignedFlags extends CommonFlags {
  signed?: boolean
}

export interface Context {
  settings: Settings
  output: Output
}

const defaultFile = 'rowback.yaml'

export function makeOutput(flags: CommonFlags): Output {
  return new Output({
    json: flags.json ?? false,
    quiet: flags.quiet ?? false,
    verbose: flags.verbose ?? false,
  })
}

/** Reads the settings file: the one of --config, else `rowback.yaml` where there is one, else none. */
export async function readContext(flags: CommonFlags, output: Output): Promise<Context> {
  const file = flags.config ?? (existsSync(defaultFile) ? defaultFile : undefined)
  const settings = file === undefined ? defaultSettings : await readFrom(file)
  if (flags.config === undefined) refuseUntrusted(settings)
  return { settings, output }
}

/** Loads what reads settings where there are any: it takes longer than a backup of what nobody has written to. */
async function readFrom(file: string): Promise<Settings> {
  const { readSettings } = await import('../config/read-settings.ts')
  return readSettings(file)
}

/**
 * The working directory may be a clone of what somebody else has written: only a file that the user names may run code,
 * say which variables of the environment are sent where, what is signed with the user's key, or whose signatures count.
 */
function refuseUntrusted({ extensions, remotes, sign, signers }: Settings): void {
  const passwords = remotes.some(({ passwordVariable }) => passwordVariable !== undefined)
  const named = {
    extensions: extensions.length > 0,
    'password variables': passwords,
    'a signing key': sign,
    signers,
  }
  const key = Object.entries(named).find(([, isNamed]) => isNamed)?.[0]
  if (key === undefined) return
  throw new RowbackError('usage', `read settings ${defaultFile}: only a file of --config may name ${key}`, {
    hint: `add --config ${defaultFile}`,
  })
}

/**
 * Where to push: to each --remote, else to the remotes of the settings. One that the settings know keeps its password
 * variable when a flag names it, and lets a partial clone fetch from it when a flag names another.
 */
export function remotesOf(
  { settings }: Context,
  flags: RemoteFlags,
): { remotes: Settings['remotes']; knownRemotes: Settings['remotes']; retries: number } {
  const known = knownRemotes({ settings })
  const named = flags.remote?.map((url) => known.find((remote) => remote.url === url) ?? { url })
  const retries = parseRetries(flags.retries) ?? settings.retries
  return { remotes: named ?? known, knownRemotes: known, retries }
}

/** The remotes of the settings. */
export function knownRemotes({ settings }: Pick<Context, 'settings'>): Settings['remotes'] {
  const first = settings.remote === undefined ? [] : [{ url: settings.remote }]
  return [...first, ...settings.remotes]
}

function parseRetries(text: string | undefined): number | undefined {
  if (text === undefined || /^(1?\d|20)$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new RowbackError('usage', `read --retries ${JSON.stringify(text)}: it is no count from 0 to 20`)
}

/** What of a source is kept, by the settings and by --include and --exclude. */
export function assetsOf({ settings }: Pick<Context, 'settings'>, flags: AssetFlags): Settings['assets'] {
  const { assets } = settings
  checkGlobs('--include', flags.include)
  checkGlobs('--exclude', flags.exclude)
  const exclude = [...assets.exclude, ...(flags.exclude ?? [])]
  return { ...assets, include: flags.include ?? assets.include, exclude }
}

function checkGlobs(flag: string, globs: readonly string[] = []): void {
  for (const glob of globs) {
    const problem = globProblem(glob)
    if (problem !== undefined)
      throw new RowbackError('usage', `read ${flag} ${JSON.stringify(glob)}: ${problem}`)
  }
}

/** The extensions of the settings and of --extension, by absolute paths. */
export function extensionsOf({ settings }: Context, { extension = [] }: ExtensionFlags): string[] {
  return [...settings.extensions, ...extension.map((path) => resolve(path))]
}

/** The repository of --repo or the settings; throws a `usage` error without either. */
export function repositoryOf(
  { settings }: Context,
  flags: CommonFlags,
): { repository: string; branch: string | undefined; engine: Settings['engine'] } {
  const repository = flags.repo ?? settings.repository
  if (repository !== undefined && repository !== '')
    return { repository, branch: settings.branch, engine: flags.engine ?? settings.engine }
  throw new RowbackError('usage', 'find repository: neither --repo nor the settings name one', {
    hint: 'add --repo DIR',
  })
}

/** Whose signature is demanded, by --signed or the settings; undefined where none is. */
export function demandedSigners({ settings }: Context, { signed }: SignedFlags): Signers | undefined {
  const { signers } = settings
  if (!signed && !signers?.required) return undefined
  if (signers) return signers
  throw new RowbackError('usage', 'read --signed: the settings name nobody whose signature counts', {
    hint: 'add "signers" to the settings, see docs/signing.md, and name their file by --config',
  })
}
