/**
 * Asks remotes what they have, and pushes to them. A remote is any address that git knows; a relative path is meant
 * from the working directory.
 */

import type { SimpleGit } from 'simple-git'
import { RowbackError } from '../errors.ts'
import { durableReceive, remoteDirectory, syncReceived } from './directory-remote.ts'
import { mayExceed, newObjects, type Part, parts, presentObjects, writeBlobTree } from './push-parts.ts'
import { canHeal, PushLost, remoteError, remoteGit } from './remote-git.ts'
import { checkRemoteUrl, type Remote, redactUrl } from './remote-url.ts'
import { type Retries, withRetries } from './retry.ts'
import type { Store } from './store.ts'

/** What a remote has of a branch. */
export interface RemoteState {
  /** The commit that the branch points at; undefined if there is no such branch. */
  tip: string | undefined
  /** Trees of parts that were sent ahead of a commit, which has not arrived or was the last thing that did. */
  parts: string[]
}

/** How a remote is talked to, beyond its address. */
export interface RemoteAccess extends Retries, Pick<Remote, 'passwordVariable'> {}

/**
 * What the remote has of `branch`.
 * Throws RowbackError('remote') if the remote cannot be read, RowbackError('usage') for an address that is not used.
 */
export async function remoteState(
  store: Store,
  url: string,
  branch: string,
  access: RemoteAccess = {},
): Promise<RemoteState> {
  checkRemoteUrl(url)
  const remote = { url, passwordVariable: access.passwordVariable }
  try {
    const git = await remoteGit(store.gitDir, remote)
    return await withRetries(access, canHeal, () => readState(git, url, branch))
  } catch (error) {
    throw remoteError(`read remote ${redactUrl(url)}`, remote, error)
  }
}

export interface PushBounds extends RemoteAccess {
  /** Whether the repository's own pre-push hook runs first; hooks of the user's settings never do. */
  verifyHook: boolean
  /** What is larger is sent in parts of at most this size, as long as files allow. */
  partBytes?: number | undefined
  /** What the remote has, where that was asked just now. */
  known?: RemoteState | undefined
}

/** Half of what many hosts accept at once, since packs are not foreseen to the byte. */
export const defaultPartBytes = 2 ** 30

/**
 * Pushes the branch of the store to `branch` of the remote, never by force, asks the remote whether it is there, and
 * returns in how many parts it went at the last try. What arrived of a push that was interrupted is not sent again.
 * Throws RowbackError('remote') if the remote does not have the commit afterwards; nothing local is changed by that.
 */
export async function pushBranch(
  store: Store,
  url: string,
  branch: string,
  bounds: PushBounds,
): Promise<number> {
  checkRemoteUrl(url)
  const tip = await store.tip()
  if (!tip)
    throw new RowbackError(
      'repository',
      `push to ${redactUrl(url)}: branch ${store.branch} has no commit yet`,
    )
  const remote = { url, passwordVariable: bounds.passwordVariable }
  try {
    const git = await remoteGit(store.gitDir, remote)
    let known = bounds.known
    return await withRetries(bounds, canHeal, () => {
      const before = known
      // What a push that failed has left there is only known when it is asked for.
      known = undefined
      return pushOnce(git, store, { url, branch, tip }, { ...bounds, known: before })
    })
  } catch (error) {
    throw remoteError(`push to ${redactUrl(url)}`, remote, error, `the commit is safe in ${store.dir}`)
  }
}

interface Target {
  url: string
  branch: string
  tip: string
}

async function pushOnce(
  git: SimpleGit,
  store: Store,
  { url, branch, tip }: Target,
  { verifyHook, partBytes = defaultPartBytes, known }: PushBounds,
): Promise<number> {
  const push = (...refspecs: string[]) => git.raw(pushCommand(url, refspecs, verifyHook))
  const before = known ?? (await readState(git, url, branch))
  let count = 0
  for await (const part of partsToSend(store, tip, before, partBytes)) {
    count += 1
    if ('blobs' in part) {
      const tree = await writeBlobTree(store, part.blobs)
      await push(`${tree}:${partRef(branch, tree)}`)
    } else {
      await push(`${part.commit === tip ? `refs/heads/${store.branch}` : part.commit}:refs/heads/${branch}`)
    }
  }
  const directory = remoteDirectory(url)
  if (directory !== undefined) await syncReceived(directory, branch)
  const after = await readState(git, url, branch)
  if (after.tip !== tip)
    throw new PushLost(`git reported success, but the remote is at ${after.tip ?? 'no commit'}`)
  // A hook that judges what is sent has nothing to say here.
  const removals = after.parts.map((tree) => `:${partRef(branch, tree)}`)
  if (removals.length > 0) await git.raw(pushCommand(url, removals, false))
  return count
}

/** All at once where that is small enough, or where git will refuse it anyway. */
async function* partsToSend(
  store: Store,
  tip: string,
  remote: RemoteState,
  partBytes: number,
): AsyncGenerator<Part> {
  if (remote.tip === tip) return
  const has = [...(remote.tip === undefined ? [] : [remote.tip]), ...remote.parts]
  const known = await presentObjects(store, has)
  const isForeign = remote.tip !== undefined && !known.includes(remote.tip)
  if (isForeign || !(await mayExceed(store, partBytes))) yield { commit: tip }
  else yield* parts(newObjects(store, tip, known), partBytes)
}

/** A part is a ref to a tree: git does not send again what a tree of the remote's holds. */
function partRef(branch: string, tree: string): string {
  return `${partRefs(branch)}${tree}`
}

function partRefs(branch: string): string {
  return `refs/rowback/parts/${branch}/`
}

function pushCommand(url: string, refspecs: string[], verifyHook: boolean): string[] {
  // Each switch overrides a setting of the user that would send more than the branch, or ask for a key.
  const only = ['--no-signed', '--no-follow-tags', '--recurse-submodules=no']
  if (remoteDirectory(url) !== undefined) only.push(durableReceive)
  return ['push', '--porcelain', ...only, verifyHook ? '--verify' : '--no-verify', '--', url, ...refspecs]
}

async function readState(git: SimpleGit, url: string, branch: string): Promise<RemoteState> {
  const [ref, below] = [`refs/heads/${branch}`, partRefs(branch)]
  const listed = await git.raw(['ls-remote', '--refs', '--', url, ref, `${below}*`])
  // git matches the end of names too: refs/remotes/x/refs/heads/main is not meant.
  const lines = listed.split('\n').map((line) => line.split('\t'))
  const named = lines.filter(([oid, name]) => name === `${below}${oid}`)
  return { tip: lines.find(([, name]) => name === ref)?.[0], parts: named.map(([oid]) => oid as string) }
}
