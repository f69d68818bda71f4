/** The flows that restore over the live source, and take that back: safety commit → staging → renames. */

import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, readlinkSync, rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AssetEntry } from './assets/manifest.ts'
import { bytesText, fileAt, shownPath } from './assets/paths.ts'
import { type Unreadable, unreadableAssets } from './assets/scan.ts'
import type { BackupOptions } from './backup.ts'
import { type CommitTree, readAssetEntries, readCommitTree } from './commit-tree.ts'
import { demandSignature, demandSignedObjects } from './demand-signature.ts'
import { errorText, hasErrno, RowbackError } from './errors.ts'
import { lockRepository } from './git/lock.ts'
import { openStore } from './git/open-store.ts'
import type { Store } from './git/store.ts'
import { dropJournal, endJournal, type Journal, readJournal, writeJournal } from './in-place/journal.ts'
import { databaseFiles, type LiveSource, liveSource, type Present } from './in-place/live-source.ts'
import { replaceFiles } from './in-place/replace.ts'
import { commitSafety, nextSafetyRef, safetyCommits } from './in-place/safety.ts'
import { stage } from './in-place/stage.ts'
import { type Steps, stepsTo, type Wanted } from './in-place/steps.ts'
import { onInterrupt } from './interrupt.ts'
import { Phases } from './progress.ts'
import { databasesInSource, type RestoreOptions, type RestoreResult, withoutContent } from './restore.ts'
import { checkContents } from './restore-contents.ts'
import { stagingName } from './source.ts'
import { writeFault } from './sqlite/disk-fault.ts'
import { isLocked, userOf } from './sqlite/in-use.ts'
import { dropState } from './state.ts'

export interface UndoOptions
  extends Omit<RestoreOptions, 'rev' | 'signers'>,
    Pick<
      BackupOptions,
      'name' | 'assets' | 'fullText' | 'author' | 'sign' | 'busyTimeoutMs' | 'lockTimeoutMs'
    > {
  /** Whether it goes on though another process has a database open. */
  force?: boolean | undefined
}

export interface InPlaceOptions extends UndoOptions {
  /** Any git revision, or `latest`. */
  rev: string
  /** Whose signature the commit must have; it needs none without it. */
  signers?: RestoreOptions['signers']
}

export interface InPlaceResult extends RestoreResult {
  /** The ref of the commit that holds what was there before. */
  safety: string
  warnings: string[]
}

/**
 * Makes the live source what it was at a commit. What it held before is committed first, on a ref of its own. Touches only
 * what a backup with the same `assets` reads: of that, what the commit lacks goes. Ends a restore that was cut short.
 * Throws a `source` error while another process has a database open, other RowbackErrors where the source cannot be
 * replaced; it is as it was then.
 */
export async function restoreInPlace(options: InPlaceOptions): Promise<InPlaceResult> {
  return withSource(options, async (run) => {
    const commit = await run.store.resolve(options.rev)
    const pending = await pendingReplacement(run.store)
    const signature = await demandSignatures(run, options, commit, pending)
    const ended = pending && (await endPending(run, pending))
    return { ...(ended?.commit === commit ? ended : await replaceSource(run, commit)), ...signature }
  })
}

/**
 * Demands a signature of what is to be restored, and of what a restore that was cut short would go on to put there: who may
 * sign may have changed since. Nothing is replaced without.
 */
async function demandSignatures(
  { store, live }: Run,
  { rev, signers }: InPlaceOptions,
  commit: string,
  pending: Replacement | undefined,
): ReturnType<typeof demandSignedObjects> {
  const task = `restore ${rev} in place of ${live.path}`
  if (pending === undefined)
    return demandSignedObjects(store, commit, signers, `${task}: it was left untouched, as`)
  const left = `${task}: it was left half replaced, as an earlier restore had left it, since`
  try {
    await demandSignature(store, pending.commit, signers, left)
    return await demandSignedObjects(store, commit, signers, left)
  } catch (error) {
    if (!(error instanceof RowbackError && error.code === 'difference')) throw error
    const hint = 'rowback undo, which brings back what was there before'
    throw new RowbackError('difference', error.message, { hint, cause: error })
  }
}

/**
 * Makes the source what it was before the last restore in place, or the last `undo`, which thereby takes itself back.
 * Throws as `restoreInPlace` does, and a `usage` error where there is nothing to undo.
 */
export async function undo(options: UndoOptions): Promise<InPlaceResult> {
  return withSource(options, async (run) => {
    const pending = await pendingReplacement(run.store)
    if (pending) await endPending(run, pending)
    const [latest] = await safetyCommits(run.store)
    if (latest) return replaceSource(run, latest.commit)
    throw new RowbackError('usage', `undo: nothing was restored in place from ${run.store.dir}`, {
      hint: 'rowback restore REV --in-place',
    })
  })
}

interface Run {
  store: Store
  live: LiveSource
  options: UndoOptions
  phases: Phases
}

type Done = Omit<InPlaceResult, 'timesMs'>

