/** The push flow: what is not pushed yet is verified and sent. */

import { errorText, RowbackError } from './errors.ts'
import type { EngineChoice } from './git/engine.ts'
import type { LfsFile } from './git/lfs-history.ts'
import { openStore } from './git/open-store.ts'
import { defaultPartBytes, type PushBounds, pushBranch, type RemoteState, remoteState } from './git/remote.ts'
import { existingPath, pushTargets, type SettledRemote } from './git/remote-address.ts'
import { isOfOneRemote } from './git/remote-git.ts'
import { checkRemoteUrl, isGitHub, isServer, type Remote, redactUrl } from './git/remote-url.ts'
import type { Retries } from './git/retry.ts'
import type { Store } from './git/store.ts'
import { hasOwnHook } from './hook.ts'
import { type OnProgress, Phases } from './progress.ts'
import type { HealedContents, SendContents } from './push-contents.ts'
import { lastRemotes, setLastRemotes } from './repository.ts'
import { verifyUnproved } from './verify-unproved.ts'

export interface PushOptions extends Retries {
  repository: string
  branch?: string | undefined
  /** What reads and writes the repository; the git binary without it, where there is a usable one. */
  engine?: EngineChoice | undefined
  /** Where to push, one after another; to the remotes of the last push without any. */
  remotes?: readonly Remote[] | undefined
  /** Remotes that a partial clone may be one of: it fetches what it lacks with the password variable of that one. */
  knownRemotes?: readonly Remote[] | undefined
  /** Absolute paths of SQLite extensions that the databases need to be verified. */
  extensions?: readonly string[] | undefined
  /** What is larger is sent in parts of at most this size, which the remote has no trace of afterwards; 1 GiB without it. */
  partBytes?: number | undefined
  /**
   * Whether the remote is asked for every content in Git LFS of the branch, and sent those that it has lost, or that are damaged
   * there if it is a directory; else for new ones.
   */
  contents?: boolean | undefined
  /** Only says what would be pushed, and what a host may refuse of it; nothing is verified or sent. */
  dryRun?: boolean | undefined
  onProgress?: OnProgress | undefined
}

/** What a push to one remote did. */
export interface PushResult {
  remote: string
  /** How many commits the remote did not have. */
  commits: number
  /** How many of them were verified for this push. */
  verified: number
  /** In how many parts they went. */
  parts: number
  /** How many contents in Git LFS the commits, or with `contents` the branch, need: those that the remote did not have were sent. */
  lfs: number
  /** What of them was damaged; undefined where nothing was. */
  healed?: HealedContents | undefined
  /** What is over the limits that hosts have; looked up before the first push to a server, and by a dry run. */
  warnings: string[]
  /** What a dry run found to be sent at most. */
  bytes?: number | undefined
  timesMs: Record<string, number>
}

/**
 * Pushes the branch to each remote. Throws an error where one of them does not have it afterwards, `remote` where that has more
 * than one reason; its `result.pushes` are those that do.
 */
export async function push(options: PushOptions): Promise<PushResult[]> {
  const store = await openStore(options.repository, options)
  try {
    return await pushStore(store, options.remotes ?? [], options)
  } finally {
    await store.close()
  }
}

/** How often a fault of the network is tried again where nobody says. */
const defaultRetries = 4

type StorePushOptions = Pick<
  PushOptions,
  'extensions' | 'partBytes' | 'contents' | 'dryRun' | 'onProgress' | keyof Retries
>

/** `push` for an open repository. */
export async function pushStore(
  store: Store,
  remotes: readonly Remote[],
  options: StorePushOptions = {},
): Promise<PushResult[]> {
  const last = await lastRemotes(store)
  const wanted = remotes.length > 0 ? remotes : last.map((url) => ({ url }))
  for (const { url } of wanted) checkRemoteUrl(url)
  if (wanted.length === 0) {
    throw new RowbackError('usage', `push ${store.dir}: no remote is known`, {
      hint: 'rowback push --remote URL',
    })
  }
  const pushes: PushResult[] = []
  const failures: RowbackError[] = []
  const ofOneRemote = (error: unknown) => {
    if (!isOfOneRemote(error)) throw error
    failures.push(error)
  }
  /** What they are remembered by, and those of them that work. */
  const [names, working] = [new Set<string>(), new Set(last)]
  for (const remote of wanted) {
    const targets = await pushTargets(store, remote).catch((error: unknown) => {
      for (const name of [remote.url, existingPath(remote.url)]) if (working.has(name)) names.add(name)
      return ofOneRemote(error)
    })
    for (const target of targets ?? []) {
      names.add(target.name)
      const done = await pushTo(store, target, options).catch(ofOneRemote)
      if (done === undefined) continue
      working.add(target.name)
      pushes.push(done)
    }
  }
  const worked = [...names].filter((name) => working.has(name))
  if (!options.dryRun) await rememberRemotes(store, worked, last)
  if (failures.length > 0) throw joined(failures, failures.length + pushes.length, pushes)
  return pushes
}

