/** The verify flows: one commit, or every commit of a history. Equal tree ids are the proof; see `prove.ts`. */

import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agreement, AssetColumn } from './agreement.ts'
import { lfsPointer } from './assets/lfs.ts'
import { readCommitTree } from './commit-tree.ts'
import { demandSignature } from './demand-signature.ts'
import { type ErrorCode, errorText, RowbackError } from './errors.ts'
import type { EngineChoice } from './git/engine.ts'
import { openStore } from './git/open-store.ts'
import type { Remote } from './git/remote-url.ts'
import type { Signature, Signers } from './git/signature.ts'
import type { Store } from './git/store.ts'
import { blobOid } from './git/tree.ts'
import { onInterrupt } from './interrupt.ts'
import type { LfsFindings } from './lfs-contents.ts'
import { type OnProgress, Phases } from './progress.ts'
import { assetClaim, Proofs, treeClaim } from './proofs.ts'
import { type Proof, proveCommit } from './prove.ts'
import type { Healed } from './sound.ts'

export interface VerifyOptions {
  repository: string
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** Asked for damaged objects, and for contents of Git LFS, before those of the last push. */
  remotes?: readonly Remote[] | undefined
  rev: string
  /** Whether every object of the repository is read as well; it is, where nothing that was proved before is left alone. */
  objects?: boolean | undefined
  /** Whether what was proved before, of the tree or of its parts, is left alone. */
  unlessProved?: boolean | undefined
  /** Absolute paths of SQLite extensions that the databases need; never those of somebody else. */
  extensions?: readonly string[] | undefined
  /** Whose signature the commit must have; it needs none without it. */
  signers?: Signers | undefined
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
  /** Who signed the commit; undefined where no signature was demanded. */
  signature?: Signature
  /** Objects that were damaged or missing, and came back from a remote. */
  healed?: Healed
  timesMs: Record<string, number>
}

/**
 * Proves that a commit restores to what it was made from. Throws a `difference` error where it does not, and where it lacks
 * the signature that is demanded. Unless told to leave out what was proved, it reads every object of the repository as
 * well; what is damaged it heals from the remote, and proves again. Rows and assets that disagree are in the result: they
 * did so in the source.
 */
export async function verify(
  options: VerifyOptions,
): Promise<VerifyResult & { agreement: Agreement | undefined }> {
  const { objects = !options.unlessProved } = options
  if (!objects) return verifyRevision(options)
  const { besideSoundCheck } = await import('./sound.ts')
  const { value, healed } = await besideSoundCheck(options, () => verifyRevision(options))
  return healed ? { ...value, healed } : value
}

async function verifyRevision(
  options: VerifyOptions,
): Promise<VerifyResult & { agreement: Agreement | undefined }> {
  const { repository, branch, engine, rev, assetColumns = [] } = options
  const store = await openStore(repository, { branch, engine })
  try {
    const oid = await store.resolve(rev)
    const signature = await demandSignature(store, oid, options.signers, `verify ${rev}:`)
    const result = { ...(await verifyCommit(store, oid, options)), ...signature }
    if (assetColumns.length === 0) return { ...result, agreement: undefined }
    const { readAgreement } = await import('./agreement.ts')
    return { ...result, agreement: await readAgreement(store, oid, assetColumns) }
  } finally {
    await store.close()
  }
}

