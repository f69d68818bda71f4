/** What every verb starts from: its flags joined with the settings file. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { defaultSettings } from '../config/defaults.ts'
import type { Settings } from '../config/settings.ts'
import { RowbackError } from '../errors.ts'
import { Output } from './output.ts'

/** Flags that every verb takes. */
export interface CommonFlags {
  config?: string
  repo?: string
  json?: boolean
  quiet?: boolean
  verbose?: boolean
}

/** Flags of verbs that open databases. */
export interface ExtensionFlags extends CommonFlags {
  extension?: string[]
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
  if (flags.config === undefined) refuseExtensions(settings)
  return { settings, output }
}

/** Loads what reads settings where there are any: it takes longer than a backup of what nobody has written to. */
async function readFrom(file: string): Promise<Settings> {
  const { readSettings } = await import('../config/read-settings.ts')
  return readSettings(file)
}

/** The working directory may be a clone of what somebody else has written: only a file that the user names is trusted. */
function refuseExtensions({ extensions }: Settings): void {
  if (extensions.length === 0) return
  throw new RowbackError(
    'usage',
    `read settings ${defaultFile}: only a file of --config may name extensions`,
    {
      hint: `add --config ${defaultFile}`,
    },
  )
}

/** The extensions of the settings and of --extension, by absolute paths. */
export function extensionsOf({ settings }: Context, { extension = [] }: ExtensionFlags): string[] {
  return [...settings.extensions, ...extension.map((path) => resolve(path))]
}

/** The repository of --repo or the settings; throws a `usage` error without either. */
export function repositoryOf(
  { settings }: Context,
  flags: CommonFlags,
): { repository: string; branch: string } {
  const repository = flags.repo ?? settings.repository
  if (repository !== undefined && repository !== '') return { repository, branch: settings.branch }
  throw new RowbackError('usage', 'find repository: neither --repo nor the settings name one', {
    hint: 'add --repo DIR',
  })
}