/** Those that have worked, now or before: an address that was misspelt is not kept. */
async function rememberRemotes(
  store: Store,
  worked: readonly string[],
  last: readonly string[],
): Promise<void> {
  if (worked.length === 0 || worked.join('\n') === last.join('\n')) return
  await setLastRemotes(store, worked).catch((error: unknown) => {
    const told = `push to ${worked.map(redactUrl).join(', ')}: it has arrived, but the next one will not know where to`
    throw new RowbackError('repository', `${told}: ${errorText(error)}`, { cause: error })
  })
}

/** One error for the remotes that failed, of their own code where it is the same. */
function joined(failures: readonly RowbackError[], of: number, pushes: readonly PushResult[]): RowbackError {
  const [first] = failures as [RowbackError]
  const told = failures.map(({ message }) => message).join('\n  ')
  const message = failures.length === 1 ? told : `push to ${of} remotes: ${failures.length} failed\n  ${told}`
  const { hint } = first
  const code = failures.every((failure) => failure.code === first.code) ? first.code : 'remote'
  return new RowbackError(code, message, { hint, cause: first, result: { ...first.result, pushes } })
}

async function pushTo(store: Store, remote: SettledRemote, options: StorePushOptions): Promise<PushResult> {
  const { url, address, passwordVariable } = remote
  const phases = new Phases(options.onProgress)
  const { retries = defaultRetries, retryDelayMs, partBytes } = options
  const access = { address, passwordVariable, retries, retryDelayMs }
  phases.begin('remote')
  const known = await readState(store, remote, access)
  // The branch may move meanwhile: what is proved, and whose contents are sent, is what is pushed.
  const tip = await tipOf(store)
  await refuseForeign(store, remote, tip, known.tip)
  const commits = await commitsSince(store, tip, known.tip)
  const fresh = await newContents(store, commits, known.tip)
  const contents = options.contents ? await allContents(store, tip) : fresh
  const result = {
    remote: redactUrl(url),
    commits: commits.length,
    verified: 0,
    parts: 0,
    lfs: contents.length,
  }
  const isFirst = known.tip === undefined && isServer(address)
  const size = options.dryRun || isFirst ? await checkLimits(store, remote, tip, options) : undefined
  const warnings = size?.warnings ?? []
  if (options.dryRun) return { ...result, warnings, bytes: size?.bytes, timesMs: phases.timesMs }
  const own = await hasOwnHook(store.gitDir)
  phases.begin('verify')
  const verified = own ? await verifyUnproved(store, url, commits, options) : 0
  phases.begin('push')
  // Parts that are left were those of a push that was interrupted just before its end.
  const isDone = commits.length === 0 && known.parts.length === 0
  const checked = options.contents === true ? { fresh } : undefined
  const healed = await sendAhead(store, remote, contents, { ...access, checked })
  const bounds: PushBounds = { ...access, verifyHook: !own, partBytes, tip, known }
  const parts = isDone
    ? 0
    : await pushBranch(store, url, store.branch, bounds).catch(async (error: unknown) => {
        const { damageBehind } = await import('./sound.ts')
        const remedy = `and nothing was pushed to ${redactUrl(url)}`
        throw (await damageBehind(store, error, remedy)) ?? withWarnings(error, warnings)
      })
  phases.end()
  return { ...result, verified, parts, healed, warnings, timesMs: phases.timesMs }
}

