/**
 * Talks to remotes through simple-git, with the user's own git settings and credentials. A remote is any address that
 * git knows; a relative path is meant from the working directory.
 */

import { join } from 'node:path'
import { GitError, type SimpleGit, simpleGit } from 'simple-git'
import { errorText, RowbackError } from '../errors.ts'
import { remoteEnv } from './remote-env.ts'
import { type RemoteOutput, remoteFailure } from './remote-failure.ts'
import { checkRemoteUrl, redactUrl } from './remote-url.ts'
import type { Store } from './store.ts'

/**
 * The commit that `branch` of the remote points at; undefined if it has no such branch.
 * Throws RowbackError('remote') if the remote cannot be read, RowbackError('usage') for an address that is not used.
 */
export async function remoteTip(store: Store, url: string, branch: string): Promise<string | undefined> {
  checkRemoteUrl(url)
  try {
    return await readTip(await remoteGit(store), url, branch)
  } catch (error) {
    throw remoteError(`read remote ${redactUrl(url)}`, url, error)
  }
}

/**
 * Pushes the branch of the store to `branch` of the remote, never by force, and asks the remote whether it is there.
 * With `verifyHook` the repository's own pre-push hook runs first; hooks of the user's settings never do.
 * Throws RowbackError('remote') if the remote does not have the commit afterwards; nothing local is changed by that.
 */
export async function pushBranch(
  store: Store,
  url: string,
  branch: string,
  { verifyHook }: { verifyHook: boolean },
): Promise<void> {
  checkRemoteUrl(url)
  const tip = await store.tip()
  if (!tip)
    throw new RowbackError(
      'repository',
      `push to ${redactUrl(url)}: branch ${store.branch} has no commit yet`,
    )
  try {
    const git = await remoteGit(store)
    await git.raw(pushCommand(url, `refs/heads/${store.branch}:refs/heads/${branch}`, verifyHook))
    const arrived = await readTip(git, url, branch)
    if (arrived !== tip)
      throw new Error(`git reported success, but the remote is at ${arrived ?? 'no commit'}`)
  } catch (error) {
    throw remoteError(`push to ${redactUrl(url)}`, url, error, `the commit is safe in ${store.dir}`)
  }
}

function pushCommand(url: string, refspec: string, verifyHook: boolean): string[] {
  // Each switch overrides a setting of the user that would send more than the branch, or ask for a key.
  const only = ['--no-signed', '--no-follow-tags', '--recurse-submodules=no']
  return ['push', '--porcelain', ...only, verifyHook ? '--verify' : '--no-verify', '--', url, refspec]
}

async function readTip(git: SimpleGit, url: string, branch: string): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`
  const listed = await git.raw(['ls-remote', '--refs', '--', url, ref])
  // git matches the end of names too: refs/remotes/x/refs/heads/main is not meant.
  const lines = listed.split('\n').map((line) => line.split('\t'))
  return lines.find(([, name]) => name === ref)?.[0]
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
