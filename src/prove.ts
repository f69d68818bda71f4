/** Proves that a commit restores to what it was made from: store → replay → dump again → compare. */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommitTree, pathInSource, readAssetEntries } from './commit-tree.ts'
import { compareDumped, differenceText } from './difference.ts'
import { type Manifest, type ManifestDatabase, rowTotal } from './dump/manifest.ts'
import { errorText, RowbackError } from './errors.ts'
import type { Remote } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import type { TreeEntry } from './git/tree.ts'
import type { LfsFindings } from './lfs-contents.ts'
import type { Phases } from './progress.ts'
import { databaseClaim, type Proofs, treeClaim } from './proofs.ts'
import { proveAssets } from './prove-assets.ts'
import { type OnReplay, type ReplayPhase, type ReplayProof, replayJob } from './replay-job.ts'
import { type ReplayProcess, withReplayProcess } from './replay-process.ts'
import { databasesInSource } from './restore.ts'
import { diskFault } from './sqlite/disk-fault.ts'
import { isSqliteError } from './sqlite/sqlite-error.ts'
import { TreeBuilder } from './tree-builder.ts'
import { writeManifest } from './write-tree.ts'

/** What a commit holds, and how much of it had to be proved. */
export interface Proof {
  databases: number
  /** Databases that were replayed; the others are, file by file, those of a proof before. */
  replayed: number
  rows: number
  files: number
  /** Files and directories that could not be read when the commit was made, and files that did not stop changing. */
  unreadable: number
  unstable: number
  /** Assets whose content was read and hashed; the others were before. */
  hashed: number
  /** Of all files of the commit. */
  bytes: number
  /** Rows that name a row that is not there, in the source as in the copy; of the replayed databases. */
  foreignKeyViolations: number
  /** What of Git LFS was missing or damaged, and came from a remote; left out where nothing was. */
  lfs?: LfsFindings
}

/** What the steps of one proof share. */
interface Run {
  store: Store
  commit: CommitTree
  proofs: Proofs
  phases: Phases
  /** The tree as it comes back. */
  rebuilt: TreeBuilder
  sink: FirstDifferent
  scratch: string
  /** Absolute paths of SQLite extensions that the databases need. */
  extensions: readonly string[]
  /** Asked, before those of the last push, for contents of Git LFS that are missing or damaged. */
  remotes: readonly Remote[] | undefined
  /** Kept for the proofs of other commits; one of its own without it. */
  process: ReplayProcess | undefined
}

type ProofRun = Pick<Run, 'proofs' | 'scratch' | 'extensions' | 'remotes' | 'process' | 'phases'>

/**
 * Proves a commit, and notes the proofs of its parts as they come. `scratch` is a private folder, left as it was.
 * Throws a `difference` error for the first thing that does not come back as it is, a `dump` error for what a dump may
 * not hold; neither names the commit.
 */
export async function proveCommit(store: Store, commit: CommitTree, given: ProofRun): Promise<Proof> {
  const sink = new FirstDifferent()
  const { phases, proofs } = given
  const rebuilt = new TreeBuilder(commit.entries, sink, phases)
  const run = { store, commit, rebuilt, sink, ...given }
  const databases = await proveDatabases(run)
  phases.begin('assets')
  const assets = await readAssetEntries(store, commit)
  databasesInSource(commit, assets)
  const { hashed, lfs } = await proveAssets({ ...run, assets })
  const manifest = await writeManifest(rebuilt, commit.manifest.source, databases.entries, assets)
  await refuseDifference(run, commit.entries, rebuilt.entries)
  await proofs.note(treeClaim(commit.commit.tree))
  const { replayed, foreignKeyViolations } = databases
  const unreadable = assets.filter(({ kind }) => kind === 'unreadable').length
  const unstable = assets.filter((asset) => 'unstable' in asset).length
  const counts = { ...held(manifest), unreadable, unstable, replayed, hashed }
  const proof = { ...counts, bytes: rebuilt.bytes.total, foreignKeyViolations }
  return lfs === undefined ? proof : { ...proof, lfs }
}

/** Keeps the first file that is not as the commit has it: what the difference is told from. */
class FirstDifferent {
  content: Buffer | undefined
  private path = ''

  async writeBlob(_oid: string, content: Buffer, path: string): Promise<void> {
    if (this.content !== undefined && compareDumped(path, this.path) > 0) return
    this.content = content
    this.path = path
  }

  async writeFile(): Promise<void> {}
}

function held({ databases, assets }: Manifest): Pick<Proof, 'databases' | 'rows' | 'files'> {
  return { databases: databases.length, rows: rowTotal({ databases }), files: assets.files }
}

interface ProvedDatabases {
  /** As the manifest must have them. */
  entries: ManifestDatabase[]
  replayed: number
  foreignKeyViolations: number
}

