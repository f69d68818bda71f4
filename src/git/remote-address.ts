/** Where remotes are: git may know one by a name, and its settings may lead an address elsewhere (git-config(1), url.*.insteadOf). */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { RowbackError } from '../errors.ts'
import { addressBase } from './directory.ts'
import { loginOf, userEnv, withSettings } from './remote-env.ts'
import {
  checkRemoteUrl,
  httpOrigin,
  isRelative,
  isRelativePath,
  type Remote,
  redactUrl,
} from './remote-url.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** A remote that every directory and repository can be led to. */
export interface SettledRemote extends Remote {
  /** Where git is led by `url`, with the user's settings. */
  address: string
  /** What it is remembered by, and what settings of git-lfs may be of: `url`, or what this is one of several addresses of. */
  name: string
}

type Place = Pick<Store, 'dir' | 'engine' | 'gitDir'>

/**
 * The remote, to read from, with an absolute path, as git is started in several directories. Throws RowbackError('usage') for a `url`
 * that is not used; `address` is still to be checked, by whoever goes there.
 */
export async function settledRemote(store: Place, remote: Remote): Promise<SettledRemote> {
  checkRemoteUrl(remote.url)
  const { url, fetch } = await whereTo(store, remote.url)
  return { ...remote, url, address: fetch, name: url }
}

/**
 * The same to push to. Where git would push to other addresses than it reads from, or to several, each of them is a remote of its
 * own: what git pushes to at once it neither reads back nor tells apart. Throws also where the password variable is of no use.
 */
export async function pushTargets(store: Place, remote: Remote): Promise<SettledRemote[]> {
  checkRemoteUrl(remote.url)
  const { url: name, fetch, push } = await whereTo(store, remote.url)
  if (push.every((address) => address === fetch)) return [{ ...remote, url: name, address: fetch, name }]
  const origin = loginOf(remote)?.origin
  return [...new Set(push)].map((address) => {
    // The password goes to no other server than that of the address which it was given for.
    const passwordVariable = httpOrigin(address)?.origin === origin ? remote.passwordVariable : undefined
    return { url: address, address, name, passwordVariable }
  })
}

/** An absolute path for that of something that is there. */
export function existingPath(url: string): string {
  return existsSync(url) ? resolve(url) : url
}

/** Where git goes with an address or a name. */
interface Led {
  /** What git is given: the same, or an absolute path. */
  url: string
  fetch: string
  push: string[]
}

/** What the address is called for the one question where git leads it. */
const asked = 'rowback-asked'

async function whereTo(store: Place, given: string): Promise<Led> {
  const path = existingPath(given)
  if (store.engine === 'embedded') return { url: path, fetch: path, push: [path] }
  // Git resolves only what is the address of a remote, so it is made one, in the environment: it may not be seen in arguments yet.
  const env = withSettings(userEnv(store.gitDir), [[`remote.${asked}.url`, path]])
  const answer = await git(store.gitDir, ['remote', '-v'], { env })
  if (answer.code !== 0)
    throw new RowbackError(
      'repository',
      `use remote ${redactUrl(given)}: ask git where it leads: ${gitCause(answer)}`,
    )
  const listed = answer.stdout.toString()
  // A path with a slash is no name.
  const name = isRelativePath(given) ? path : given
  const [named, led] = [addressesOf(listed, name), addressesOf(listed, asked)]
  const isName = named.push.length > 0
  const fetch = named.fetch[0] ?? led.fetch[0] ?? path
  const push = isName ? named.push : led.push
  if (!isName && [fetch, ...push].every((address) => address === path)) {
    // Whatever lies where git would look for it.
    const url = isRelativePath(path) ? resolve(path) : path
    return { url, fetch: url, push: [url] }
  }
  const base = addressBase(store)
  const absolute = (address: string) => (isRelative(address) ? resolve(base, address) : address)
  return { url: isName ? name : path, fetch: absolute(fetch), push: push.map(absolute) }
}

/** The addresses of a remote in lines `name TAB address (fetch)`, behind which git may say of a filter, and `… (push)`. */
function addressesOf(listed: string, name: string): Record<'fetch' | 'push', string[]> {
  const found: Record<'fetch' | 'push', string[]> = { fetch: [], push: [] }
  for (const line of listed.split('\n')) {
    if (!line.startsWith(`${name}\t`)) continue
    const [, address, use] = /^(.*) \((fetch|push)\)(?: \[[^\]]*\])?$/.exec(line.slice(name.length + 1)) ?? []
    if (address !== undefined) found[use as 'fetch' | 'push'].push(address)
  }
  return found
}
