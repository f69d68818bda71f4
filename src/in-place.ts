/** The flows that restore over the live source, and take that back: safety commit → staging → renames. */

import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AssetEntry, fileEntries } from './assets/manifest.ts'
import { unreadableAssets } from './assets/scan.ts'
import type { BackupOptions } from './backup.ts'
import { readCommitTree } from './commit-tree.ts'
import { demandSignature, demandSignedObjects } from './demand-signature.ts'
import { errorText, RowbackError } from './errors.ts'
import { lockRepository } from './git/lock.ts'
import { openStore } from './git/open-store.ts'
import type { Store } from './git/store.ts'
import { dropJournal, endJournal, type Journal, readJournal, writeJournal } from './in-place/journal.ts'
import { type LiveSource, liveSource } from './in-place/live-source.ts'
import {
  inPlaceError,
  refuseLocked,
  refuseOpen,
  refuseUnreadable,
  shortId,
  type Task,
  taskName,
} from './in-place/refusals.ts'
import { replaceFiles, stepsLeft } from './in-place/replace.ts'
import { commitSafety, nextSafetyRef, safetyAssets, safetyCommits } from './in-place/safety.ts'
import { stage } from './in-place/stage.ts'
import { type Steps, stepsTo } from './in-place/steps.ts'
import { closedPrints, databasePrints, refuseUnsaved } from './in-place/unsaved.ts'
import { emptied, isUnchanged, wantedOf } from './in-place/wanted.ts'
import { onInterrupt } from './interrupt.ts'
import { Phases } from './progress.ts'
import { type RestoreOptions, type RestoreResult, withoutContent } from './restore.ts'
import { checkContents } from './restore-contents.ts'
import { stagingName } from './source.ts'
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
  const [task, left] = [taskOf(run, journal.commit), 'it was left half replaced']
  refuseOpen(task, await run.live.present(), left)
  const { prints, safety } = journal
  const assets = await safetyAssets(run.store, safety)
  if (prints && assets)
    refuseUnsaved(task, { databases: prints, assets: byPath(assets) }, stepsLeft(journal), left)
  return replace(run, journal, [])
}

async function replaceSource(run: Run, commit: string): Promise<Done> {
  const { journal, warnings } = await prepare(run, commit)
  return replace(run, journal, warnings)
}

/** Saves what is there and makes all that is to replace it; the source is as it was until this returns. */
async function prepare(run: Run, commit: string): Promise<{ journal: Replacement; warnings: string[] }> {
  const { store, live, options, phases } = run
  const task = taskOf(run, commit)
  const tree = await readCommitTree(store, commit)
  const wanted = await wantedOf(store, live, tree)
  await checkContents(store, tree, fileEntries(wanted.assets))
  const present = await live.present()
  refuseUnreadable(task, unreadableAssets(present.assets))
  refuseOpen(task, present)
  const journal = await newJournal(run, commit)
  const prints = databasePrints(live, present.databases)
  const forget = onInterrupt(() => rmSync(journal.staging, { recursive: true, force: true }))
  try {
    await writeJournal(store, journal)
    await mkdir(journal.staging, { mode: 0o700 })
    const safety = await commitSafety(store, live, present, journal.safety, options, phases)
    refuseUnreadable(task, safety.unreadable)
    const saved = { databases: prints, assets: byPath(safety.assets) }
    const { steps, made } = stepsTo(wanted, present, isUnchanged(live, saved.assets))
    const { extensions, remotes } = options
    const job = { ...live, ...journal, store, tree, wanted, steps, made, extensions, remotes }
    const counts = await stage(job, phases)
    refuseOpen(task, present)
    refuseUnsaved(task, saved, steps)
    refuseLocked(task, present)
    // What was written though it is forced is lost, and is not asked for again.
    const closed = options.force ? databasePrints(live, present.databases) : closedPrints(live, prints)
    refuseUnsaved(task, { ...saved, databases: closed }, steps)
    const ready = {
      ...journal,
      steps,
      prints: closed,
      counts: { ...counts, withoutContent: withoutContent(wanted.assets) },
    }
    // From here on nothing that is staged may go: the steps alone would only remove.
    forget()
    await writeJournal(store, ready)
    return { journal: ready, warnings: [...safety.warnings, ...(await emptied(store, wanted, safety))] }
  } catch (error) {
    // Where this fails as well, whoever takes the lock next does it.
    await dropJournal(store, journal).catch(() => {})
    throw inPlaceError(task, error)
  } finally {
    forget()
  }
}

function byPath(assets: readonly AssetEntry[]): ReadonlyMap<string, AssetEntry> {
  return new Map(assets.map((asset) => [asset.path, asset]))
}

function taskOf({ live, options: { force } }: Run, commit: string): Task {
  return { live, commit, force }
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
      `${taskName({ live, commit })}: ${errorText(error)}; it is half replaced`,
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
  const { commit } = journal
  try {
    await dropState(store)
    await endJournal(store, journal)
  } catch (error) {
    const message = `${taskName({ live, commit })}: it is replaced, but ${errorText(error)}`
    const hint = `rowback restore ${shortId(commit)} --in-place`
    throw new RowbackError('target', message, { hint, cause: error })
  }
}