async function withSource(options: UndoOptions, use: (run: Run) => Promise<Done>): Promise<InPlaceResult> {
  const { repository, assets = { include: ['**'], exclude: [] }, onProgress } = options
  const phases = new Phases(onProgress)
  phases.begin('read')
  const store = await openStore(repository, options)
  try {
    const unlock = await lockRepository(store.dir, { waitMs: options.lockTimeoutMs })
    try {
      const live = await liveSource(store, assets)
      const done = await use({ store, live, options, phases })
      phases.end()
      return { ...done, timesMs: phases.timesMs }
    } finally {
      await unlock()
    }
  } finally {
    await store.close()
  }
}

/** A restore that has begun to change the source. */
type Replacement = Journal & { steps: Steps }

/** The restore that died amid its renames, if there is one; one that had changed nothing is forgotten. */
async function pendingReplacement(store: Store): Promise<Replacement | undefined> {
  const journal = await readJournal(store)
  if (journal === undefined || hasSteps(journal)) return journal
  await dropJournal(store, journal)
  return undefined
}

/** Does the rest of a restore that died. */
async function endPending(run: Run, journal: Replacement): Promise<Done> {
  refuseOpen(run, journal.commit, await run.live.present(), 'it was left half replaced')
  return replace(run, journal, [])
}

async function replaceSource(run: Run, commit: string): Promise<Done> {
  const { journal, warnings } = await prepare(run, commit)
  return replace(run, journal, warnings)
}

/** Saves what is there and makes all that is to replace it; the source is as it was until this returns. */
async function prepare(run: Run, commit: string): Promise<{ journal: Replacement; warnings: string[] }> {
  const { store, live, options, phases } = run
  const tree = await readCommitTree(store, commit)
  const wanted = await wantedOf(run, tree)
  await checkContents(store, tree, filesOf(wanted))
  const present = await live.present()
  refuseUnreadable(run, commit, unreadableAssets(present.assets))
  refuseOpen(run, commit, present)
  const journal = await newJournal(run, commit)
  const forget = onInterrupt(() => rmSync(journal.staging, { recursive: true, force: true }))
  try {
    await writeJournal(store, journal)
    await mkdir(journal.staging, { mode: 0o700 })
    const safety = await commitSafety(store, live, present, journal.safety, options, phases)
    refuseUnreadable(run, commit, safety.unreadable)
    const { steps, made } = stepsTo(wanted, present, isUnchanged(live, safety.assets))
    const { extensions, remotes } = options
    const job = { ...live, ...journal, store, tree, wanted, steps, made, extensions, remotes }
    const counts = await stage(job, phases)
    refuseOpen(run, commit, present)
    refuseLocked(run, commit, present)
    const ready = { ...journal, steps, counts: { ...counts, withoutContent: withoutContent(wanted.assets) } }
    await writeJournal(store, ready)
    return { journal: ready, warnings: safety.warnings }
  } catch (error) {
    // Where this fails as well, whoever takes the lock next does it.
    await dropJournal(store, journal).catch(() => {})
    throw inPlaceError(live, commit, error)
  } finally {
    forget()
  }
}

async function newJournal({ store, live }: Run, commit: string): Promise<Journal> {
  const staging = join(live.root, `${stagingName}${randomBytes(4).toString('hex')}`)
  return { source: live.path, root: live.root, staging, commit, safety: await nextSafetyRef(store) }
}

function hasSteps(journal: Journal): journal is Replacement {
  return journal.steps !== undefined
}

/** From here on the source is changed, and the journal says how to go on. */
async function replace(run: Run, journal: Replacement, warnings: string[]): Promise<Done> {
  const { live, phases } = run
  phases.begin('replace')
  try {
    await replaceFiles(journal)
  } catch (error) {
    const { commit } = journal
    throw new RowbackError(
      'target',
      `restore ${shortId(commit)} in place of ${live.path}: ${errorText(error)}; it is half replaced`,
      {
        hint: `rowback restore ${shortId(commit)} --in-place goes on, rowback undo takes it back`,
        cause: error,
      },
    )
  }
  await endReplaced(run, journal)
  const none = { databases: 0, rows: 0, files: 0, bytes: 0, withoutContent: [] }
  const { commit, safety, counts = none } = journal
  return { commit, target: live.path, ...counts, safety, warnings }
}

/** The source is as it is wanted; all that is left is to know that, and what was staged to go. */
async function endReplaced({ store, live }: Run, journal: Journal): Promise<void> {
  const commit = shortId(journal.commit)
  try {
    await dropState(store)
    await endJournal(store, journal)
  } catch (error) {
    const message = `restore ${commit} in place of ${live.path}: it is replaced, but ${errorText(error)}`
    throw new RowbackError('target', message, { hint: `rowback restore ${commit} --in-place`, cause: error })
  }
}

