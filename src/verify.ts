/** The verify flow: store → replay → dump again → compare. Equal tree ids are the proof. */

import { rmSync } from 'node:fs'
import { appendFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { shownPath } from './assets/paths.ts'
import { type CommitTree, readAssetEntries, readCommitTree } from './commit-tree.ts'
import type { Manifest } from './dump/manifest.ts'
import { errorText, hasErrno, RowbackError } from './errors.ts'
import { openStore } from './git/open-store.ts'
import type { Store } from './git/store.ts'
import { onInterrupt } from './interrupt.ts'
import { type OnProgress, Phases } from './progress.ts'
import { replayDatabase } from './restore.ts'
import { dumpDatabase } from './sqlite/dump.ts'
import { loadExtensions } from './sqlite/extensions.ts'
import { foreignKeyViolations, integrityFinding } from './sqlite/integrity.ts'
import { makeLegible } from './sqlite/make-legible.ts'
import { allowEverySchema } from './sqlite/snapshot.ts'
import { TreeBuilder } from './tree-builder.ts'
import { writeDatabase, writeManifest, writeStoredAssets } from './write-tree.ts'

export interface VerifyOptions {
  repository: string
  branch?: string | undefined
  rev: string
  /** Whether a tree that was proved before is left alone. */
  unlessProved?: boolean | undefined
  /** Absolute paths of SQLite extensions that the databases need; never those of somebody else. */
  extensions?: readonly string[] | undefined
  onProgress?: OnProgress | undefined
}

export interface VerifyResult {
  commit: string
  tree: string
  /** Whether the tree was proved by an earlier run. */
  proved: 'now' | 'before'
  databases: number
  rows: number
  files: number
  bytes: number
  /** Rows that name a row that is not there, in the source as in the copy. */
  foreignKeyViolations: number
  timesMs: Record<string, number>
}

/** Proves that a commit restores to what it was made from. Throws a `difference` error where it does not. */
export async function verify(options: VerifyOptions): Promise<VerifyResult> {
  const store = await openStore(options.repository, { branch: options.branch })
  try {
    return await verifyCommit(store, await store.resolve(options.rev), options)
  } finally {
    await store.close()
  }
}

/** `verify` for an open repository and a full commit id. */
export async function verifyCommit(
  store: Store,
  oid: string,
  {
    unlessProved,
    extensions,
    onProgress,
  }: Pick<VerifyOptions, 'unlessProved' | 'extensions' | 'onProgress'> = {},
): Promise<VerifyResult> {
  const phases = new Phases(onProgress)
  phases.begin('read')
  const commit = await readCommitTree(store, oid)
  const tree = commit.commit.tree
  const counts = { databases: 0, rows: 0, files: 0, bytes: 0, foreignKeyViolations: 0 }
  if (unlessProved && (await readProved(store)).has(tree)) {
    return { commit: oid, tree, proved: 'before', ...counts, timesMs: phases.timesMs }
  }
  const differing = new Map<string, Buffer>()
  const sink = {
    writeBlob: async (blob: string, content: Buffer) => void differing.set(blob, content),
    writeFile: async () => {},
  }
  const rebuilt = new TreeBuilder(commit.entries, sink, phases)
  const manifest = await rebuild(store, commit, rebuilt, { counts, extensions, phases })
  phases.end()
  if (rebuilt.oid() !== tree) throw await difference(store, commit, rebuilt, differing)
  await noteProved(store, tree)
  const rows = manifest.databases.flatMap(({ tables }) => tables).reduce((sum, table) => sum + table.rows, 0)
  const files = manifest.assets.files
  return {
    commit: oid,
    tree,
    proved: 'now',
    ...counts,
    rows,
    files,
    bytes: rebuilt.bytes.total,
    timesMs: phases.timesMs,
  }
}

/** Replays each database into a scratch folder and dumps it again into `rebuilt`. */
async function rebuild(
  store: Store,
  commit: CommitTree,
  rebuilt: TreeBuilder,
  {
    counts,
    extensions = [],
    phases,
  }: {
    counts: { databases: number; foreignKeyViolations: number }
    extensions: readonly string[] | undefined
    phases: Phases
  },
): Promise<Manifest> {
  const scratch = await mkdtemp(join(tmpdir(), 'rowback-verify-'))
  const forget = onInterrupt(() => rmSync(scratch, { recursive: true, force: true }))
  try {
    const databases: Manifest['databases'] = []
    for (const database of commit.manifest.databases) {
      const file = join(scratch, 'replayed.db')
      phases.begin('replay')
      await replayDatabase(store, commit, database, file, extensions, (rows, bytes) =>
        phases.add(rows, bytes),
      )
      const db = new Database(file)
      try {
        allowEverySchema(db)
        loadExtensions(db, extensions)
        phases.begin('check')
        refuseFinding(integrityFinding(db), database.name, commit.commit.oid)
        counts.foreignKeyViolations += foreignKeyViolations(db)
        const originals = makeLegible(db)
        phases.begin('dump')
        const options = { excludeTables: database.excludedTables, fullText: database.fullText, extensions }
        const { name, path } = database
        const dump = dumpDatabase(db, options, originals)
        databases.push(await writeDatabase(rebuilt, dump, { name, path }, options))
      } catch (error) {
        throw asDifference(error, commit.commit.oid)
      } finally {
        db.close()
        await rm(file, { force: true })
      }
      counts.databases += 1
    }
    phases.begin('assets')
    const assets = await readAssetEntries(store, commit)
    await writeStoredAssets(rebuilt, store, commit, assets, scratch)
    return await writeManifest(rebuilt, commit.manifest.source, databases, assets)
  } finally {
    forget()
    await rm(scratch, { recursive: true, force: true })
  }
}

/** What the dump, which speaks of a source, or SQLite says of a replayed copy, as an error of that commit. */
function asDifference(error: unknown, commit: string): unknown {
  const ofCopy =
    error instanceof RowbackError ? error.code === 'source' : error instanceof Database.SqliteError
  if (!ofCopy) return error
  const cause = errorText(error).replace('; nothing was committed', '')
  return new RowbackError('difference', `verify ${commit.slice(0, 12)}: ${cause}`, { cause: error })
}

function refuseFinding(finding: string | undefined, database: string, commit: string): void {
  if (finding === undefined) return
  throw new RowbackError(
    'difference',
    `verify ${commit.slice(0, 12)}: replayed database ${database} is damaged: ${finding}`,
  )
}

/** The error that names the first file, table and line that came back different. */
async function difference(
  store: Store,
  { commit, entries }: CommitTree,
  rebuilt: TreeBuilder,
  contents: ReadonlyMap<string, Buffer>,
): Promise<RowbackError> {
  const paths = [...new Set([...entries.keys(), ...rebuilt.entries.keys()])].sort()
  const path =
    paths.find((candidate) => entries.get(candidate)?.oid !== rebuilt.entries.get(candidate)?.oid) ?? ''
  const [stored, made] = [entries.get(path), rebuilt.entries.get(path)]
  const verb = `verify ${commit.oid.slice(0, 12)}`
  if (!stored)
    return new RowbackError(
      'difference',
      `${verb}: the replayed data gives ${shownPath(path)}, which the commit lacks`,
    )
  if (!made)
    return new RowbackError('difference', `${verb}: the replayed data does not give ${shownPath(path)}`)
  const line = firstDifference(await store.readBlob(stored.oid), contents.get(made.oid) ?? Buffer.alloc(0))
  return new RowbackError('difference', `${verb}: ${shownPath(path)} line ${line} came back different`, {
    hint: `rowback log, then rowback verify an earlier commit`,
  })
}

function firstDifference(a: Buffer, b: Buffer): number {
  const [left, right] = [a.toString('latin1').split('\n'), b.toString('latin1').split('\n')]
  const index = left.findIndex((line, at) => line !== right[at])
  return (index < 0 ? left.length : index) + 1
}

function provedFile(store: Store): string {
  return join(store.gitDir, 'rowback', 'proved')
}

/** The ids of trees that were proved in this repository; a cache that may be deleted. */
async function readProved(store: Store): Promise<Set<string>> {
  try {
    return new Set((await readFile(provedFile(store), 'utf8')).split('\n'))
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return new Set()
    throw error
  }
}

async function noteProved(store: Store, tree: string): Promise<void> {
  try {
    await mkdir(join(store.gitDir, 'rowback'), { recursive: true })
    await appendFile(provedFile(store), `${tree}\n`)
  } catch (error) {
    if (!hasErrno(error, 'EROFS', 'EACCES', 'ENOSPC')) throw error
  }
}
