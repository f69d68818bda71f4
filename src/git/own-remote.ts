/** The remote of a repository that Rowback makes for itself, where nobody knows the names of the real one's remotes. */

import { existsSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { SettledRemote } from './remote-address.ts'

/** What it is called there. */
export const ownRemote = 'rowback-own'

/** Adds the remote to the settings of the repository at `own`, with further settings of a remote. */
export async function addOwnRemote(
  own: string,
  { address }: SettledRemote,
  further: ReadonlyMap<string, string> = new Map(),
): Promise<void> {
  // git-lfs takes a path for an address, in which `%`, `#` and `?` mean something.
  const value = existsSync(address) ? pathToFileURL(address).href : address
  const settings = [['url', value] as const, ...further]
  const lines = settings.map(([key, one]) => `\t${key} = ${quotedValue(one)}\n`)
  await appendFile(join(own, 'config'), `\n[remote "${ownRemote}"]\n${lines.join('')}`)
}

/** A value as git-config(1) has it. */
export function quotedValue(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
}
