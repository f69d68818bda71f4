/** Writes what a source holds as one commit, unless its tree is that of the last one. */

import type { Agreement, AgreementSide, KnownReferences } from './agreement.ts'
import type { AssetEntry } from './assets/manifest.ts'
import { shownPath } from './assets/paths.ts'
import { placesBy } from './assets/rules.ts'
import type { BackupOptions } from './backup.ts'
import type { Committed } from './commit-source.ts'
import { readCommitTree } from './commit-tree.ts'
import { formatVersion, type Manifest } from './dump/manifest.ts'
import { dumpSource } from './dump-source.ts'
import { RowbackError } from './errors.ts'
import type { NewCommit, Store } from './git/store.ts'
import { withWorkDir } from './git/work-dir.ts'
import { refuseLostDatabase, refuseUnreadableDatabase } from './lost-database.ts'
import type { ReadBlob } from './match-rows.ts'
import { version } from './package.ts'
import type { Phases } from './progress.ts'
import type { TreeSide } from './row-changes.ts'
import { type Source, sourceName } from './source.ts'
import { otherAssets, Packed, type State } from './state.ts'
import { commitMessage, type Summary, summarize, type VerifyPolicy } from './summary.ts'
import { TreeBuilder } from './tree-builder.ts'
import { isFailedProof, verifyCommit } from './verify.ts'
import { type AssetFindings, writeAssets, writeManifest } from './write-tree.ts'

interface CommitOptions extends BackupOptions {
  /** What the last backup saw. */
  known: State | undefined
  /** The last commit. */
  parent: string | undefined
  /** A ref that is pointed at the commit in place of the branch. */
  ref?: string | undefined
}

/**
 * Commits the source, and tells what is to be remembered of it. Throws RowbackError; the branch has not moved then,
 * unless that says so.
 */
export async function commitTree(
  store: Store,
  source: Source,
  options: CommitOptions,
  phases: Phases,
): Promise<{ committed: Committed; state: SeenState }> {
  const before = options.parent === undefined ? undefined : await readCommitTree(store, options.parent)
  if (before) {
    refuseUnreadableDatabase(before, source)
    // What is damaged is kept by its bytes before a restore in place.
    if (options.ref === undefined) refuseLostDatabase(before, source, options.assets?.exclude ?? [])
  }
  const writer = store.begin()
  try {
    const tree = new TreeBuilder(before?.entries ?? new Map(), writer, phases)
    const { manifest, entries, findings, read, warnings, ...seen } = await writeSource(
      tree,
      store,
      source,
      options,
      phases,
    )
    phases.begin('summary')
    const after = { manifest, entries: tree.entries }
    const summary = await summarize(before, after, (oid) => writer.readBlob(oid))
    const { files, bytes } = tree
    const { agreement, references } = await checkAgreement(after, entries, source, options, (oid) =>
      writer.readBlob(oid),
    )
    const state = {
      ...seen,
      agreement,
      references: references && Packed.of(references),
      totals: { rows: summary.rows, files: summary.files, entries: tree.entries.size, bytes: bytes.total },
    }
    const said = { warnings: [...source.warnings, ...warnings], agreement, read }
    const result = { tree: tree.oid(), summary, files, bytes, ...said, ...findings }
    if (before && before.commit.tree === result.tree) {
      const subject = 'nothing changed'
      const committed = { ...result, commit: undefined, latest: before.commit.oid, subject, verified: false }
      return { committed, state }
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
      unreadable: findings.unreadable.length,
      unstable: findings.unstable.length,
    })
    const commit = await writer.commit(
      { parent: options.parent, ref: options.ref, ...tree.changes(), message, ...signature(options) },
      verify.applies ? (oid) => verifyNewCommit(store, oid, options, phases) : undefined,
    )
    const subject = message.slice(0, message.indexOf('\n'))
    return { committed: { ...result, commit, latest: commit, subject, verified: verify.applies }, state }
  } catch (error) {
    throw asRepositoryError(error)
  } finally {
    await writer.abort()
  }
}