/** Replays and compares each database, unless the same files were proved before. */
async function proveDatabases(run: Run): Promise<ProvedDatabases> {
  const proved: ProvedDatabases = { entries: [], replayed: 0, foreignKeyViolations: 0 }
  await withReplayProcess(async (process) => {
    for (const database of run.commit.manifest.databases) await proveDatabase(run, process, database, proved)
  }, run.process)
  return proved
}

async function proveDatabase(
  run: Run,
  process: ReplayProcess,
  database: ManifestDatabase,
  proved: ProvedDatabases,
): Promise<void> {
  const { commit, proofs, rebuilt } = run
  const folder = `databases/${database.name}/`
  const stored = below(commit.entries, folder)
  if (proofs.has(databaseClaim(folder, stored.values(), database))) {
    await addStored(run, [...stored.values()])
    proved.entries.push(database)
    return
  }
  const { entry, violations } = await replayAndDump(run, process, database)
  await refuseDifference(run, stored, below(rebuilt.entries, folder))
  await proofs.note(databaseClaim(folder, stored.values(), entry))
  proved.entries.push(entry)
  proved.replayed += 1
  proved.foreignKeyViolations += violations
}

function below(entries: ReadonlyMap<string, TreeEntry>, folder: string): Map<string, TreeEntry> {
  return new Map([...entries].filter(([path]) => path.startsWith(folder)))
}

/** Takes files over into the rebuilt tree as they are. */
async function addStored({ store, rebuilt }: Run, entries: TreeEntry[]): Promise<void> {
  const sizes = await store.blobSizes(entries.map(({ oid }) => oid))
  for (const entry of entries) await rebuilt.addKnown(entry, sizes.get(entry.oid) ?? 0, async () => {})
}

/** Replays a database into the scratch folder, checks it, and dumps it again into the rebuilt tree. */
async function replayAndDump(
  run: Run,
  process: ReplayProcess,
  database: ManifestDatabase,
): Promise<{ entry: ManifestDatabase; violations: number }> {
  const { store, commit, phases, rebuilt, scratch, extensions, sink } = run
  const label = `database ${JSON.stringify(pathInSource(commit, database))}`
  const target = join(scratch, 'replayed.db')
  let phase: ReplayPhase = 'replay'
  const on: OnReplay = {
    onPhase: (begun) => {
      phase = begun
      phases.begin(begun)
    },
    // Of a dump, the tree counts the bytes.
    onRows: (rows, bytes) => phases.add(rows, phase === 'dump' ? 0 : bytes),
    onFile: ({ path, oid, bytes }) => {
      const file = { path: `databases/${database.name}/${path}`, mode: '100644', oid } as const
      void rebuilt.addKnown(file, bytes, async () => {})
    },
  }
  try {
    const job = { ...replayJob(store, commit, database, target, extensions), proof: database }
    const proof = (await process.run(job, on)) as ReplayProof
    const { different, entry, foreignKeyViolations: violations } = proof
    if (different) await sink.writeBlob('', Buffer.from(different.content), different.path)
    return { entry, violations }
  } catch (error) {
    const fault = diskFault(error)
    if (fault !== undefined) throw new RowbackError('target', `${label}: ${fault}`, { cause: error })
    throw phase === 'replay' ? replayError(label, error) : asDifference(label, error)
  } finally {
    await rm(target, { force: true }).catch((error: unknown) => {
      throw new RowbackError('target', `remove ${target}: ${errorText(error)}`, { cause: error })
    })
  }
}

/** The error of a replay with the database's name before it. */
function replayError(label: string, error: unknown): unknown {
  if (!(error instanceof RowbackError)) return error
  return new RowbackError(error.code, `${label}: ${error.message}`, { hint: error.hint, cause: error })
}

/** What the dump, which speaks of a source, or SQLite says of a replayed copy, as a finding about the commit. */
function asDifference(label: string, error: unknown): unknown {
  const ofCopy =
    error instanceof RowbackError
      ? error.code === 'source' || error.code === 'difference'
      : isSqliteError(error)
  if (!ofCopy) return error
  const cause = errorText(error).replace('; nothing was committed', '')
  return new RowbackError('difference', `${label}: ${cause}`, { cause: error })
}

async function refuseDifference(
  { store, commit, sink }: Run,
  stored: ReadonlyMap<string, TreeEntry>,
  made: ReadonlyMap<string, TreeEntry>,
): Promise<void> {
  const text = await differenceText(commit, stored, made, {
    stored: ({ oid }) => store.readBlob(oid),
    made: async () => sink.content ?? Buffer.alloc(0),
  })
  if (text !== undefined) throw new RowbackError('difference', text)
}
