/** The backup flow: source → snapshot → dump → store → push. */

import { readCommitTree } from './commit-tree.ts'
import type { Settings } from './config/settings.ts'
import { formatVersion, type Manifest } from './dump/manifest.ts'
import { RowbackError } from './errors.ts'
import type { Identity } from './git/commit.ts'
import { lockRepository } from './git/lock.ts'
import { checkRemoteUrl } from './git/remote-url.ts'
import type { RepackPlan } from './git/repack-plan.ts'
import type { Store } from './git/store.ts'
import { withWorkDir } from './git/work-dir.ts'
import { version } from './package.ts'
import { type OnProgress, Phases } from './progress.ts'
import { type PushResult, pushStore } from './push.ts'
import { type BackupStore, openOrCreateStore, sourceKey } from './repository.ts'
import { readSource, type Source, sourceName } from './source.ts'
import type { DumpOptions } from './sqlite/plan-dump.ts'
import { openSnapshot, sourceError } from './sqlite/snapshot.ts'
import { startDump } from './sqlite/start-dump.ts'
import { commitMessage, type Summary, summarize, type VerifyPolicy } from './summary.ts'
import { TreeBuilder } from './tree-builder.ts'
import { prepareUpkeep, type UpkeepResult, upkeep } from './upkeep.ts'
import { isFailedProof, verifyCommit } from './verify.ts'
import { writeAssets, writeDatabase, writeManifest } from './write-tree.ts'

export interface BackupOptions {
  /** A SQLite file or a data directory. */
  source: string
  /** The git repository; it is made if it does not exist. */
  repository: string
  branch?: string | undefined
  /** Where to push the commit; nothing is pushed without it. */
  remote?: string | undefined
  /** The application in commit subjects; the source's name without it. */
  name?: string | undefined
  /** Globs of assets. */
  assets?: { include: string[]; exclude: string[] } | undefined
  /** Tables whose definition is kept and whose rows are not. */
  excludeTables?: string[] | undefined
  /** `exact` dumps the tables behind full-text indexes and R-trees as they are. */
  fullText?: DumpOptions['fullText'] | undefined
  /** Absolute paths of SQLite extensions that the databases need. */
  extensions?: readonly string[] | undefined
  author?: Identity | undefined
  /** Of the commit, in seconds since 1970; now without it. */
  time?: number | undefined
  /**
   * Which commits are proved before the branch moves to them: each, the first one and those whose summary says
   * `schemaChanged` (the default), or none.
   */
  verify?: Settings['verify'] | undefined
  /** Whether a repository that is made gets the pre-push hook; it does without it. */
  hook?: boolean | undefined
  /** Whether packs are joined afterwards: when they have become many or large (the default), each time, or never. */
  upkeep?: Settings['upkeep'] | undefined
  busyTimeoutMs?: number | undefined
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
  /** Files of the tree that had to be written, and those that the last commit holds. */
  files: { written: number; reused: number }
  bytes: { total: number; written: number }
  warnings: string[]
  timesMs: Record<string, number>
  push: PushResult | undefined
  /** What joining packs has come to; undefined where it was not due. */
  upkeep: UpkeepResult | undefined
}

/**
 * Backs the source up as one commit, pushes it, and looks after the repository when that is due. Throws RowbackError;
 * the last commit is intact then. A commit that does not verify gives a `difference` error: it is kept under
 * `refs/rowback/failed/`, and the branch does not move.
 */
export async function backup(options: BackupOptions): Promise<BackupResult> {
  const phases = new Phases(options.onProgress)
  phases.begin('scan')
  const { repository, remote, assets = { include: ['**'], exclude: [] } } = options
  if (remote !== undefined) checkRemoteUrl(remote)
  const source = await readSource(options.source, { ...assets, repository })
  const { store, discard } = await openOrCreateStore(repository, options)
  try {
    const { pushed, plan, ...committed } = await commitAndPush({ store, discard }, source, options, phases)
    const kept = await upkeep(store, plan, phases)
    if (pushed.status === 'rejected') throw pushed.reason
    return { ...committed, push: pushed.value, upkeep: kept, timesMs: phases.timesMs }
  } finally {
    await store.close()
  }
}

interface Pushed extends Committed {
  pushed: PromiseSettledResult<PushResult | undefined>
  plan: RepackPlan
}

/** What needs the lock of the repository. A remote that is away for months must not keep packs from being joined. */
async function commitAndPush(
  { store, discard }: BackupStore,
  source: Source,
  options: BackupOptions,
  phases: Phases,
): Promise<Pushed> {
  const unlock = await lockRepository(store.dir)
  try {
    await claimSource(store, source)
    const committed = await commitSource(store, source, options, phases)
    const plan = await prepareUpkeep(store, options.upkeep ?? 'auto')
    phases.begin('push')
    const { remote } = options
    const [pushed] = await Promise.allSettled([
      remote === undefined ? undefined : pushStore(store, remote, options),
    ])
    phases.end()
    return { ...committed, pushed, plan }
  } catch (error) {
    if (!(error instanceof RowbackError && error.code === 'difference')) await discard()
    throw error
  } finally {
    await unlock()
  }
}

