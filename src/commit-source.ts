/** Brings the branch to the state of a source: reads what may have changed, and commits it. */

import { unreadableAssets } from './assets/scan.ts'
import type { BackupOptions, BackupResult } from './backup.ts'
import { RowbackError } from './errors.ts'
import { hasLfsObject } from './git/lfs-objects.ts'
import type { Store } from './git/store.ts'
import type { Phases } from './progress.ts'
import type { Source } from './source.ts'
import { dropState, isUntouched, type State, stateKey, writeState } from './state.ts'

/** What a backup did, but for the push and the upkeep. */
export type Committed = Omit<BackupResult, 'pushes' | 'upkeep' | 'timesMs'>

interface CommitOptions extends BackupOptions {
  /** The tip of the branch; undefined before the first commit. */
  parent: string | undefined
  /** What the run that made it saw, with whatever options. */
  remembered: State | undefined
}

/** Commits the source. Throws RowbackError; the branch has not moved then, unless that says so. */
export async function commitSource(
  store: Store,
  source: Source,
  { remembered, ...options }: CommitOptions,
  phases: Phases,
): Promise<Committed> {
  const key = stateKey(source, options)
  const known = remembered?.key === key ? remembered : undefined
  if (known && isUntouched(source, known) && hasContents(store, known)) return unchanged(source, known)
  // SQLite is loaded where there is something to read: that takes as long as to see that there is nothing.
  const { commitTree } = await import('./commit-new.ts')
  const { committed, state } = await commitTree(store, source, { ...options, known }, phases).catch(
    async (error) => {
      if (mayBeOfState(error)) await dropState(store)
      throw error
    },
  )
  await writeState(store, { ...state, key, commit: committed.latest, tree: committed.tree })
  return committed
}

/** Whether a fault of Rowback, which may be one of what it remembers, has shown: the next run must not meet it again. */
function mayBeOfState(error: unknown): boolean {
  return !(error instanceof RowbackError) || error.code === 'fault' || error.code === 'difference'
}

/** Whether the repository still has the contents in Git LFS, which the source can give back where it has not. */
function hasContents({ gitDir }: Store, { assets }: State): boolean {
  return [...assets.values()].every(
    ({ entry }) => entry.kind !== 'file' || !entry.lfs || hasLfsObject(gitDir, entry),
  )
}

function unchanged({ warnings, assets }: Source, { commit, tree, totals, agreement }: State): Committed {
  const none = { added: 0, changed: 0, removed: 0 }
  return {
    tree,
    summary: { tables: [], assets: none, schemaChanged: false, rows: totals.rows, files: totals.files },
    files: { written: 0, reused: totals.entries },
    bytes: { total: totals.bytes, written: 0 },
    warnings,
    unreadable: unreadableAssets(assets),
    unstable: [],
    agreement,
    commit: undefined,
    latest: commit,
    subject: 'nothing changed',
    verified: false,
    read: 'nothing',
  }
}
