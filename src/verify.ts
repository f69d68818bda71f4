/** The verify flows: one commit, or every commit of a history. Equal tree ids are the proof; see `prove.ts`. */

import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agreement, AssetColumn } from './agreement.ts'
import { readCommitTree } from './commit-tree.ts'
import { type ErrorCode, errorText, RowbackError } from './errors.ts'
import type { EngineChoice } from './git/engine.ts'
import { openStore } from './git/open-store.ts'
import type { Remote } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { onInterrupt } from './interrupt.ts'
import { type OnProgress, Phases } from './progress.ts'
import { Proofs, treeClaim } from './proofs.ts'
import { type Proof, proveCommit } from './prove.ts'
import type { Healed } from './sound.ts'

export interface VerifyOptions {
  repository: string
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** Asked for damaged objects before those of the last push. */
  remotes?: readonly Remote[] | undefined
  rev: string
  /** Whether every object of the repository is read first; it is, where nothing that was proved before is left alone. */
  objects?: boolean | undefined
  /** Whether what was proved before, of the tree or of its parts, is left alone. */
  unlessProved?: boolean | undefined
  /** Absolute paths of SQLite extensions that the databases need; never those of somebody else. */
  extensions?: readonly string[] | undefined
  /** Columns that hold paths of assets: they are compared with the assets of the commit. */
  assetColumns?: readonly AssetColumn[] | undefined
  onProgress?: OnProgress | undefined
}

/** The counts are 0 for a tree that was proved before. */
export interface VerifyResult extends Proof {
  commit: string
  tree: string
  /** Whether the tree was proved by an earlier run. */
  proved: 'now' | 'before'
  /** Objects that were damaged or missing, and came back from a remote. */
  healed?: Healed
  timesMs: Record<string, number>
}

/**
 * Proves that a commit restores to what it was made from. Throws a `difference` error where it does not. Unless told to leave
 * out what was proved, it reads every object of the repository first, and heals what is damaged from the remote. Rows and
 * assets that disagree are in the result: they did so in the source.
 */
export async function verify(
  options: VerifyOptions,
): Promise<VerifyResult & { agreement: Agreement | undefined }> {
  const { repository, branch, engine, rev, assetColumns = [] } = options
  const { objects = !options.unlessProved } = options
  const healed = objects ? await healObjects(options) : undefined
  const store = await openStore(repository, { branch, engine })
  try {
    const oid = await store.resolve(rev)
    const result = { ...(await verifyCommit(store, oid, options)), ...healed }
    if (assetColumns.length === 0) return { ...result, agreement: undefined }
    const { readAgreement } = await import('./agreement.ts')
    return { ...result, agreement: await readAgreement(store, oid, assetColumns) }
  } finally {
    await store.close()
  }
}

/** Reads every object before any is relied on. Throws a `repository` error for what is damaged and cannot be brought back. */
async function healObjects(
  options: Pick<VerifyOptions, 'repository' | 'branch' | 'engine' | 'remotes'>,
): Promise<{ healed: Healed } | undefined> {
  const { healRepository } = await import('./sound.ts')
  const healed = await healRepository(options)
  return healed && { healed }
}

interface ProofOptions extends Pick<VerifyOptions, 'extensions' | 'onProgress'> {
  /** A private folder for what is replayed; one in the system's temporary folder without it. */
  scratch?: string | undefined
}

/** `verify` for an open repository and a full commit id. */
export async function verifyCommit(
  store: Store,
  oid: string,
  options: ProofOptions & Pick<VerifyOptions, 'unlessProved'> = {},
): Promise<VerifyResult> {
  const { unlessProved: trusted = false } = options
  try {
    return await prove(store, oid, await Proofs.read(store, { trusted }), options)
  } catch (error) {
    if (!isFailedProof(error)) throw error
    const hint = error.hint ?? 'rowback verify --all'
    throw new RowbackError(error.code, `verify ${oid.slice(0, 12)}: ${error.message}`, { hint, cause: error })
  }
}

/** Whether an error says that a commit does not restore, in contrast to one of the machine or the repository. */
export function isFailedProof(error: unknown): error is RowbackError {
  return error instanceof RowbackError && (error.code === 'difference' || error.code === 'dump')
}

async function prove(
  store: Store,
  oid: string,
  proofs: Proofs,
  { extensions = [], onProgress, scratch }: ProofOptions,
): Promise<VerifyResult> {
  const phases = new Phases(onProgress)
  phases.begin('read')
  const { tree } = await store.readCommit(oid)
  const isKnown = proofs.has(treeClaim(tree))
  const proof = isKnown
    ? nothing
    : await withScratch(scratch, async (folder) =>
        proveCommit(store, await readCommitTree(store, oid), { proofs, scratch: folder, extensions, phases }),
      )
  phases.end()
  return { commit: oid, tree, proved: isKnown ? 'before' : 'now', ...proof, timesMs: phases.timesMs }
}

