/** Fetches all that a remote has into a new repository. */

import { remoteDirectory } from './directory-remote.ts'
import { needsGit } from './engine.ts'
import { settledRemote } from './remote-address.ts'
import { canHeal, remoteError, remoteGit } from './remote-git.ts'
import { checkRemoteUrl, type Remote, redactUrl } from './remote-url.ts'
import { type Retries, withRetries } from './retry.ts'
import type { Store } from './store.ts'

/**
 * Fetches every branch and tag, of a shallow repository as far as that goes back; with `partial` no files, which come when they are
 * asked for. What comes is checked as by `git fsck`. Throws RowbackError('remote'), and always does so without git, RowbackError('usage') for an address that is not used.
 */
export async function fetchAll(
  store: Store,
  remote: Remote,
  { partial = false, ...retries }: Retries & { partial?: boolean | undefined },
): Promise<void> {
  const what = `clone ${redactUrl(remote.url)}`
  if (store.engine === 'embedded') throw needsGit('remote', what, 'all of it has to be fetched')
  const refs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']
  const only = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance']
  const which = partial ? ['--filter=blob:none', fromFirst] : ['--update-shallow']
  const { address } = await settledRemote(store, remote)
  checkRemoteUrl(address)
  const sender = remoteDirectory(address) === undefined ? [] : [plainUpload]
  try {
    await store.setConfig('fetch.fsckObjects', 'true')
    const git = await remoteGit(store, remote)
    await withRetries(retries, canHeal, () =>
      git.raw(['fetch', ...only, ...which, ...sender, '--', remote.url, ...refs]),
    )
  } catch (error) {
    throw remoteError(what, remote, error, undefined, store.gitDir)
  }
}

/**
 * An option of git-fetch(1): all commits, which is what comes without it, and where the remote is shallow a note of where its history
 * begins. A fetch with a filter must have it: git takes the commit before a shallow one for one that the filter has left out, fetches
 * it, and to do so starts itself again for the same commit, without end.
 */
export const fromFirst = '--depth=2147483647'

/**
 * An option of git-fetch(1). The git that sends from a directory is started by us: it need not look for deltas between the
 * packs of a push in parts, which took minutes and 3 GB of memory for 2.4 GB.
 */
const plainUpload = '--upload-pack=git -c pack.window=0 upload-pack'
