/** Opens the repository of a backup, or makes it. */

import { join, resolve } from 'node:path'
import { RowbackError } from './errors.ts'
import { missingParents, removeEmptyFolders } from './folders.ts'
import { createIfVacant } from './git/create-store.ts'
import { openStore, type StoreOptions } from './git/open-store.ts'
import { type SettledRemote, settledRemote } from './git/remote-address.ts'
import type { Remote } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { removeStore } from './git/vacant.ts'
import { installHook } from './hook.ts'
import { hasState } from './state.ts'

/** The setting of a repository that names the source whose backups it holds. */
export const sourceKey = 'rowback.source'

/** The setting of a repository that names the remotes of the last push, one a line. */
const remotesKey = 'rowback.remote'

/** The addresses of the last push. */
export async function lastRemotes(store: Pick<Store, 'config'>): Promise<string[]> {
  return (await store.config(remotesKey))?.split('\n') ?? []
}

/** The remotes that are given, then those of the last push. */
export async function remotesToAsk(
  store: Pick<Store, 'config' | 'dir' | 'engine' | 'gitDir'>,
  remotes: readonly Remote[],
): Promise<readonly SettledRemote[]> {
  const settled = (some: readonly Remote[]) => Promise.all(some.map((remote) => settledRemote(store, remote)))
  const given = await settled(remotes)
  const last = await settled((await lastRemotes(store)).map((url) => ({ url })))
  return [...given, ...last.filter(({ url }) => !given.some((one) => one.url === url))]
}

export async function setLastRemotes(
  store: Pick<Store, 'setConfig'>,
  urls: readonly string[],
): Promise<void> {
  await store.setConfig(remotesKey, urls.join('\n'))
}

/** An open repository; `discard` removes one that was made for this backup, as long as it holds no commit. */
export interface BackupStore {
  store: Store
  discard(): Promise<void>
}

interface OpenOptions extends StoreOptions {
  hook?: boolean | undefined
  /** How long another process that makes the same repository is waited for. */
  lockTimeoutMs?: number | undefined
}

/**
 * Opens the repository at `dir`; one that is missing or empty is made, with our hook unless told not to. Throws a
 * `repository` error for one that holds the commits of something else.
 */
export async function openOrCreateStore(
  dir: string,
  { hook = true, ...options }: OpenOptions,
): Promise<BackupStore> {
  const made = missingParents(join(resolve(dir), 'HEAD'))
  const store = await createIfVacant(dir, { ...options, complete: hook ? installHook : undefined })
  if (store === undefined) return { store: await openOwnStore(dir, options), discard: async () => {} }
  const discard = async (): Promise<void> => {
    // Another backup may have committed to it since, to whatever branch.
    if ((await store.refs('refs/')).size > 0) return
    await removeStore(store.gitDir)
    removeEmptyFolders(made)
  }
  return { store, discard }
}

async function openOwnStore(dir: string, options: StoreOptions): Promise<Store> {
  const store = await openStore(dir, options)
  try {
    // What a backup remembers is only where there has been one.
    if (!hasState(store) && (await store.config(sourceKey)) === undefined) await refuseForeign(store)
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Throws where the branch, or what is checked out while there is no such branch, is no backup. */
export async function refuseForeign(store: Store): Promise<void> {
  const commit = (await store.tip()) ?? (await headCommit(store))
  if (commit === undefined) return
  const { readCommitTree } = await import('./commit-tree.ts')
  await readCommitTree(store, commit)
}

async function headCommit(store: Store): Promise<string | undefined> {
  try {
    return await store.resolve('HEAD')
  } catch (error) {
    if (error instanceof RowbackError && error.code === 'usage') return undefined
    throw error
  }
}
