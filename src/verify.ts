/** The verify flow of one commit. Equal tree ids are the proof; see `prove.ts`. */

import type { Agreement, AssetColumn } from './agreement.ts'
import { readCommitTree } from './commit-tree.ts'
import { demandSignature } from './demand-signature.ts'
import { RowbackError } from './errors.ts'
import type { EngineChoice } from './git/engine.ts'
import { openStore } from './git/open-store.ts'
import type { Remote } from './git/remote-url.ts'
import type { Signature, Signers } from './git/signature.ts'
import type { Store } from './git/store.ts'
import { type OnProgress, Phases } from './progress.ts'
import { Proofs, treeClaim } from './proofs.ts'
import { type Proof, proveCommit } from './prove.ts'
import type { ReplayProcess } from './replay-process.ts'
import type { Healed } from './sound.ts'
import { withTemporaryFolder } from './temporary-folder.ts'

export interface VerifyOptions {
  repository: string
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** Asked for damaged objects, and for contents of Git LFS, before those of the last push. */
  remotes?: readonly Remote[] | undefined
  rev: string
  /** Whether every object is read as well; it is where nothing that was proved is left alone, or a signature is demanded. */
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
  options: VerifyOptions & Pick<ProofOptions, 'process'>,
): Promise<VerifyResult & { agreement: Agreement | undefined }> {
  // What was proved before may have been replaced by what nobody has signed.
  const { objects = !options.unlessProved || options.signers !== undefined } = options
  if (!objects) return verifyRevision(options)
  const { besideSoundCheck } = await import('./sound.ts')
  const { value, healed } = await besideSoundCheck(options, () => verifyRevision(options))
  return healed ? { ...value, healed } : value
}

async function verifyRevision(
  options: VerifyOptions & Pick<ProofOptions, 'process'>,
): Promise<VerifyResult & { agreement: Agreement | undefined }> {
  const { repository, rev, assetColumns = [] } = options
  const store = await openStore(repository, options)
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
  /** Kept for the proofs of other commits. */
  process?: ReplayProcess | undefined
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

/** Proves one commit of an open repository, unless its tree is among the proofs. */
export async function prove(
  store: Store,
  oid: string,
  proofs: Proofs,
  { extensions = [], remotes, onProgress, scratch, process }: ProofOptions,
): Promise<VerifyResult> {
  const phases = new Phases(onProgress)
  phases.begin('read')
  const { tree } = await store.readCommit(oid)
  const isKnown = proofs.has(treeClaim(tree))
  const proof = isKnown
    ? nothing
    : await withScratch(scratch, async (folder) =>
        proveCommit(store, await readCommitTree(store, oid), {
          ...{ proofs, scratch: folder, extensions, remotes, process, phases },
        }),
      )
  phases.end()
  return { commit: oid, tree, proved: isKnown ? 'before' : 'now', ...proof, timesMs: phases.timesMs }
}

/** Runs `use` with the folder, or with one in the system's temporary folder that is removed afterwards. */
function withScratch<T>(folder: string | undefined, use: (folder: string) => Promise<T>): Promise<T> {
  return folder === undefined ? withTemporaryFolder('verify', use) : use(folder)
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
