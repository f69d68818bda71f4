/** Where remotes are: a remote may be given by a path of the working directory, or by a name that git knows. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { addressBase } from './directory.ts'
import { remoteEnv } from './remote-env.ts'
import { checkRemoteUrl, isRelativePath, type Remote } from './remote-url.ts'
import { git } from './run.ts'
import type { Store } from './store.ts'

/** A remote that every directory and repository can be led to. */
export interface SettledRemote extends Remote {
  /** Where `url` leads if that is a name of `git remote`, else the same. */
  address: string
}

/**
 * The remote with an absolute path, as git is started in several directories. Throws RowbackError('usage') for an address that
 * is not used; that of a name is still to be checked, by whoever goes there.
 */
export async function settledRemote<T extends Remote>(
  store: Pick<Store, 'dir' | 'engine' | 'gitDir'>,
  remote: T,
): Promise<T & SettledRemote> {
  const { url } = remote
  checkRemoteUrl(url)
  const named = store.engine === 'native' && isName(url) ? await namedAddress(store.gitDir, url) : url
  if (named === url) {
    const settled = existingPath(url)
    return { ...remote, url: settled, address: settled }
  }
  return { ...remote, address: isRelativePath(named) ? resolve(addressBase(store), named) : named }
}

/** An absolute path for that of something that is there. */
export function existingPath(url: string): string {
  return existsSync(url) ? resolve(url) : url
}

/** Whether it may be a name of `git remote`; a path of one word ends in `.git`, or begins with `./`. */
function isName(url: string): boolean {
  return !/[/\\:]|\.git$/i.test(url)
}

/** What git takes for an address where it is given the name, with the user's settings; the name where it knows none. */
async function namedAddress(gitDir: string, name: string): Promise<string> {
  const env = await remoteEnv(gitDir)
  const asked = await git(gitDir, ['ls-remote', '--get-url', '--', name], { env })
  return asked.stdout.toString().replace(/\n$/, '') || name
}
