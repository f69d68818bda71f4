/** Where remotes are: git may know one by a name, and its settings may lead an address elsewhere (git-config(1), url.*.insteadOf). */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { RowbackError } from '../errors.ts'
import { addressBase } from './directory.ts'
import { userEnv, withSettings } from './remote-env.ts'
import { checkRemoteUrl, isRelative, isRelativePath, type Remote, redactUrl } from './remote-url.ts'
import { git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** A remote that every directory and repository can be led to. */
export interface SettledRemote extends Remote {
  /** Where git is led by `url`, with the user's settings. */
  address: string
}

type Place = Pick<Store, 'dir' | 'engine' | 'gitDir'>

/**
 * The remote, to read from, with an absolute path, as git is started in several directories. Throws RowbackError('usage') for a `url`
 * that is not used; `address` is still to be checked, by whoever goes there.
 */
export async function settledRemote(store: Place, remote: Remote): Promise<SettledRemote> {
  checkRemoteUrl(remote.url)
  const { url, fetch } = await whereTo(store, remote.url)
  return { ...remote, url, address: fetch }
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
}

/** What the address is called for the one question where git leads it. */
const asked = 'rowback-asked'

async function whereTo(store: Place, given: string): Promise<Led> {
  const path = existingPath(given)
  if (store.engine === 'embedded') return { url: path, fetch: path }
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
  const [named, led = path] = [addressesOf(listed, name, 'fetch')[0], addressesOf(listed, asked, 'fetch')[0]]
  if (named === undefined && led === path) {
    // Whatever lies where git would look for it.
    const url = isRelativePath(path) ? resolve(path) : path
    return { url, fetch: url }
  }
  const fetch = named ?? led
  const base = addressBase(store)
  return { url: named === undefined ? path : name, fetch: isRelative(fetch) ? resolve(base, fetch) : fetch }
}

/** The addresses of a remote in lines `name TAB address (fetch)`, behind which git may say of a filter. */
function addressesOf(listed: string, name: string, use: 'fetch' | 'push'): string[] {
  const lines = listed.split('\n').filter((line) => line.startsWith(`${name}\t`))
  return lines.flatMap((line) => {
    const [, address, found] =
      /^(.*) \((fetch|push)\)(?: \[[^\]]*\])?$/.exec(line.slice(name.length + 1)) ?? []
    return address !== undefined && found === use ? [address] : []
  })
}
