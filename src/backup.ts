/** The backup flow: source → snapshot → dump → store → push. */

import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Agreement, AssetColumn } from './agreement.ts'
import type { AssetRule } from './assets/rules.ts'
import type { Unreadable } from './assets/scan.ts'
import { type Committed, commitSource } from './commit-source.ts'
import type { Settings } from './config/settings.ts'
import { RowbackError } from './errors.ts'
import type { Identity } from './git/commit.ts'
import type { EngineChoice } from './git/engine.ts'
import { lockRepository } from './git/lock.ts'
import { checkRemoteUrl, type Remote } from './git/remote-url.ts'
import type { RepackPlan } from './git/repack-plan.ts'
import type { SigningKey } from './git/sign.ts'
import type { Store } from './git/store.ts'
import { type OnProgress, Phases } from './progress.ts'
import type { PushResult } from './push.ts'
import { type BackupStore, openOrCreateStore, refuseForeign, sourceKey } from './repository.ts'
import { readSource, type Source, type SourceOptions } from './source.ts'
import type { DumpOptions } from './sqlite/plan-dump.ts'
import { readState, type State } from './state.ts'
import type { Summary } from './summary.ts'
import { prepareUpkeep, type UpkeepResult, upkeep } from './upkeep.ts'

export interface BackupOptions {
  /** A SQLite file or a data directory. */
  source: string
  /** The git repository; it is made if it does not exist. */
  repository: string
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** Where to push the commit, one after another; nothing is pushed without any. */
  remotes?: readonly Remote[] | undefined
  /** Remotes that a partial clone may be one of: it fetches what it lacks with the password variable of that one. */
  knownRemotes?: readonly Remote[] | undefined
  /** How often a fault of the network is tried again, 1, 2, 4 … seconds apart; 4 times without it. */
  retries?: number | undefined
  /** The application in commit subjects; the source's name without it. */
  name?: string | undefined
  /** Globs of assets, and rules for files whose content is kept in Git LFS, or not at all. */
  assets?: { include: string[]; exclude: string[]; rules?: readonly AssetRule[] | undefined } | undefined
  /** Columns that hold paths of assets: they are compared with the assets there are. */
  assetColumns?: readonly AssetColumn[] | undefined
  /** Tables whose definition is kept and whose rows are not. */
  excludeTables?: string[] | undefined
  /** `exact` dumps the tables behind full-text indexes and R-trees as they are. */
  fullText?: DumpOptions['fullText'] | undefined
  /** Absolute paths of SQLite extensions that the databases need. */
  extensions?: readonly string[] | undefined
  author?: Identity | undefined
  /** Of the commit, in seconds since 1970; now without it. */
  time?: number | undefined
  /** What commits are signed with; they are not without it. */
  sign?: SigningKey | undefined
  /**
   * Which commits are proved before the branch moves to them: each; where a push follows, the first one and those
   * whose summary says `schemaChanged` (the default); or none.
   */
  verify?: Settings['verify'] | undefined
  /** Whether a repository that is made gets the pre-push hook; it does without it. */
  hook?: boolean | undefined
  /** Whether everything is read and checked, whatever is known from the last backup. */
  full?: boolean | undefined
  /** Whether packs are joined afterwards: when they have become many or large (the default), each time, or never. */
  upkeep?: Settings['upkeep'] | undefined
  busyTimeoutMs?: number | undefined
  /** How long another backup of the repository is waited for; it is not without it. */
  lockTimeoutMs?: number | undefined
  onProgress?: OnProgress | undefined
}

export interface BackupResult {
  /** The new commit; undefined where nothing changed since the last one. */
  commit: string | undefined
  /** The commit that holds the state of the source: the new one or the last one. */
  latest: string
  /** The id of its tree. */
  tree: string
  subject: string
  summary: Summary
  /** Whether the new commit was proved before the branch moved to it. */
  verified: boolean
  /** What was read of the source: all, what changed since the last backup, or only that nothing did. */
  read: 'all' | 'changes' | 'nothing'
  /** Files of the tree that had to be written, and those that the last commit holds. */
  files: { written: number; reused: number }
  bytes: { total: number; written: number }
  warnings: string[]
  /** Files and directories that could not be read: the commit is partial where there is any. */
  unreadable: Unreadable[]
  /** Files that did not stop changing while they were read; each is in the commit as it was found. */
  unstable: string[]
  /** What the asset columns say; undefined where the options name none. */
  agreement: Agreement | undefined
  timesMs: Record<string, number>
  /** What the push to each remote did. */
  pushes: PushResult[]
  /** What joining packs has come to; undefined where it was not due. */
  upkeep: UpkeepResult | undefined
}

