/** The verify flow of a whole history: each tree is proved once. */

import { lfsPointer } from './assets/lfs.ts'
import { type ErrorCode, RowbackError } from './errors.ts'
import { openStore } from './git/open-store.ts'
import type { Signers } from './git/signature.ts'
import type { Store } from './git/store.ts'
import { blobOid } from './git/tree.ts'
import type { LfsFindings } from './lfs-contents.ts'
import { type OnProgress, Phases } from './progress.ts'
import { assetClaim, Proofs } from './proofs.ts'
import { withReplayProcess } from './replay-process.ts'
import type { Healed } from './sound.ts'
import { isFailedProof, prove, type VerifyOptions, type VerifyResult } from './verify.ts'

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
 * a commit that does not restore, or lacks a signature that is demanded: those are in the result. Throws where the history
 * itself cannot be read, and where objects that no such commit needs are damaged.
 */
export async function verifyAll(options: VerifyAllOptions): Promise<VerifyAllResult> {
  const { repository, rev = 'latest', extensions, remotes, signers, onProgress } = options
  const { healRepository } = await import('./sound.ts')
  const sound = await healRepository(options).catch((error: unknown) => {
    if (isDamage(error)) return error
    throw error
  })
  const [damage, healed] = sound instanceof RowbackError ? [sound] : [undefined, sound]
  const store = await openStore(repository, options)
  try {
    const phases = new Phases(onProgress)
    phases.begin('read')
    const { tip, commits } = await walkFrom(store, rev).catch((error: unknown) => {
      // It is why, and names all of it.
      throw damage ?? error
    })
    const lfs = await readLfs(store, tip, options)
    // What was proved before may be what is damaged now.
    const proofs = await Proofs.read(store, { trusted: !damage && !(lfs instanceof RowbackError) })
    phases.begin('verify')
    const outcomes = new Map<string, VerifyResult | RowbackError>()
    await withReplayProcess(async (process) => {
      for (const [index, { oid, tree }] of commits.entries()) {
        if (outcomes.has(tree)) continue
        const commit = { number: index + 1, of: commits.length }
        const report: OnProgress = (progress) => onProgress?.({ ...progress, commit })
        const asked = { extensions, remotes, process, onProgress: report }
        outcomes.set(tree, await outcomeOf(prove(store, oid, proofs, asked)))
      }
    })
    const unsigned = await signatureProblems(store, commits, signers)
    phases.end()
    const result = {
      ...tally(commits, outcomes, unsigned),
      ...(healed && { healed }),
      ...(lfs instanceof RowbackError ? {} : lfs),
      timesMs: phases.timesMs,
    }
    const unexplained = damage ?? (lfs instanceof RowbackError ? lfs : undefined)
    if (unexplained && result.failures.length === 0) throw unexplained
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
  const { checkLfsContents } = await import('./lfs-contents.ts')
  try {
    const files = await lfsFilesSince(store, tip)
    if (files.length === 0) return {}
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

async function walkFrom(store: Store, rev: string): Promise<{ tip: string; commits: WalkedCommit[] }> {
  const tip = await store.resolve(rev)
  const commits: WalkedCommit[] = []
  for await (const { oid, tree } of store.log(tip)) commits.push({ oid, tree })
  return { tip, commits }
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