/** What is over the limits of hosts. Throws where the host is known to refuse it, after hours of sending. */
async function checkLimits(
  store: Store,
  { url, address }: SettledRemote,
  tip: string,
  { partBytes = defaultPartBytes, dryRun }: StorePushOptions,
): Promise<{ bytes: number; warnings: string[] }> {
  const { overLimitText, pushSize } = await import('./git/host-limits.ts')
  const { bytes, over } = await pushSize(store, tip, partBytes).catch((error) => {
    throw new RowbackError('repository', `read ${store.dir}: ${errorText(error)}`, {
      hint: 'rowback verify',
      cause: error,
    })
  })
  const refused = over.find(({ kind }) => kind === 'file')
  if (refused && isGitHub(address) && !dryRun) {
    const message = `push to ${redactUrl(url)}: ${overLimitText(refused)}; nothing was pushed, the commit is safe in ${store.dir}`
    throw new RowbackError('remote', message, {
      hint: 'rowback push --dry-run lists all; from the first commit on, send such files to Git LFS by "rules" or leave them out by "exclude"; or push elsewhere',
    })
  }
  return { bytes, warnings: over.map(overLimitText) }
}

/** The contents in Git LFS of the commits that the remote does not have. */
async function newContents(
  store: Store,
  commits: readonly string[],
  known: string | undefined,
): Promise<LfsFile[]> {
  const tip = commits.at(-1)
  if (tip === undefined) return []
  const { lfsFilesSince } = await import('./git/lfs-history.ts')
  return lfsFilesSince(store, tip, known)
}

/** The contents in Git LFS of the whole branch. */
async function allContents(store: Store, tip: string): Promise<LfsFile[]> {
  const { lfsFilesSince } = await import('./git/lfs-history.ts')
  return lfsFilesSince(store, tip)
}

/** Sends them ahead of the commits; returns what was damaged or lost. */
async function sendAhead(
  store: Store,
  remote: SettledRemote,
  contents: readonly LfsFile[],
  access: SendContents,
): Promise<HealedContents | undefined> {
  if (contents.length === 0) return undefined
  const { sendContents } = await import('./push-contents.ts')
  const healed = await sendContents(store, remote, contents, access)
  return Object.values(healed).every((paths) => paths.length === 0) ? undefined : healed
}

/** They may be why it failed. */
function withWarnings(error: unknown, warnings: readonly string[]): unknown {
  if (warnings.length === 0 || !(error instanceof RowbackError && error.code === 'remote')) return error
  const { message, hint, result } = error
  const told = [message, ...warnings].join('; ')
  return new RowbackError('remote', told, { hint, cause: error, result: { ...result, warnings } })
}

async function readState(
  store: Store,
  { url }: Remote,
  access: Parameters<typeof remoteState>[3],
): Promise<RemoteState> {
  try {
    return await remoteState(store, url, store.branch, access)
  } catch (error) {
    if (!(error instanceof RowbackError) || error.code !== 'remote') throw error
    const { message, hint } = error
    throw new RowbackError('remote', `${message}; the commit is safe in ${store.dir}`, { hint, cause: error })
  }
}

/** Throws where the remote has commits that the branch does not lead back to, and says what they are. */
async function refuseForeign(
  store: Store,
  remote: SettledRemote,
  ours: string,
  theirs: string | undefined,
): Promise<void> {
  if (theirs === undefined || theirs === ours) return
  const { foreignCause, foreignCommits, foreignHint } = await import('./git/foreign-commits.ts')
  const foreign = await foreignCommits(store, remote, store.branch, { ours, theirs })
  if (foreign === undefined) return
  const message = `push to ${redactUrl(remote.url)}: ${foreignCause(foreign)}`
  throw new RowbackError('remote', `${message}; nothing was pushed, the commit is safe in ${store.dir}`, {
    hint: foreignHint(remote.address),
    result: { foreign: foreign.commits },
  })
}

async function tipOf(store: Store): Promise<string> {
  const tip = await store.tip()
  if (tip !== undefined) return tip
  throw new RowbackError('repository', `push ${store.dir}: it has no commit yet`, {
    hint: 'rowback backup SOURCE --repo DIR',
  })
}

/** The commits that `tip` reaches and `known` does not, oldest first. */
async function commitsSince(store: Store, tip: string, known: string | undefined): Promise<string[]> {
  const commits: string[] = []
  for await (const { oid } of store.log(tip, { known })) commits.push(oid)
  return commits.reverse()
}
