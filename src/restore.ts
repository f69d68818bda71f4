/** The restore flow: store → replay → rename. The target appears complete or not at all. */

import { link, mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type AssetEntry, type FileEntry, fileEntries } from './assets/manifest.ts'
import { isSafePath, shownPath } from './assets/paths.ts'
import { type AssetPlan, planAssets } from './assets/plan.ts'
import { refuseFoldedNames, restoreAssets } from './assets/restore.ts'
import { type CommitTree, pathInSource, readAssetEntries, readCommitTree } from './commit-tree.ts'
import { demandSignedObjects } from './demand-signature.ts'
import type { ManifestDatabase } from './dump/manifest.ts'
import { hasErrno, noLinkErrnos, RowbackError } from './errors.ts'
import { makeFolders } from './folders.ts'
import type { EngineChoice } from './git/engine.ts'
import { openStore } from './git/open-store.ts'
import type { Remote } from './git/remote-url.ts'
import type { Signature, Signers } from './git/signature.ts'
import type { Store } from './git/store.ts'
import { type OnProgress, Phases } from './progress.ts'
import { type OnReplay, replayJob } from './replay-job.ts'
import { withReplayProcess } from './replay-process.ts'
import { checkContents, copier, fetchLfsContents } from './restore-contents.ts'
import { refuseExisting, refuseOccupied, replacing, takePlace } from './restore-target.ts'
import { companionFiles } from './sqlite/source-file.ts'

export interface RestoreOptions {
  repository: string
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** Any git revision, or `latest`. */
  rev: string
  /** Whose signature the commit must have; it needs none without it. */
  signers?: Signers | undefined
  /** Asked, before those of the last push, for contents of Git LFS that are not here. A partial clone is let in by theirs. */
  remotes?: readonly Remote[] | undefined
  /** Absolute paths of SQLite extensions that the databases need; never those of somebody else. */
  extensions?: readonly string[] | undefined
  onProgress?: OnProgress | undefined
}

export interface RestoreResult {
  commit: string
  /** What was made: a directory, or one file. */
  target: string
  /** The one table that was made, where only that was asked for. */
  table?: string
  databases: number
  rows: number
  /** Assets that are files with content. */
  files: number
  bytes: number
  /** Assets that the commit names and whose content it does not hold. */
  withoutContent: { path: string; kind: 'listed' | 'unreadable' }[]
  /** Who signed the commit; undefined where no signature was demanded. */
  signature?: Signature
  timesMs: Record<string, number>
}

/** The assets whose content a commit does not hold. */
export function withoutContent(assets: readonly AssetEntry[]): RestoreResult['withoutContent'] {
  return assets.flatMap(({ kind, path }) =>
    kind === 'listed' || kind === 'unreadable' ? [{ path, kind }] : [],
  )
}

/** Restores the whole source into `target`, a directory that is missing or empty. Throws RowbackError. */
export async function restore(options: RestoreOptions & { target: string }): Promise<RestoreResult> {
  const target = resolve(options.target)
  return withCommit(options, async (store, tree, phases) => {
    await refuseOccupied(target)
    const assets = await readAssetEntries(store, tree)
    const { databases, collision } = databasesInSource(tree, assets)
    await checkContents(store, tree, assets)
    await fetchLfsContents(store, assets, { ...options, left: 'nothing was written' })
    const missing = withoutContent(assets)
    const counts = { databases: databases.length, rows: 0, files: 0, bytes: 0 }
    await replacing(target, options.rev, async (draft) => {
      await mkdir(draft, { mode: 0o700 })
      if (collision) await refuseFoldedNames(draft, collision)
      phases.begin('replay')
      await withReplayProcess(async (process) => {
        for (const { database, path } of databases) {
          const file = join(draft, path)
          await makeFolders(dirname(file))
          await process.run(replayJob(store, tree, database, file, options.extensions), count(counts, phases))
        }
      })
      phases.begin('assets')
      const paths = databases.map(({ path }) => path)
      await restoreAssets(draft, assets, copier(store, tree), paths)
      for (const asset of assets) phases.add(0, asset.kind === 'file' ? asset.size : 0)
      counts.files = fileEntries(assets).length
      await takePlace(draft, target)
    })
    return { commit: tree.commit.oid, target, ...counts, withoutContent: missing }
  })
}

/** Restores one database or asset of a commit as `output`, which must not exist. Throws RowbackError. */
export async function restoreFile(
  options: RestoreOptions & { file: string; output: string },
): Promise<RestoreResult> {
  const output = resolve(options.output)
  return withCommit(options, async (store, tree, phases) => {
    await refuseExisting(output)
    const counts = { databases: 0, rows: 0, files: 0, bytes: 0 }
    const { database, asset } = await findFile(store, tree, options)
    if (asset) await checkContents(store, tree, [asset])
    await fetchLfsContents(store, asset ? [asset] : [], { ...options, left: 'nothing was written' })
    await makingFile(output, options.rev, async (file) => {
      phases.begin(database ? 'replay' : 'assets')
      if (database)
        await withReplayProcess((process) =>
          process.run(replayJob(store, tree, database, file, options.extensions), count(counts, phases)),
        )
      else if (asset)
        await restoreAssets(
          dirname(file),
          [{ ...asset, path: basename(file) }],
          copier(store, tree, asset.path),
        )
    })
    counts[database ? 'databases' : 'files'] = 1
    return { commit: tree.commit.oid, target: output, ...counts, withoutContent: [] }
  })
}

