/** What every verb starts from: its flags joined with the settings file. */

import { existsSync } from 'node:fs'
import { readSettings } from '../config/read-settings.ts'
import { parseSettings, type Settings } from '../config/settings.ts'
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
  const settings = file === undefined ? parseSettings('', defaultFile) : await readSettings(file)
  return { settings, output }
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