/** What of a commit the settings cover. Throws a `usage` error for a commit of another kind of source. */
async function wantedOf({ store, live }: Run, tree: CommitTree): Promise<Wanted> {
  const assets = await readAssetEntries(store, tree)
  const { databases } = databasesInSource(tree, assets)
  if (live.file !== undefined) return wantedOfFile(live, tree, { databases, assets })
  if (tree.manifest.source === 'file') throw otherKind(live, tree)
  return {
    databases: databases.filter(({ path }) => live.covers(path, true)),
    assets: assets.filter(({ path }) => live.covers(path, false)),
  }
}

/** A file keeps its name, whatever it was called; a safety commit may have it as an asset. */
function wantedOfFile(live: LiveSource, tree: CommitTree, { databases, assets }: Wanted): Wanted {
  if (tree.manifest.source === 'file')
    return { databases: databases.map((found) => ({ ...found, path: live.file as string })), assets: [] }
  if (databases.length === 0 && assets.every(({ path }) => live.covers(path, false)))
    return { databases, assets }
  throw otherKind(live, tree)
}

function otherKind(live: LiveSource, { commit, manifest }: CommitTree): RowbackError {
  return new RowbackError(
    'usage',
    `restore ${shortId(commit.oid)} in place of ${live.path}: the commit is that of a ${manifest.source}, this is a ${live.kind}`,
    { hint: `rowback restore ${shortId(commit.oid)} --to DIR` },
  )
}

function filesOf({ assets }: Wanted): AssetEntry[] {
  return assets.filter(({ kind }) => kind === 'file')
}

/** Whether an asset is in the source as it is wanted: the safety commit has it so, and the file was not written since. */
function isUnchanged({ root }: LiveSource, saved: readonly AssetEntry[]): (asset: AssetEntry) => boolean {
  const byPath = new Map(saved.map((asset) => [asset.path, asset]))
  return (asset) => {
    const found = byPath.get(asset.path)
    if (asset.kind === 'symlink')
      return (
        found?.kind === 'symlink' && found.target === asset.target && linkText(root, asset) === asset.target
      )
    if (asset.kind !== 'file' || found?.kind !== 'file') return false
    const stats = lstatSync(fileAt(root, asset.path), { bigint: true, throwIfNoEntry: false })
    const isAsSaved = stats?.isFile() && stats.mtimeNs === found.mtimeNs && Number(stats.size) === found.size
    const facts = ({ size, mode, mtimeNs, sha256 }: typeof asset) => [size, mode, mtimeNs, sha256].join(' ')
    return isAsSaved === true && facts(found) === facts(asset)
  }
}

function linkText(root: string, { path }: AssetEntry): string | undefined {
  try {
    return bytesText(readlinkSync(fileAt(root, path), { encoding: 'buffer' }))
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'EINVAL', 'ENOTDIR')) return undefined
    throw error
  }
}

/** What cannot be read cannot be saved. */
function refuseUnreadable({ live }: Run, commit: string, [first]: readonly Unreadable[]): void {
  if (first === undefined) return
  throw new RowbackError(
    'source',
    `restore ${shortId(commit)} in place of ${live.path}: ${shownPath(first.path)} cannot be saved first, as it cannot be read: ${first.problem}; it was left untouched`,
    { hint: 'run it as root, or as the user of the application, or exclude that path' },
  )
}

function refuseOpen({ live, options }: Run, commit: string, { databases }: Present, left?: string): void {
  if (options.force) return
  const files = databases.flatMap((path) => [path, ...databaseFiles(path)])
  const user = userOf(files.map((path) => join(live.root, path)))
  if (user) throw inUse(live, commit, `process ${user.pid} (${user.name}) has ${user.file} open`, left)
}

function refuseLocked({ live, options }: Run, commit: string, { databases }: Present): void {
  if (options.force) return
  const files = databases.map((path) => join(live.root, path)).filter((file) => existsSync(file))
  const locked = files.find((file) => isLocked(file))
  if (locked !== undefined) throw inUse(live, commit, `another process has ${locked} open`)
}

function inUse(
  { path }: LiveSource,
  commit: string,
  text: string,
  left = 'it was left untouched',
): RowbackError {
  return new RowbackError('source', `restore ${shortId(commit)} in place of ${path}: ${text}; ${left}`, {
    hint: 'stop the application, or add --force',
  })
}

/** Of what stopped a restore before it changed anything. */
function inPlaceError({ path }: LiveSource, commit: string, error: unknown): unknown {
  const verb = `restore ${shortId(commit)} in place of ${path}`
  const known = error instanceof RowbackError ? error : undefined
  if (known?.message.startsWith(verb)) return error
  const say = (code: RowbackError['code'], text: string): RowbackError =>
    new RowbackError(code, `${verb}: ${text}; it was left untouched`, { hint: known?.hint, cause: error })
  if (known && known.code !== 'target')
    return say(known.code, known.message.replace('; nothing was committed', ''))
  const fault = writeFault(error)
  if (fault !== undefined) return say('target', fault)
  if (known) return say('target', known.message)
  if (hasErrno(error, 'EROFS', 'EACCES', 'EPERM')) return say('target', 'it cannot be written')
  return error instanceof Error && 'syscall' in error ? say('target', errorText(error)) : error
}

function shortId(oid: string): string {
  return oid.slice(0, 10)
}
