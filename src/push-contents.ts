/** Sends contents to Git LFS, before a push sends its commits: none of these may arrive without them. */

import type { LfsFile } from './git/lfs-history.ts'
import { sendLfsObjects, setRemoteObjectsAside } from './git/lfs-remote.ts'
import type { RemoteAccess } from './git/remote.ts'
import type { SettledRemote } from './git/remote-address.ts'
import { redactUrl } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { intactContents } from './lfs-contents.ts'

export interface SendContents extends RemoteAccess {
  /** Where what a remote in a directory has is read, too, and sent again where it is damaged or lost: what it need not have yet. */
  checked: { fresh: readonly LfsFile[] } | undefined
}

/** Contents that were damaged or lost and are not any more, by path. */
export interface HealedContents {
  /** In this repository; they came back from a remote. */
  here: string[]
  /** At the remote; they were sent again. */
  there: string[]
  /** Not at the remote any more, though it has their commits; they were sent again. */
  lost: string[]
}

/**
 * Sends contents, all of which are found to be intact here before, or come from a remote. Throws RowbackError('remote') where
 * they cannot be had, or the remote does not take them.
 */
export async function sendContents(
  store: Store,
  remote: SettledRemote,
  files: readonly LfsFile[],
  { checked, ...access }: SendContents,
): Promise<HealedContents> {
  const left = `nothing was pushed, the commit is safe in ${store.dir}`
  const need = { what: `push to ${redactUrl(remote.url)}`, left, remotes: [remote] }
  const { healed } = await intactContents(store, files, need)
  const { missing, damaged } = checked
    ? await setRemoteObjectsAside(store, remote, files, left)
    : { missing: [], damaged: [] }
  await sendLfsObjects(store, remote, files, { ...access, left })
  const fresh = new Set(checked?.fresh.map(({ sha256 }) => sha256))
  const lost = missing.filter(({ sha256 }) => !fresh.has(sha256))
  return { here: healed, there: pathsOf(damaged), lost: pathsOf(lost) }
}

function pathsOf(files: readonly LfsFile[]): string[] {
  return files.map(({ path }) => path)
}