/** A backup has no target but the folder in the repository where it copies and proves. */
function asRepositoryError(error: unknown): unknown {
  if (!(error instanceof RowbackError && error.code === 'target')) return error
  return new RowbackError('repository', error.message, { hint: error.hint, cause: error })
}

/** Compares the columns that name files with the assets, where the settings name such columns. */
async function checkAgreement(
  after: TreeSide,
  assets: readonly AssetEntry[],
  { databases }: Source,
  { assetColumns = [], known }: CommitOptions,
  read: ReadBlob,
): Promise<{ agreement: Agreement | undefined; references?: KnownReferences }> {
  if (assetColumns.length === 0) return { agreement: undefined }
  const { agreementOf } = await import('./agreement.ts')
  const paths = new Map(databases.map(({ name, path }) => [name, path]))
  const before = await known?.references?.value()
  const databasePath: AgreementSide['databasePath'] = ({ name }) => paths.get(name) ?? ''
  return agreementOf({ ...after, databasePath }, assets, assetColumns, read, before)
}

/** `schema` is about what is pushed: without a remote, a proof takes longer than all the rest and holds nothing back. */
function verifyPolicy(
  { verify: mode = 'schema', remotes = [] }: BackupOptions,
  first: boolean,
  { schemaChanged }: Summary,
): VerifyPolicy {
  const isDue = mode === 'schema' && remotes.length > 0 && (first || schemaChanged)
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
    if (!isFailedProof(error)) throw unproved(store, oid, error)
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

/** What kept a commit from being proved, as a disk without room for the copy that a proof needs. */
function unproved({ branch }: Store, oid: string, error: unknown): unknown {
  if (!(error instanceof RowbackError && error.code === 'target')) return error
  const { message, hint } = error
  const text = `verify ${oid.slice(0, 12)}: ${message}; branch ${branch} did not move`
  return new RowbackError('repository', text, { hint, cause: error })
}

function signature({ author, time, sign }: BackupOptions): Pick<NewCommit, 'author' | 'time' | 'sign'> {
  return {
    author: author ?? { name: 'Rowback', email: 'rowback@localhost' },
    time: time ?? Math.floor(Date.now() / 1000),
    sign,
  }
}

type SeenState = Omit<State, 'key' | 'commit' | 'tree'>

interface WrittenSource extends Pick<State, 'databases' | 'assets' | 'others'> {
  manifest: Manifest
  /** Of the asset manifest. */
  entries: AssetEntry[]
  findings: AssetFindings
  read: Committed['read']
  warnings: string[]
}

/** Dumps each database and copies the assets; returns the manifest of it all, and what is to be remembered. */
async function writeSource(
  tree: TreeBuilder,
  store: Store,
  source: Source,
  options: CommitOptions,
  phases: Phases,
): Promise<WrittenSource> {
  return withWorkDir(store.gitDir, async (workDir) => {
    const entries: Manifest['databases'] = []
    const databases: State['databases'] = new Map()
    let read: Committed['read'] = 'all'
    let unknown = options.excludeTables ?? []
    for (const database of source.databases) {
      const { entry, seen, isWhole, unknownTables } = await dumpSource(
        tree,
        source,
        database,
        { ...options, workDir },
        phases,
      )
      entries.push(entry)
      databases.set(database.path, seen)
      if (!isWhole) read = 'changes'
      unknown = unknown.filter((table) => unknownTables.includes(table))
    }
    phases.begin('assets')
    const { assets, seen, ...findings } = await writeAssets(tree, source, {
      known: options.known?.assets,
      placeOf: placesBy(options.assets?.rules ?? []),
      gitDir: store.gitDir,
      spoolDir: workDir,
    })
    const manifest = await writeManifest(tree, source.kind, entries, assets)
    const others = otherAssets(source.assets)
    const warnings = unknown.map((table) => `exclude table ${shownPath(table)}: no database has it`)
    return { manifest, entries: assets, findings, read, warnings, databases, assets: seen, others }
  })
}