/** Runs `use` with the folder, or with one in the system's temporary folder that is removed afterwards. */
async function withScratch<T>(folder: string | undefined, use: (folder: string) => Promise<T>): Promise<T> {
  if (folder !== undefined) return use(folder)
  const scratch = await mkdtemp(join(tmpdir(), 'rowback-verify-')).catch((error: unknown) => {
    const hint = 'TMPDIR=DIR rowback verify'
    throw new RowbackError('target', `verify in ${tmpdir()}: ${errorText(error)}`, { hint, cause: error })
  })
  const forget = onInterrupt(() => rmSync(scratch, { recursive: true, force: true }))
  try {
    return await use(scratch)
  } finally {
    forget()
    await rm(scratch, { recursive: true, force: true })
  }
}

const nothing: Proof = {
  databases: 0,
  replayed: 0,
  rows: 0,
  files: 0,
  unreadable: 0,
  unstable: 0,
  hashed: 0,
  bytes: 0,
  foreignKeyViolations: 0,
}

export interface VerifyAllOptions
  extends Pick<VerifyOptions, 'repository' | 'branch' | 'engine' | 'remotes' | 'extensions' | 'onProgress'> {
  /** Where the walk begins; the branch's tip without it. */
  rev?: string | undefined
}

/** A commit that does not restore, and why. */
export interface VerifyFailure {
  commit: string
  code: ErrorCode
  finding: string
}

export interface VerifyAllResult {
  /** How many commits were walked. */
  commits: number
  /** Trees that this run proved, and those that earlier runs had; commits may share a tree. */
  proved: number
  known: number
  /** Databases that had to be replayed for it, and assets that had to be hashed. */
  replayed: number
  hashed: number
  /** Commits that do not restore, newest first. */
  failures: VerifyFailure[]
  /** Objects that were damaged or missing, and came back from a remote. */
  healed?: Healed
  timesMs: Record<string, number>
}

/**
 * Proves every commit that `rev` reaches, newest first, each tree once; what was proved before counts. Goes on after
 * a commit that does not restore: those are in the result. Throws where the history itself cannot be read, and where
 * objects that no such commit needs are damaged.
 */
export async function verifyAll(options: VerifyAllOptions): Promise<VerifyAllResult> {
  const { repository, branch, engine, rev = 'latest', extensions, onProgress } = options
  const damage = await healObjects(options).catch((error: unknown) => {
    if (isDamage(error)) return error
    throw error
  })
  const healed = damage instanceof RowbackError ? undefined : damage
  const store = await openStore(repository, { branch, engine })
  try {
    const phases = new Phases(onProgress)
    phases.begin('read')
    const commits = await commitsFrom(store, await store.resolve(rev))
    // What was proved before may be what is damaged now.
    const proofs = await Proofs.read(store, { trusted: !(damage instanceof RowbackError) })
    phases.begin('verify')
    const outcomes = new Map<string, VerifyResult | RowbackError>()
    for (const [index, { oid, tree }] of commits.entries()) {
      if (outcomes.has(tree)) continue
      const commit = { number: index + 1, of: commits.length }
      const report: OnProgress = (progress) => onProgress?.({ ...progress, commit })
      outcomes.set(tree, await outcomeOf(prove(store, oid, proofs, { extensions, onProgress: report })))
    }
    phases.end()
    const result = { ...tally(commits, outcomes), ...healed, timesMs: phases.timesMs }
    if (damage instanceof RowbackError && result.failures.length === 0) throw damage
    return result
  } finally {
    await store.close()
  }
}

function isDamage(error: unknown): error is RowbackError {
  return error instanceof RowbackError && error.code === 'repository'
}

interface WalkedCommit {
  oid: string
  tree: string
}

async function commitsFrom(store: Store, oid: string): Promise<WalkedCommit[]> {
  const commits: WalkedCommit[] = []
  for await (const commit of store.log(oid)) commits.push({ oid: commit.oid, tree: commit.tree })
  return commits
}

/** The proof or what speaks against it; what has nothing to do with the commit is thrown. */
async function outcomeOf(proof: Promise<VerifyResult>): Promise<VerifyResult | RowbackError> {
  try {
    return await proof
  } catch (error) {
    if (isFailedProof(error) || isDamage(error)) return error
    throw error
  }
}

function tally(
  commits: readonly WalkedCommit[],
  outcomes: ReadonlyMap<string, VerifyResult | RowbackError>,
): Omit<VerifyAllResult, 'timesMs'> {
  const counts = { proved: 0, known: 0, replayed: 0, hashed: 0 }
  for (const outcome of outcomes.values()) {
    if (outcome instanceof RowbackError) continue
    counts[outcome.proved === 'now' ? 'proved' : 'known'] += 1
    counts.replayed += outcome.replayed
    counts.hashed += outcome.hashed
  }
  const failures = commits.flatMap(({ oid, tree }) => {
    const outcome = outcomes.get(tree)
    if (!(outcome instanceof RowbackError)) return []
    return [{ commit: oid, code: outcome.code, finding: outcome.message }]
  })
  return { commits: commits.length, ...counts, failures }
}