interface ProofOptions extends Pick<VerifyOptions, 'extensions' | 'remotes' | 'onProgress'> {
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
  { extensions = [], remotes, onProgress, scratch }: ProofOptions,
): Promise<VerifyResult> {
  const phases = new Phases(onProgress)
  phases.begin('read')
  const { tree } = await store.readCommit(oid)
  const isKnown = proofs.has(treeClaim(tree))
  const proof = isKnown
    ? nothing
    : await withScratch(scratch, async (folder) =>
        proveCommit(store, await readCommitTree(store, oid), {
          ...{ proofs, scratch: folder, extensions, remotes, phases },
        }),
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
  extends Pick<
    VerifyOptions,
    'repository' | 'branch' | 'engine' | 'remotes' | 'extensions' | 'signers' | 'onProgress'
  > {
  /** Where the walk begins; the branch's tip without it. */
  rev?: string | undefined
}

/** A commit that does not restore, or lacks a signature that is demanded, and why. */
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
  /** What of Git LFS was missing or damaged, and came from a remote. */
  lfs?: LfsFindings
  timesMs: Record<string, number>
}

/**
 * Proves every commit that `rev` reaches, newest first, each tree once; what was proved before counts. Goes on after
 * a commit that does not restore, or lacks a signature that is demanded: those are in the result. Throws where the history itself cannot be read, and where
 * objects that no such commit needs are damaged.
 */
export async function verifyAll(options: VerifyAllOptions): Promise<VerifyAllResult> {
  const { repository, branch, engine, rev = 'latest', extensions, remotes, signers, onProgress } = options
  const { healRepository } = await import('./sound.ts')
  const sound = await healRepository(options).catch((error: unknown) => {
    if (isDamage(error)) return error
    throw error
  })
  const [damage, healed] = sound instanceof RowbackError ? [sound] : [undefined, sound]
  const store = await openStore(repository, { branch, engine })
  try {
    const phases = new Phases(onProgress)
    phases.begin('read')
    const tip = await store.resolve(rev)
    const commits = await commitsFrom(store, tip)
    const lfs = await readLfs(store, tip, options)
    // What was proved before may be what is damaged now.
    const proofs = await Proofs.read(store, { trusted: !damage && !(lfs instanceof RowbackError) })
    phases.begin('verify')
    const outcomes = new Map<string, VerifyResult | RowbackError>()
    for (const [index, { oid, tree }] of commits.entries()) {
      if (outcomes.has(tree)) continue
      const commit = { number: index + 1, of: commits.length }
      const report: OnProgress = (progress) => onProgress?.({ ...progress, commit })
      const asked = { extensions, remotes, onProgress: report }
      outcomes.set(tree, await outcomeOf(prove(store, oid, proofs, asked)))
    }
    const unsigned = await signatureProblems(store, commits, signers)
    phases.end()
    const result = {
      ...tally(commits, outcomes, unsigned),
      ...(healed && { healed }),
      ...(lfs instanceof RowbackError ? {} : lfs),
      timesMs: phases.timesMs,
    }
    if (damage && result.failures.length === 0) throw damage
    return result
  } finally {
    await store.close()
  }
}

/** Reads every content of the history in Git LFS, as git reads every object; an error where some cannot be had. */
async function readLfs(
  store: Store,
  tip: string,
  { remotes }: Pick<VerifyOptions, 'remotes'>,
): Promise<{ lfs?: LfsFindings } | RowbackError> {
  const { lfsFilesSince } = await import('./git/lfs-history.ts')
  const files = await lfsFilesSince(store, tip)
  if (files.length === 0) return {}
  const { checkLfsContents } = await import('./lfs-contents.ts')
  try {
    const lfs = await checkLfsContents(store, files, { what: 'verify --all', remotes })
    const proofs = await Proofs.read(store, { trusted: true })
    await proofs.note(...files.map((file) => assetClaim(blobOid(lfsPointer(file)), file)))
    return lfs.fetched.length + lfs.healed.length === 0 ? {} : { lfs }
  } catch (error) {
    if (isDamage(error)) return error
    throw error
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

/** What is wrong with the signatures of commits that lack one that is demanded. */
async function signatureProblems(
  store: Store,
  commits: readonly WalkedCommit[],
  signers: Signers | undefined,
): Promise<Map<string, string>> {
  if (signers === undefined) return new Map()
  const { readSignatures } = await import('./git/signature.ts')
  const found = await readSignatures(
    store,
    commits.map(({ oid }) => oid),
    signers,
  )
  return new Map(
    [...found].flatMap(([oid, problem]) => (typeof problem === 'string' ? [[oid, problem]] : [])),
  )
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
  unsigned: ReadonlyMap<string, string>,
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
    if (outcome instanceof RowbackError)
      return [{ commit: oid, code: outcome.code, finding: outcome.message }]
    const problem = unsigned.get(oid)
    return problem === undefined
      ? []
      : [{ commit: oid, code: 'difference' as const, finding: `it ${problem}` }]
  })
  return { commits: commits.length, ...counts, failures }
}