/** A repository holds the backups of one source; its own configuration says which. */
async function claimSource(store: Store, source: Source): Promise<void> {
  const owner = await store.config(sourceKey)
  if (owner === source.path) return
  // The run that claimed a repository without a commit has died; what it wanted to back up does not matter.
  if (owner === undefined || (await store.tip()) === undefined) return store.setConfig(sourceKey, source.path)
  const quote = JSON.stringify
  throw new RowbackError(
    'usage',
    `back up ${source.path}: ${store.dir} holds the backups of ${owner}; nothing was committed`,
    { hint: `if the source has moved: git -C ${quote(store.dir)} config ${sourceKey} ${quote(source.path)}` },
  )
}

type Committed = Omit<BackupResult, 'push' | 'upkeep' | 'timesMs'>

/** Writes the source as one commit, unless its tree is that of the last commit. */
async function commitSource(
  store: Store,
  source: Source,
  options: BackupOptions,
  phases: Phases,
): Promise<Committed> {
  const parent = await store.tip()
  const before = parent === undefined ? undefined : await readCommitTree(store, parent)
  const writer = store.begin()
  try {
    const tree = new TreeBuilder(before?.entries ?? new Map(), writer, phases)
    const manifest = await writeSource(tree, store, source, options, phases)
    phases.begin('summary')
    const after = { manifest, entries: tree.entries }
    const summary = await summarize(before, after, (oid) => writer.readBlob(oid))
    const { files, bytes } = tree
    const result = { tree: tree.oid(), summary, files, bytes, warnings: source.warnings }
    if (before && before.commit.tree === result.tree) {
      const subject = 'nothing changed'
      return { ...result, commit: undefined, latest: before.commit.oid, subject, verified: false }
    }
    phases.begin('commit')
    const first = before === undefined
    const verify = verifyPolicy(options, first, summary)
    const message = commitMessage(summary, {
      name: options.name ?? sourceName(source.path),
      sourceFile: source.kind === 'file' ? source.databases[0]?.path : undefined,
      first,
      version,
      format: formatVersion,
      verify,
    })
    const commit = await writer.commit(
      { parent, ...tree.changes(), message, ...signature(options) },
      verify.applies ? (oid) => verifyNewCommit(store, oid, options, phases) : undefined,
    )
    const subject = message.slice(0, message.indexOf('\n'))
    return { ...result, commit, latest: commit, subject, verified: verify.applies }
  } finally {
    await writer.abort()
  }
}

/** `schema` is about what is pushed: without a remote, a proof takes longer than all the rest and holds nothing back. */
function verifyPolicy(
  { verify: mode = 'schema', remote }: BackupOptions,
  first: boolean,
  { schemaChanged }: Summary,
): VerifyPolicy {
  const isDue = mode === 'schema' && remote !== undefined && (first || schemaChanged)
  return { mode, applies: mode === 'always' || isDue }
}

/** Proves a commit that the branch has not moved to. One that does not verify is kept on a ref of its own. */
async function verifyNewCommit(
  store: Store,
  oid: string,
  { extensions, onProgress }: BackupOptions,
  phases: Phases,
): Promise<void> {
  phases.begin('verify')
  try {
    await withWorkDir(store.gitDir, (scratch) =>
      verifyCommit(store, oid, { unlessProved: true, scratch, extensions, onProgress }),
    )
  } catch (error) {
    if (!isFailedProof(error)) throw error
    const ref = `refs/rowback/failed/${oid.slice(0, 12)}`
    await store.setRef(ref, oid)
    throw new RowbackError(
      'difference',
      `${error.message}; the commit is kept as ${ref}, branch ${store.branch} did not move, nothing was pushed`,
      {
        hint: `rowback verify ${ref}, and please report what it says`,
        cause: error,
        result: { failed: { commit: oid, ref } },
      },
    )
  }
}

function signature({ author, time }: BackupOptions): { author: Identity; time: number } {
  return {
    author: author ?? { name: 'Rowback', email: 'rowback@localhost' },
    time: time ?? Math.floor(Date.now() / 1000),
  }
}

/** Dumps each database, copies the assets, and returns the manifest of it all. */
async function writeSource(
  tree: TreeBuilder,
  store: Store,
  source: Source,
  options: BackupOptions,
  phases: Phases,
): Promise<Manifest> {
  const { extensions = [] } = options
  return withWorkDir(store.gitDir, async (workDir) => {
    const databases: Manifest['databases'] = []
    for (const database of source.databases) {
      phases.begin('snapshot')
      const snapshot = await openSnapshot(database.file, {
        workDir,
        busyTimeoutMs: options.busyTimeoutMs ?? 10_000,
        extensions,
      })
      const dumpOptions = {
        excludeTables: options.excludeTables ?? [],
        fullText: options.fullText ?? 'logical',
        extensions,
      }
      phases.begin('dump')
      const dump = startDump(snapshot, database.file, dumpOptions)
      try {
        const path = source.kind === 'directory' ? database.path : undefined
        databases.push(await writeDatabase(tree, dump.files, { name: database.name, path }, dumpOptions))
      } catch (error) {
        throw sourceError(database.file, error)
      } finally {
        await dump.stop()
        await snapshot.close()
      }
    }
    phases.begin('assets')
    const assets = await writeAssets(tree, source.path, source.assets, workDir)
    return writeManifest(tree, source.kind, databases, assets)
  })
}
