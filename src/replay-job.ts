/** What a replay process is asked to do, and what it says. */

import type { CommitTree } from './commit-tree.ts'
import type { ManifestDatabase } from './dump/manifest.ts'
import type { Engine } from './git/engine.ts'
import type { Remote } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import type { TreeEntry } from './git/tree.ts'
import type { PlainError } from './sqlite/plain-error.ts'

/** A database of a commit that is to be replayed. */
export interface ReplayJob {
  /** The git directory of the repository. */
  gitDir: string
  engine: Engine
  /** As `Store.remotes`. */
  remotes: readonly Remote[]
  /** The files of the dump; their paths are relative to the database's folder. */
  files: Pick<TreeEntry, 'path' | 'oid'>[]
  /** The new file. */
  target: string
  /** Absolute paths of SQLite extensions. */
  extensions: readonly string[]
  /** The one table to be made, with its row files among `files`; all without it. */
  table?: string | undefined
  /** What a proof wants to know beyond the replay: the file is checked, and dumped again as this says. */
  proof?: ManifestDatabase | undefined
}

/** The job of replaying a database of a commit into the new file `target`. */
export function replayJob(
  { gitDir, engine, remotes }: Store,
  { entries }: CommitTree,
  { name }: ManifestDatabase,
  target: string,
  extensions: readonly string[] = [],
): ReplayJob {
  const folder = `databases/${name}/`
  const files = [...entries.values()]
    .filter(({ path }) => path.startsWith(folder))
    .map(({ path, oid }) => ({ path: path.slice(folder.length), oid }))
  return { gitDir, engine, remotes, files, target, extensions }
}

/** A file that was dumped again. */
export interface DumpedAgain {
  path: string
  oid: string
  bytes: number
}

/** What came of a job with a `proof`. */
export interface ReplayProof {
  entry: ManifestDatabase
  /** The first file that is not as the commit has it. */
  different: { path: string; content: Uint8Array } | undefined
  foreignKeyViolations: number
}

export type ReplayPhase = 'replay' | 'check' | 'dump'

/** Who is told of the progress. */
export interface OnReplay {
  onPhase(phase: ReplayPhase): void
  onRows(rows: number, bytes: number): void
  /** Of a proof, each file. */
  onFile?(file: DumpedAgain): void
}

/** What the process says. */
export type ReplayNews =
  | { kind: 'phase'; phase: ReplayPhase }
  | { kind: 'progress'; rows: number; bytes: number; files: DumpedAgain[] }
  | { kind: 'done'; proof: ReplayProof | undefined }
  | { kind: 'failed'; error: PlainError }
