/** The log and show flows: the commits of a repository and what they hold. */

import { pathInSource, readAssetEntries, readCommitTree } from './commit-tree.ts'
import type { ManifestTable } from './dump/manifest.ts'
import type { Commit, SignatureFormat } from './git/commit.ts'
import type { EngineChoice } from './git/engine.ts'
import { openStore } from './git/open-store.ts'
import type { Remote } from './git/remote-url.ts'

export interface LogEntry {
  commit: string
  /** Seconds since 1970. */
  time: number
  subject: string
  author: string
  /** Counts of the whole commit; undefined where the commit's trailers do not say. */
  rows: number | undefined
  assets: number | undefined
  /** Whether the commit was proved before the branch moved to it; undefined where its trailers do not say. */
  verified: boolean | undefined
  /** What kind of signature the commit has, be it good or not; undefined without one. */
  signed: SignatureFormat | undefined
  /** How many files and directories could not be read when the commit was made. */
  unreadable: number
}

export interface LogOptions {
  repository: string
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** At most so many commits, newest first. */
  limit?: number | undefined
}

/** Yields the commits of the branch, newest first; none for a repository without commits. */
export async function* log({ repository, branch, engine, limit }: LogOptions): AsyncGenerator<LogEntry> {
  const store = await openStore(repository, { branch, engine })
  try {
    const tip = await store.tip()
    if (tip === undefined) return
    for await (const commit of store.log(tip, { limit })) yield logEntry(commit)
  } finally {
    await store.close()
  }
}

function logEntry({ oid, author, subject, trailers, signed }: Commit): LogEntry {
  const counted = (trailer: string): number | undefined => {
    const found = /^\d+/.exec(trailers.get(trailer) ?? '')
    return found ? Number(found[0]) : undefined
  }
  const verify = trailers.get('Rowback-Verify') ?? ''
  return {
    commit: oid,
    time: author.time,
    subject,
    author: `${author.name} <${author.email}>`,
    rows: counted('Rowback-Rows'),
    assets: counted('Rowback-Assets'),
    verified: /^(yes|no) /.test(verify) ? verify.startsWith('yes ') : undefined,
    signed,
    unreadable: counted('Rowback-Partial') ?? 0,
  }
}

export interface ShowResult extends LogEntry {
  tree: string
  parents: string[]
  message: string
  databases: { name: string; path: string; tables: ManifestTable[] }[]
  files: { path: string; kind: string; size: number }[]
}

export interface ShowOptions extends Omit<LogOptions, 'limit'> {
  /** Those whose password variables let a partial clone fetch what it lacks. */
  remotes?: readonly Remote[] | undefined
  /** Any git revision, or `latest`. */
  rev: string
}

/** One commit in full. Throws RowbackError where there is no such backup. */
export async function show({ repository, rev, ...options }: ShowOptions): Promise<ShowResult> {
  const store = await openStore(repository, options)
  try {
    const tree = await readCommitTree(store, await store.resolve(rev))
    const assets = await readAssetEntries(store, tree)
    return {
      ...logEntry(tree.commit),
      tree: tree.commit.tree,
      parents: tree.commit.parents,
      message: tree.commit.message,
      databases: tree.manifest.databases.map((database) => ({
        name: database.name,
        path: pathInSource(tree, database),
        tables: database.tables,
      })),
      files: assets.map((asset) => ({
        path: asset.path,
        kind: asset.kind === 'file' && asset.lfs ? 'lfs' : asset.kind,
        size: 'size' in asset ? asset.size : 0,
      })),
    }
  } finally {
    await store.close()
  }
}
