/**
 * Talks to remotes through simple-git, with the user's own git settings and credentials. A remote is any address that
 * git knows; a relative path is meant from the working directory.
 */

import { join } from 'node:path'
import { GitError, type SimpleGit, simpleGit } from 'simple-git'
import { errorText, RowbackError } from '../errors.ts'
import { mayExceed, newObjects, type Part, parts, presentObjects, writeBlobTree } from './push-parts.ts'
import { remoteEnv } from './remote-env.ts'
import { type RemoteOutput, remoteFailure } from './remote-failure.ts'
import { checkRemoteUrl, redactUrl } from './remote-url.ts'
import type { Store } from './store.ts'

/** What a remote has of a branch. */
export interface RemoteState {
  /** The commit that the branch points at; undefined if there is no such branch. */
  tip: string | undefined
  /** Trees of parts that were sent ahead of a commit, which has not arrived or was the last thing that did. */
  parts: string[]
}

/**
 * What the remote has of `branch`.
 * Throws RowbackError('remote') if the remote cannot be read, RowbackError('usage') for an address that is not used.
 */
export async function remoteState(store: Store, url: string, branch: string): Promise<RemoteState> {
  checkRemoteUrl(url)
  try {
    return await readState(await remoteGit(store), url, branch)
  } catch (error) {
    throw remoteError(`read remote ${redactUrl(url)}`, url, error)
  }
}

export interface PushBounds {
  /** Whether the repository's own pre-push hook runs first; hooks of the user's settings never do. */
  verifyHook: boolean
  /** What is larger is sent in parts of at most this size, as long as files allow. */
  partBytes?: number | undefined
  /** What the remote has, where that was asked just now. */
  known?: RemoteState | undefined
}

/** Half of what many hosts accept at once, since packs are not foreseen to the byte. */
const defaultPartBytes = 2 ** 30

/**
 * Pushes the branch of the store to `branch` of the remote, never by force, asks the remote whether it is there, and
 * returns in how many parts it went. What arrived of a push that was interrupted is not sent again.
 * Throws RowbackError('remote') if the remote does not have the commit afterwards; nothing local is changed by that.
 */
export async function pushBranch(
  store: Store,
  url: string,
  branch: string,
  { verifyHook, partBytes = defaultPartBytes, known }: PushBounds,
): Promise<number> {
  checkRemoteUrl(url)
  const tip = await store.tip()
  if (!tip)
    throw new RowbackError(
      'repository',
      `push to ${redactUrl(url)}: branch ${store.branch} has no commit yet`,
    )
  try {
    const git = await remoteGit(store)
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
    const after = await readState(git, url, branch)
    if (after.tip !== tip)
      throw new Error(`git reported success, but the remote is at ${after.tip ?? 'no commit'}`)
    // A hook that judges what is sent has nothing to say here.
    const removals = after.parts.map((tree) => `:${partRef(branch, tree)}`)
    if (removals.length > 0) await git.raw(pushCommand(url, removals, false))
    return count
  } catch (error) {
    throw remoteError(`push to ${redactUrl(url)}`, url, error, `the commit is safe in ${store.dir}`)
  }
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

async function remoteGit(store: Store): Promise<SimpleGit> {
  const env = await remoteEnv(store.gitDir)
  const git = simpleGit({
    config: [`core.hooksPath=${join(store.gitDir, 'hooks')}`],
    allowEnvironment: Object.keys(env),
    unsafe,
    errors: (_, { exitCode, stdOut, stdErr }) =>
      exitCode === 0
        ? undefined
        : new RemoteGitError({ code: exitCode, stdout: text(stdOut), stderr: text(stdErr) }),
  })
  return git.env(env)
}

/**
 * simple-git guards against settings that run programs. What is allowed here comes from the user's own environment
 * (how to reach the remote) or is set above; no part of it is taken from the repository or the address.
 */
const unsafe = {
  allowUnsafeAskPass: true,
  allowUnsafeConfigEnvCount: true,
  allowUnsafeConfigPaths: true,
  allowUnsafeCredentialHelper: true,
  allowUnsafeExec: true,
  allowUnsafeGitProxy: true,
  allowUnsafeHooksPath: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
  allowUnsafeUrlRewrite: true,
  // Else simple-git forbids abbreviated options to every git that a hook runs, too.
  allowAbbreviatedOptions: true,
}

/** simple-git's own error keeps the text of a failed command only; a push also explains itself on stdout. */
class RemoteGitError extends GitError {
  readonly output: RemoteOutput

  constructor(output: RemoteOutput) {
    super(undefined, output.stderr)
    this.output = output
  }
}

function text(chunks: Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8')
}

function remoteError(what: string, url: string, error: unknown, consequence?: string): RowbackError {
  if (error instanceof RowbackError) return error
  const failure = error instanceof RemoteGitError ? remoteFailure(error.output) : { cause: errorText(error) }
  const parts = [`${what}: ${redactUrl(failure.cause)}`, ...(consequence === undefined ? [] : [consequence])]
  return new RowbackError('remote', parts.join('; '), {
    hint: failure.hint ?? `git ls-remote ${redactUrl(url)}`,
  })
}
