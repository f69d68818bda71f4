/**
 * The remote of a repository that Rowback makes for itself: there nobody knows the names of the real one's remotes, and a
 * relative path would be one from there.
 */

import { existsSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isRelativePath, isServer } from './remote-url.ts'
import { git } from './run.ts'

/** What it is called there. */
export const ownRemote = 'rowback-own'

/**
 * Adds a remote of the repository at `gitDir` to the settings of the one at `own`, which no other user can enter: an address in
 * git's settings may hold a secret, and no argument may show that.
 */
export async function addOwnRemote(own: string, gitDir: string, url: string): Promise<void> {
  const address = await remoteAddress(gitDir, url)
  // git-lfs takes a path for an address, in which `%`, `#` and `?` mean something.
  const value = existsSync(address) ? pathToFileURL(address).href : address
  const lines = `\n[remote "${ownRemote}"]\n\turl = ${quotedValue(value)}\n`
  await appendFile(join(own, 'config'), lines)
}

/** The address of a remote of the repository at `gitDir`, as it is from everywhere; it may hold a secret. */
export async function remoteAddress(gitDir: string, url: string): Promise<string> {
  if (existsSync(url) || isServer(url)) return url
  const named = (await git(gitDir, ['ls-remote', '--get-url', '--', url])).stdout.toString().trim()
  return isRelativePath(named) ? resolve(gitDir, named) : named
}

/** A value as git-config(1) has it. */
export function quotedValue(value: string): string {
  return `"${value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
}
