/**
 * Asks remotes what they have, and pushes to them. A remote is any address that git knows.
 */

import { RowbackError } from '../errors.ts'
import { durableReceive, remoteDirectory, removeReceiverLocks, syncReceived } from './directory-remote.ts'
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

/** How an engine talks to a remote. Its methods throw what `remoteError` puts into words. */
export interface Connection {
  readState(branch: string): Promise<RemoteState>
  /** Pushes refspecs, of the form `from:to` or `:to` (git-push(1)), and runs the repository's own pre-push hook before. */
  push(refspecs: readonly string[], verifyHook: boolean): Promise<void>
}

/** Throws RowbackError('remote') for a remote that the engine cannot talk to. */
async function connect(store: Store, remote: Remote & Pick<RemoteAccess, 'address'>): Promise<Connection> {
  if (store.engine === 'embedded') {
    const { HttpConnection } = await import('./embedded/remote.ts')
    return new HttpConnection(store, remote)
  }
  const git = await remoteGit(store, remote)
  const isDirectory = remoteDirectory(remote.address ?? remote.url) !== undefined
  return {
    readState: async (branch) =>
      stateOf(await git.raw(['ls-remote', '--refs', '--', remote.url, ...refsOf(branch)]), branch),
    push: async (refspecs, verifyHook) => {
      await git.raw(pushCommand(remote.url, isDirectory, refspecs, verifyHook))
    },
  }
}

/** How a remote is talked to, beyond its address. */
export interface RemoteAccess extends Retries, Pick<Remote, 'passwordVariable'> {
  /** Where git is led by its address, if that is known. */
  address?: string | undefined
}

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
  checkRemoteUrl(access.address ?? url)
  const remote = { url, address: access.address, passwordVariable: access.passwordVariable }
  try {
    const connection = await connect(store, remote)
    return await withRetries(access, canHeal, () => connection.readState(branch))
  } catch (error) {
    throw remoteError(`read remote ${redactUrl(url)}`, remote, error, undefined, store.gitDir)
  }
}

export interface PushBounds extends RemoteAccess {
  /** Whether the repository's own pre-push hook runs first; hooks of the user's settings never do. */
  verifyHook: boolean
  /** What is larger is sent in parts of at most this size, as long as files allow. */
  partBytes?: number | undefined
  /** The commit; the tip of the branch without it. */
  tip?: string | undefined
  /** What the remote has, where that was asked just now. */
  known?: RemoteState | undefined
}

/** Half of what many hosts accept at once, since packs are not foreseen to the byte. */
export const defaultPartBytes = 2 ** 30

/**
 * Pushes a commit of the store to `branch` of the remote, never by force, asks the remote whether it is there, and
 * returns in how many parts it went at the last try. What arrived of a push that was interrupted is not sent again.
 * Throws RowbackError('remote') if the remote does not have the commit afterwards; nothing local is changed by that.
 */
export async function pushBranch(
  store: Store,
  url: string,
  branch: string,
  bounds: PushBounds,
): Promise<number> {
  checkRemoteUrl(bounds.address ?? url)
  const tip = bounds.tip ?? (await store.tip())
  if (!tip)
    throw new RowbackError(
      'repository',
      `push to ${redactUrl(url)}: branch ${store.branch} has no commit yet`,
    )
  const { address = url, passwordVariable } = bounds
  const remote = { url, address: bounds.address, passwordVariable }
  try {
    const connection = await connect(store, remote)
    let known = bounds.known
    return await withRetries(bounds, canHeal, () => {
      const before = known
      // What a push that failed has left there is only known when it is asked for.
      known = undefined
      return pushOnce(connection, store, { address, branch, tip }, { ...bounds, known: before })
    })
  } catch (error) {
    const consequence = `the commit is safe in ${store.dir}`
    throw await ofPartialClone(
      store,
      remoteError(`push to ${redactUrl(url)}`, remote, error, consequence, store.gitDir),
    )
  }
}

/** git sends nothing that a partial clone has from its own remote: another one then lacks objects, and refuses. */
async function ofPartialClone({ gitDir, dir }: Store, error: RowbackError): Promise<RowbackError> {
  if (!/\((?:unpacker error|missing necessary objects)\)/.test(error.message)) return error
  const { promisorOf } = await import('./partial-clone.ts')
  const from = await promisorOf(gitDir)
  if (from === undefined) return error
  const hint = `${dir} is a partial clone, and git sends only what was made in it: push from a whole one, by rowback clone ${redactUrl(from)} DIR`
  return new RowbackError(error.code, error.message, { hint, cause: error })
}

interface Target {
  address: string
  branch: string
  tip: string
}

async function pushOnce(
  connection: Connection,
  store: Store,
  { address, branch, tip }: Target,
  { verifyHook, partBytes = defaultPartBytes, known }: PushBounds,
): Promise<number> {
  const push = (refspec: string) => connection.push([refspec], verifyHook)
  const directory = remoteDirectory(address)
  if (directory !== undefined) await removeReceiverLocks(directory)
  const before = known ?? (await connection.readState(branch))
  let count = 0
  for await (const part of partsToSend(store, tip, before, partBytes)) {
    count += 1
    if ('blobs' in part) {
      const tree = await writeBlobTree(store, part.blobs)
      await push(`${tree}:${partRef(branch, tree)}`)
    } else {
      // By its id: the branch may have moved since, to what nobody has proved.
      await push(`${part.commit}:refs/heads/${branch}`)
    }
  }
  if (directory !== undefined) await syncReceived(directory, branch)
  const after = await connection.readState(branch)
  if (after.tip !== tip)
    throw new PushLost(`git reported success, but the remote is at ${after.tip ?? 'no commit'}`)
  // A hook that judges what is sent has nothing to say here.
  const removals = after.parts.map((tree) => `:${partRef(branch, tree)}`)
  if (removals.length > 0) await connection.push(removals, false)
  return count
}

/** All at once where that is small enough, where git will refuse it anyway, and without git. */
async function* partsToSend(
  store: Store,
  tip: string,
  remote: RemoteState,
  partBytes: number,
): AsyncGenerator<Part> {
  if (remote.tip === tip) return
  if (store.engine === 'embedded') return yield { commit: tip }
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

function pushCommand(
  url: string,
  isDirectory: boolean,
  refspecs: readonly string[],
  verifyHook: boolean,
): string[] {
  // Each switch overrides a setting of the user that would send more than the branch, or ask for a key.
  const only = ['--no-signed', '--no-follow-tags', '--recurse-submodules=no']
  if (isDirectory) only.push(durableReceive)
  return ['push', '--porcelain', ...only, verifyHook ? '--verify' : '--no-verify', '--', url, ...refspecs]
}

/** The names of what is asked of a remote, as patterns of git-ls-remote(1). */
function refsOf(branch: string): string[] {
  return [`refs/heads/${branch}`, `${partRefs(branch)}*`]
}

/** The state from lines `<id> TAB <name>`; there may be others between them. */
export function stateOf(listed: string, branch: string): RemoteState {
  const [ref, below] = [`refs/heads/${branch}`, partRefs(branch)]
  // git matches the end of names too: refs/remotes/x/refs/heads/main is not meant.
  const lines = listed.split('\n').map((line) => line.split('\t'))
  const named = lines.filter(([oid, name]) => name === `${below}${oid}`)
  return { tip: lines.find(([, name]) => name === ref)?.[0], parts: named.map(([oid]) => oid as string) }
}
