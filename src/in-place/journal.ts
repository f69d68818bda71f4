/**
 * The journal of a restore in place: `rowback/in-place.json` in the git directory of the repository. As long as it says
 * `staging`, the source is as it was; as soon as it says `replacing`, the steps in it lead to the restored source, however
 * often they are begun. For the holder of the repository's lock.
 */

import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { syncDirectory } from '../durable.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import type { Store } from '../git/store.ts'
import type { RestoreResult } from '../restore.ts'
import type { Steps } from './steps.ts'
import type { DatabasePrints } from './unsaved.ts'

export interface Journal {
  /** The source as the repository names it, and its real directory. */
  source: string
  root: string
  /** The absolute path of the folder with what is put into the source. */
  staging: string
  /** What is restored. */
  commit: string
  /** The ref of the commit that holds what was there before. */
  safety: string
  /** From the moment on when they are carried out. */
  steps?: Steps
  /** Of the databases, then; a restore that was cut short by an earlier version has none. */
  prints?: DatabasePrints
  /** What the restore counts, told by whoever ends it. */
  counts?: Pick<RestoreResult, 'databases' | 'rows' | 'files' | 'bytes' | 'withoutContent'>
}

const folderOf = ({ gitDir }: Pick<Store, 'gitDir'>): string => join(gitDir, 'rowback')
const fileOf = (store: Pick<Store, 'gitDir'>): string => join(folderOf(store), 'in-place.json')

const draftOf = (store: Pick<Store, 'gitDir'>): string => `${fileOf(store)}.new`

/** The journal of a restore that is not over; undefined if there is none. */
export async function readJournal(store: Pick<Store, 'gitDir'>): Promise<Journal | undefined> {
  try {
    return JSON.parse(await readFile(fileOf(store), 'utf8')) as Journal
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw new RowbackError('repository', `read ${fileOf(store)}: ${errorText(error)}`, { cause: error })
  }
}

/** Replaces the journal, durably and in one step. */
export async function writeJournal(store: Store, journal: Journal): Promise<void> {
  const draft = draftOf(store)
  await makeFolders(folderOf(store), 0o700)
  const handle = await open(draft, 'w', 0o600)
  try {
    await handle.writeFile(JSON.stringify(journal))
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, fileOf(store))
  await syncDirectory(folderOf(store))
}

/** Ends a restore: what was staged goes, then the journal. */
export async function endJournal(store: Store, { staging }: Journal): Promise<void> {
  await rm(staging, { recursive: true, force: true })
  for (const file of [draftOf(store), fileOf(store)]) await rm(file, { force: true })
  await syncDirectory(folderOf(store))
}

/**
 * Gives up a restore that has changed nothing. What takes room goes first: a full disk may be why it is given up; but steps whose
 * files are gone would only remove. Throws a `target` or a `repository` error where that cannot be done now.
 */
export async function dropJournal(store: Store, journal: Journal): Promise<void> {
  const { staging, safety, source } = journal
  try {
    const { steps, ...begun } = (await readJournal(store)) ?? journal
    if (steps !== undefined) await writeJournal(store, begun)
    await rm(staging, { recursive: true, force: true })
    if ((await store.refs(safety)).has(safety)) await store.deleteRef(safety)
    await endJournal(store, journal)
  } catch (error) {
    if (error instanceof RowbackError) throw error
    const message = `clear away a restore in place of ${source} that was cut short: ${errorText(error)}`
    throw new RowbackError('target', message, { cause: error })
  }
}

/**
 * Clears away a restore that died before it changed anything. Throws a `source` error where one has begun to change the
 * source: a backup would commit a mixture.
 */
export async function settleForBackup(store: Store): Promise<void> {
  const journal = await readJournal(store)
  if (journal === undefined) return
  if (journal.steps === undefined) return dropJournal(store, journal)
  throw new RowbackError(
    'source',
    `back up ${journal.source}: a restore in place of it was cut short; nothing was committed`,
    {
      hint: `rowback restore ${journal.commit.slice(0, 12)} --in-place ends it, rowback undo takes it back`,
    },
  )
}
