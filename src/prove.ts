/** Proves that a commit restores to what it was made from: store → replay → dump again → compare. */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { type CommitTree, pathInSource, readAssetEntries } from './commit-tree.ts'
import { differenceText } from './difference.ts'
import type { Manifest, ManifestDatabase } from './dump/manifest.ts'
import { errorText, RowbackError } from './errors.ts'
import type { Store } from './git/store.ts'
import type { TreeEntry } from './git/tree.ts'
import type { Phases } from './progress.ts'
import { databaseClaim, type Proofs, treeClaim } from './proofs.ts'
import { proveAssets } from './prove-assets.ts'
import { replayDatabase } from './replay.ts'
import { databasesInSource } from './restore.ts'
import { dumpDatabase } from './sqlite/dump.ts'
import { loadExtensions } from './sqlite/extensions.ts'
import { foreignKeyViolations, integrityFinding } from './sqlite/integrity.ts'
import { makeLegible } from './sqlite/make-legible.ts'
import { allowEverySchema } from './sqlite/snapshot.ts'
import { TreeBuilder } from './tree-builder.ts'
import { writeDatabase, writeManifest } from './write-tree.ts'

/** What a commit holds, and how much of it had to be proved. */
export interface Proof {
  databases: number
  /** Databases that were replayed; the others are, file by file, those of a proof before. */
  replayed: number
  rows: number
  files: number
  /** Assets whose content was read and hashed; the others were before. */
  hashed: number
  /** Of all files of the commit. */
  bytes: number
  /** Rows that name a row that is not there, in the source as in the copy; of the replayed databases. */
  foreignKeyViolations: number
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
}

/**
 * Proves a commit, and notes the proofs of its parts as they come. `scratch` is a private folder, left as it was.
 * Throws a `difference` error for the first thing that does not come back as it is, a `dump` error for what a dump may
 * not hold; neither names the commit.
 */
export async function proveCommit(
  store: Store,
  commit: CommitTree,
  { proofs, scratch, extensions, phases }: Pick<Run, 'proofs' | 'scratch' | 'extensions' | 'phases'>,
): Promise<Proof> {
  const sink = new FirstDifferent()
  const rebuilt = new TreeBuilder(commit.entries, sink, phases)
  const run = { store, commit, proofs, phases, rebuilt, sink, scratch, extensions }
  const databases = await proveDatabases(run)
  phases.begin('assets')
  const assets = await readAssetEntries(store, commit)
  databasesInSource(commit, assets)
  const hashed = await proveAssets({ ...run, assets })
  const manifest = await writeManifest(rebuilt, commit.manifest.source, databases.entries, assets)
  await refuseDifference(run, commit.entries, rebuilt.entries)
  await proofs.note(treeClaim(commit.commit.tree))
  const { replayed, foreignKeyViolations } = databases
  return { ...held(manifest), replayed, hashed, bytes: rebuilt.bytes.total, foreignKeyViolations }
}

/** Keeps the first file that is not as the commit has it: what the difference is told from. */
class FirstDifferent {
  content: Buffer | undefined

  async writeBlob(_oid: string, content: Buffer): Promise<void> {
    this.content ??= content
  }

  async writeFile(): Promise<void> {}
}

function held({ databases, assets }: Manifest): Pick<Proof, 'databases' | 'rows' | 'files'> {
  const rows = databases.flatMap(({ tables }) => tables).reduce((sum, table) => sum + table.rows, 0)
  return { databases: databases.length, rows, files: assets.files }
}

interface ProvedDatabases {
  /** As the manifest must have them. */
  entries: ManifestDatabase[]
  replayed: number
  foreignKeyViolations: number
}

/** Replays and compares each database, unless the same files were proved before. */
async function proveDatabases(run: Run): Promise<ProvedDatabases> {
  const { commit, proofs, rebuilt } = run
  const proved: ProvedDatabases = { entries: [], replayed: 0, foreignKeyViolations: 0 }
  for (const database of commit.manifest.databases) {
    const folder = `databases/${database.name}/`
    const stored = below(commit.entries, folder)
    if (proofs.has(databaseClaim(folder, stored.values(), database))) {
      await addStored(run, [...stored.values()])
      proved.entries.push(database)
    } else {
      const { entry, violations } = await replayAndDump(run, database)
      await refuseDifference(run, stored, below(rebuilt.entries, folder))
      await proofs.note(databaseClaim(folder, stored.values(), entry))
      proved.entries.push(entry)
      proved.replayed += 1
      proved.foreignKeyViolations += violations
    }
  }
  return proved
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
  database: ManifestDatabase,
): Promise<{ entry: ManifestDatabase; violations: number }> {
  const { store, commit, phases, rebuilt, scratch, extensions } = run
  const label = `database ${JSON.stringify(pathInSource(commit, database))}`
  const file = join(scratch, 'replayed.db')
  phases.begin('replay')
  try {
    await replayDatabase(store, commit, database, file, extensions, (rows, bytes) => phases.add(rows, bytes))
  } catch (error) {
    throw replayError(label, error)
  }
  const db = new Database(file)
  try {
    allowEverySchema(db)
    loadExtensions(db, extensions)
    phases.begin('check')
    const damage = integrityFinding(db)
    if (damage !== undefined) {
      throw new RowbackError('difference', `${label} is damaged after its replay: ${damage}`)
    }
    const violations = foreignKeyViolations(db)
    const originals = makeLegible(db)
    phases.begin('dump')
    const options = { excludeTables: database.excludedTables, fullText: database.fullText, extensions }
    const { name, path } = database
    const entry = await writeDatabase(rebuilt, dumpDatabase(db, options, originals), { name, path }, options)
    return { entry, violations }
  } catch (error) {
    throw asDifference(label, error)
  } finally {
    db.close()
    await rm(file, { force: true })
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
    error instanceof RowbackError ? error.code === 'source' : error instanceof Database.SqliteError
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
