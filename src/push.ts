/** The push flow: what is not pushed yet is verified and sent. */

import { RowbackError } from './errors.ts'
import { openStore } from './git/open-store.ts'
import { pushBranch, type RemoteState, remoteState } from './git/remote.ts'
import { redactUrl } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { hasOwnHook } from './hook.ts'
import { type OnProgress, Phases } from './progress.ts'
import { isFailedProof, verifyCommit } from './verify.ts'

export interface PushOptions {
  repository: string
  branch?: string | undefined
  /** A path or address that git understands; the one of the last push without it. */
  remote?: string | undefined
  /** Absolute paths of SQLite extensions that the databases need to be verified. */
  extensions?: readonly string[] | undefined
  /** What is larger is sent in parts of at most this size, which the remote has no trace of afterwards; 1 GiB without it. */
  partBytes?: number | undefined
  onProgress?: OnProgress | undefined
}

export interface PushResult {
  remote: string
  /** How many commits the remote did not have. */
  commits: number
  /** How many of them were verified for this push. */
  verified: number
  /** In how many parts they went. */
  parts: number
  timesMs: Record<string, number>
}

/** Pushes the branch. Throws a `remote` error where the remote does not have it afterwards. */
export async function push(options: PushOptions): Promise<PushResult> {
  const store = await openStore(options.repository, { branch: options.branch })
  try {
    return await pushStore(store, options.remote, options)
  } finally {
    await store.close()
  }
}

const remoteKey = 'rowback.remote'

/** `push` for an open repository. */
export async function pushStore(
  store: Store,
  remote: string | undefined,
  options: Pick<PushOptions, 'extensions' | 'partBytes' | 'onProgress'> = {},
): Promise<PushResult> {
  const phases = new Phases(options.onProgress)
  const url = remote ?? (await store.config(remoteKey))
  if (url === undefined) {
    throw new RowbackError('usage', `push ${store.dir}: no remote is known`, {
      hint: 'rowback push --remote URL',
    })
  }
  phases.begin('remote')
  const known = await readState(store, url)
  const commits = await commitsSince(store, known.tip)
  const own = await hasOwnHook(store.gitDir)
  phases.begin('verify')
  const verified = own ? await verifyUnproved(store, url, commits, options) : 0
  phases.begin('push')
  // Parts that are left were those of a push that was interrupted just before its end.
  const isDone = commits.length === 0 && known.parts.length === 0
  const bounds = { verifyHook: !own, partBytes: options.partBytes, known }
  const parts = isDone ? 0 : await pushBranch(store, url, store.branch, bounds)
  await store.setConfig(remoteKey, url)
  phases.end()
  return { remote: redactUrl(url), commits: commits.length, verified, parts, timesMs: phases.timesMs }
}

async function readState(store: Store, url: string): Promise<RemoteState> {
  try {
    return await remoteState(store, url, store.branch)
  } catch (error) {
    if (!(error instanceof RowbackError) || error.code !== 'remote') throw error
    const { message, hint } = error
    throw new RowbackError('remote', `${message}; the commit is safe in ${store.dir}`, { hint, cause: error })
  }
}

/** The commits that lead from `known` to the tip of the branch, oldest first; all where `known` is none of them. */
async function commitsSince(store: Store, known: string | undefined): Promise<string[]> {
  const tip = await store.tip()
  if (tip === undefined) {
    throw new RowbackError('repository', `push ${store.dir}: it has no commit yet`, {
      hint: 'rowback backup SOURCE --repo DIR',
    })
  }
  const commits: string[] = []
  for await (const { oid } of store.log(tip)) {
    if (oid === known) break
    commits.push(oid)
  }
  return commits.reverse()
}

/** Proves what was not proved yet, and returns how many that were; nothing leaves together with a commit that fails. */
async function verifyUnproved(
  store: Store,
  url: string,
  commits: string[],
  options: Pick<PushOptions, 'extensions' | 'onProgress'>,
): Promise<number> {
  let verified = 0
  for (const commit of commits) {
    try {
      const { proved } = await verifyCommit(store, commit, { ...options, unlessProved: true })
      if (proved === 'now') verified += 1
    } catch (error) {
      throw isFailedProof(error) ? heldBack(store, url, commit, error) : error
    }
  }
  return verified
}

function heldBack(store: Store, url: string, commit: string, error: RowbackError): RowbackError {
  const { code, message } = error
  const past = `git --git-dir=${JSON.stringify(store.gitDir)} push --no-verify ${redactUrl(url)} ${store.branch}`
  return new RowbackError(code, `push to ${redactUrl(url)}: ${message}; nothing was pushed`, {
    hint: `rowback verify ${commit.slice(0, 12)}, and to push all the same: ${past}`,
    cause: error,
  })
}