/** What has kept a push from being done, behind a backup that is. */
export class PushError extends RowbackError {
  readonly backup: BackupResult

  constructor(reason: RowbackError, done: Omit<BackupResult, 'pushes'>) {
    const backup = { ...done, pushes: (reason.result.pushes ?? []) as PushResult[] }
    super(reason.code, reason.message, {
      hint: reason.hint,
      cause: reason,
      result: { ...backup, ...reason.result },
    })
    this.backup = backup
  }
}

/**
 * Backs the source up as one commit, pushes it, and looks after the repository when that is due. Throws RowbackError;
 * the last commit is intact then. A commit that does not verify gives a `difference` error: it is kept under
 * `refs/rowback/failed/`, and the branch does not move.
 */
export async function backup(options: BackupOptions): Promise<BackupResult> {
  const phases = new Phases(options.onProgress)
  phases.begin('scan')
  const { repository, remotes = [] } = options
  for (const { url } of remotes) checkRemoteUrl(url)
  const { store, discard } = await openOrCreateStore(repository, options)
  try {
    const { pushed, plan, ...committed } = await commitAndPush({ store, discard }, options, phases)
    const kept = await upkeep(store, plan, phases)
    const done = { ...committed, upkeep: kept, timesMs: phases.timesMs }
    if (pushed.status === 'fulfilled') return { ...done, pushes: pushed.value }
    throw pushed.reason instanceof RowbackError ? new PushError(pushed.reason, done) : pushed.reason
  } finally {
    await store.close()
  }
}

/** Loads what pushes where there is a remote: it takes longer than a backup of what nobody has written to. */
async function push(store: Store, options: BackupOptions): Promise<PushResult[]> {
  const { remotes = [] } = options
  if (remotes.length === 0) return []
  const { pushStore } = await import('./push.ts')
  return pushStore(store, remotes, options)
}

interface Pushed extends Committed {
  pushed: PromiseSettledResult<PushResult[]>
  plan: RepackPlan
}

/** What needs the lock of the repository. A remote that is away for months must not keep packs from being joined. */
async function commitAndPush(
  { store, discard }: BackupStore,
  options: BackupOptions,
  phases: Phases,
): Promise<Pushed> {
  const unlock = await lockRepository(store.dir, { waitMs: options.lockTimeoutMs })
  try {
    await settleInPlace(store)
    const [owner, parent] = await Promise.all([store.config(sourceKey), store.tip()])
    const remembered = options.full ? undefined : await readState(store, parent)
    const source = await readWholeSource(store, remembered, options)
    await claimSource(store, source, { owner, parent })
    const committed = await commitSource(store, source, { ...options, parent, remembered }, phases)
    const plan = await prepareUpkeep(store, options.upkeep ?? 'auto')
    phases.begin('push')
    const [pushed] = await Promise.allSettled([push(store, options)])
    phases.end()
    return { ...committed, pushed, plan }
  } catch (error) {
    // Where that cannot be done, the repository has no commit, and the next backup goes on with it.
    if (!(error instanceof RowbackError && error.code === 'difference')) await discard().catch(() => {})
    throw error
  } finally {
    await unlock()
  }
}

/** A restore in place may have begun to replace the source, and died. */
async function settleInPlace(store: Store): Promise<void> {
  if (!existsSync(join(store.gitDir, 'rowback', 'in-place.json'))) return
  const { settleForBackup } = await import('./in-place/journal.ts')
  await settleForBackup(store)
}

function readWholeSource(
  { dir, gitDir }: Store,
  remembered: State | undefined,
  options: BackupOptions,
): Promise<Source> {
  const { assets = { include: ['**'], exclude: [] } } = options
  const isKnownAsset: SourceOptions['isKnownAsset'] = (path, print) =>
    print !== undefined && remembered?.assets.get(path)?.print === print
  return readSource(options.source, { ...assets, skip: [resolve(dir), gitDir], isKnownAsset })
}

/** A repository holds the backups of one source; its own configuration says which. */
async function claimSource(
  store: Store,
  source: Source,
  { owner, parent }: { owner: string | undefined; parent: string | undefined },
): Promise<void> {
  if (owner === source.path) return
  if (owner === undefined && parent !== undefined) await refuseForeign(store)
  // The run that claimed a repository without a commit has died; what it wanted to back up does not matter.
  if (owner === undefined || parent === undefined) return store.setConfig(sourceKey, source.path)
  const quote = JSON.stringify
  throw new RowbackError(
    'usage',
    `back up ${source.path}: ${store.dir} holds the backups of ${owner}; nothing was committed`,
    { hint: `if the source has moved: git -C ${quote(store.dir)} config ${sourceKey} ${quote(source.path)}` },
  )
}
