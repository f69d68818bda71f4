/** Safety commits: what a source held before a restore in place, each on a ref of its own that nothing but a user removes. */

import { join } from 'node:path'
import type { AssetEntry } from '../assets/manifest.ts'
import { comparePaths } from '../assets/paths.ts'
import type { AssetRule } from '../assets/rules.ts'
import type { Unreadable } from '../assets/scan.ts'
import type { BackupOptions } from '../backup.ts'
import { commitTree } from '../commit-new.ts'
import { readAssetEntries, readCommitTree } from '../commit-tree.ts'
import { pathPart } from '../dump/names.ts'
import { errorText, RowbackError } from '../errors.ts'
import type { Store } from '../git/store.ts'
import type { Phases } from '../progress.ts'
import { fileDatabaseName, type Source, sourceName } from '../source.ts'
import { sqliteCode } from '../sqlite/source-error.ts'
import { verifyCommit } from '../verify.ts'
import { type LiveSource, type Present, rawFiles } from './live-source.ts'

/** Safety commits are numbered below it: the clock may be set back. */
const folder = 'refs/rowback/safety/'

export interface Safety {
  ref: string
  commit: string
}

/** The safety commits of a repository, the latest first. */
export async function safetyCommits(store: Store): Promise<Safety[]> {
  const refs = [...(await store.refs(folder))].filter(([ref]) => /\/\d+$/.test(ref))
  return refs.map(([ref, commit]) => ({ ref, commit })).sort((a, b) => numberOf(b.ref) - numberOf(a.ref))
}

/** The assets of the safety commit of that ref; undefined where a user has removed it. */
export async function safetyAssets(store: Store, ref: string): Promise<AssetEntry[] | undefined> {
  const found = (await safetyCommits(store)).find((safety) => safety.ref === ref)
  return found && assetsOf(store, found.commit)
}

async function assetsOf(store: Store, commit: string): Promise<AssetEntry[]> {
  return readAssetEntries(store, await readCommitTree(store, commit))
}

function numberOf(ref: string): number {
  return Number(ref.slice(folder.length))
}

/** The ref of the next safety commit. */
export async function nextSafetyRef(store: Store): Promise<string> {
  const [latest] = await safetyCommits(store)
  return `${folder}${latest === undefined ? 1 : numberOf(latest.ref) + 1}`
}

/** How backups of the source are made. */
export type SafetyOptions = Pick<
  BackupOptions,
  'name' | 'assets' | 'fullText' | 'extensions' | 'author' | 'sign' | 'busyTimeoutMs' | 'onProgress'
>

export interface SafetyCommit extends Safety {
  assets: AssetEntry[]
  /** What it does not hold. */
  unreadable: Unreadable[]
  warnings: string[]
}

/**
 * Commits all that a source holds, rows of excluded tables too, proves the commit, and points `ref` at it; the branch does
 * not move. Of databases that cannot be dumped, as they are damaged, the bytes are kept. Throws RowbackError where the
 * source is locked or its files cannot be read.
 */
export async function commitSafety(
  store: Store,
  live: LiveSource,
  present: Present,
  ref: string,
  options: SafetyOptions,
  phases: Phases,
): Promise<SafetyCommit> {
  const warnings: string[] = []
  const raw = rawSource(live, present)
  const source = wholeSource(live, present) ?? raw
  const { commit, unreadable } = await commitProved(store, source, ref, options, phases).catch(
    async (error: unknown) => {
      if (source === raw || !isUndumpable(error)) throw error
      warnings.push(`keep the bytes of ${live.path} as they are: ${errorText(error)}`)
      return commitProved(store, raw, ref, options, phases)
    },
  )
  return {
    ref,
    commit,
    unreadable,
    assets: await assetsOf(store, commit),
    warnings,
  }
}

async function commitProved(
  store: Store,
  source: Source,
  ref: string,
  options: SafetyOptions,
  phases: Phases,
): Promise<{ commit: string; unreadable: Unreadable[] }> {
  const { latest, verified, unreadable } = await commitTree(
    store,
    source,
    {
      ...options,
      source: source.path,
      repository: store.dir,
      assets: options.assets && { ...options.assets, rules: wholeRules(options.assets.rules ?? []) },
      name: `${options.name ?? sourceName(source.path)} before a restore in place`,
      verify: 'always',
      known: undefined,
      parent: await store.tip(),
      ref,
    },
    phases,
  ).then(({ committed }) => committed)
  // A tree that the branch has already may be one that nobody has proved.
  if (!verified) await verifyCommit(store, latest, { ...options, unlessProved: true })
  await store.setRef(ref, latest)
  return { commit: latest, unreadable }
}

/** What a backup would only list is kept in git; what it sends to Git LFS would be too large for that. */
function wholeRules(rules: readonly AssetRule[]): AssetRule[] {
  return rules.map((rule) => (rule.store === 'manifest' ? { ...rule, store: 'git' } : rule))
}

/** The source as a backup reads it; undefined for a file that does not even look like a database. */
function wholeSource({ kind, path, root }: LiveSource, present: Present): Source | undefined {
  if (kind === 'directory') {
    const databases = present.databases.map((found) => ({
      name: pathPart(found),
      path: found,
      file: join(root, found),
    }))
    return { kind, path: root, databases, assets: present.assets, warnings: [] }
  }
  const [name] = present.databases
  if (name === undefined) return undefined
  const database = { name: fileDatabaseName, path: name, file: join(root, name) }
  return { kind, path, databases: [database], assets: [], warnings: [] }
}

/** The source as files only. */
function rawSource({ root }: LiveSource, { databases, assets }: Present): Source {
  const files = [...assets, ...rawFiles(root, databases)].sort((a, b) => comparePaths(a.path, b.path))
  return { kind: 'directory', path: root, databases: [], assets: files, warnings: [] }
}

/** Whether a dump failed for what the source holds, in contrast to a lock on it or a fault of the repository. */
function isUndumpable(error: unknown): boolean {
  if (!(error instanceof RowbackError) || sqliteCode(error).startsWith('SQLITE_BUSY')) return false
  return error.code === 'source' || error.code === 'dump' || error.code === 'difference'
}