/** Has one file made in a draft; it appears as `output`, complete or not at all. */
export async function makingFile(
  output: string,
  rev: string,
  make: (file: string) => Promise<void>,
): Promise<void> {
  await replacing(output, rev, async (draft) => {
    const file = join(draft, 'file')
    await mkdir(draft, { mode: 0o700 })
    await make(file)
    await placeFile(file, output)
  })
}

/** Gives a file its name, and replaces nothing that has appeared there meanwhile, as a rename would. */
async function placeFile(file: string, output: string): Promise<void> {
  try {
    await link(file, output)
  } catch (error) {
    if (!hasErrno(error, ...noLinkErrnos)) throw error
    await (await open(output, 'wx')).close()
    await rename(file, output).catch(async (cause) => {
      await rm(output, { force: true })
      throw cause
    })
  }
}

export type Counts = Pick<RestoreResult, 'databases' | 'rows' | 'files' | 'bytes'>

export function count(counts: Counts, phases: Phases): OnReplay {
  const onRows = (rows: number, bytes: number): void => {
    counts.rows += rows
    counts.bytes += bytes
    phases.add(rows, bytes)
  }
  return { onPhase: () => {}, onRows }
}

/** Runs a restore of the commit that `rev` names, once its signature is found to be what is demanded. */
export async function withCommit(
  options: RestoreOptions,
  run: (store: Store, tree: CommitTree, phases: Phases) => Promise<Omit<RestoreResult, 'timesMs'>>,
): Promise<RestoreResult> {
  const { repository, rev, signers, onProgress } = options
  const phases = new Phases(onProgress)
  phases.begin('read')
  const store = await openStore(repository, options)
  try {
    const oid = await store.resolve(rev)
    const signature = await demandSignedObjects(
      store,
      oid,
      signers,
      `restore ${rev}: nothing was written, as`,
    )
    const result = await run(store, await readCommitTree(store, oid), phases)
    phases.end()
    return { ...result, ...signature, timesMs: phases.timesMs }
  } finally {
    await store.close()
  }
}

/**
 * The databases of a commit with their paths in the source, and two paths that a disk may fold together. Throws a `dump` error where a path leaves the target, or
 * where databases and assets cannot be beside one another.
 */
export function databasesInSource(
  tree: CommitTree,
  assets: readonly AssetEntry[],
): { databases: { database: ManifestDatabase; path: string }[]; collision: AssetPlan['collision'] } {
  const databases = tree.manifest.databases.map((database) => ({
    database,
    path: databasePath(tree, database),
  }))
  const { collision } = planAssets([...assets, ...databases.flatMap(({ path }) => databaseFiles(path))])
  return { databases, collision }
}

/** Where a database lies in the source. */
function databasePath(tree: CommitTree, database: ManifestDatabase): string {
  const found = pathInSource(tree, database)
  if (isSafePath(found)) return found
  throw new RowbackError(
    'dump',
    `restore database ${JSON.stringify(database.name)}: its path ${JSON.stringify(found)} leaves the target`,
  )
}

interface FoundFile {
  database?: ManifestDatabase | undefined
  asset?: FileEntry | undefined
}

/** What has that path; where nothing has, the database whose folder in the tree is called so. */
async function findFile(
  store: Store,
  tree: CommitTree,
  { rev, file }: { rev: string; file: string },
): Promise<FoundFile> {
  const { databases } = tree.manifest
  const database = databases.find((candidate) => databasePath(tree, candidate) === file)
  if (database) return { database }
  const asset = (await readAssetEntries(store, tree)).find(
    ({ path }) => path === file || shownPath(path) === file,
  )
  if (asset?.kind === 'file') return { asset }
  if (asset?.kind === 'listed' || asset?.kind === 'unreadable') {
    const why = asset.kind === 'listed' ? 'it is kept as a line of the manifest only' : 'it could not be read'
    throw new RowbackError(
      'usage',
      `restore ${shownPath(asset.path)} of ${rev}: ${why}; nothing was written`,
      { hint: `rowback show ${rev}` },
    )
  }
  const named = databases.find(({ name }) => name === file)
  if (named) return { database: named }
  throw new RowbackError(
    'usage',
    `restore ${rev}: no database or asset ${JSON.stringify(file)} is in it; nothing was written`,
    {
      hint: `rowback show ${rev}`,
    },
  )
}

/** The files that belong to a database: no asset may be one of them. */
function databaseFiles(path: string): FileEntry[] {
  const file = { kind: 'file', size: 0, mode: 0, mtimeNs: 0n, sha256: '' } as const
  return [path, ...companionFiles(path)].map((each) => ({ ...file, path: each }))
}
