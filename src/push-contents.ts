/** Sends contents to Git LFS, before a push sends its commits: none of these may arrive without them. */

import type { LfsFile } from './git/lfs-history.ts'
import { sendLfsObjects, setRemoteObjectsAside } from './git/lfs-remote.ts'
import type { RemoteAccess } from './git/remote.ts'
import type { SettledRemote } from './git/remote-address.ts'
import { redactUrl } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { intactContents } from './lfs-contents.ts'

export interface SendContents extends RemoteAccess {
  /** Whether what a remote in a directory has is read, too, and replaced where it is damaged. */
  replaceDamaged: boolean
}

/** Contents that were damaged and are not any more, by path. */
export interface HealedContents {
  /** In this repository; they came back from a remote. */
  here: string[]
  /** At the remote; they were sent again. */
  there: string[]
}

/**
 * Sends contents, all of which are found to be intact here before, or come from a remote. Throws RowbackError('remote') where
 * they cannot be had, or the remote does not take them.
 */
export async function sendContents(
  store: Store,
  remote: SettledRemote,
  files: readonly LfsFile[],
  { replaceDamaged, ...access }: SendContents,
): Promise<HealedContents> {
  const left = `nothing was pushed, the commit is safe in ${store.dir}`
  const need = { what: `push to ${redactUrl(remote.url)}`, left, remotes: [remote] }
  const { healed } = await intactContents(store, files, need)
  const replaced = replaceDamaged ? await setRemoteObjectsAside(store, remote, files, left) : []
  await sendLfsObjects(store, remote, files, { ...access, left })
  return { here: healed, there: replaced.map(({ path }) => path) }
}
