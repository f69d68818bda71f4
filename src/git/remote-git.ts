/** Runs git against a remote through simple-git, with the user's own git settings and credentials. */

import { join } from 'node:path'
import { GitError, type SimpleGit, simpleGit } from 'simple-git'
import { errorText, RowbackError } from '../errors.ts'
import { shellWord } from '../shell.ts'
import { accessFault } from './access-fault.ts'
import { addressBase } from './directory.ts'
import { passwordOf, remoteEnv } from './remote-env.ts'
import { RemoteFailed, type RemoteFailure, type RemoteOutput, remoteFailure } from './remote-failure.ts'
import { type Remote, redactUrl } from './remote-url.ts'
import { readRetries, withRetries } from './retry.ts'
import { fullDisk, git, saysFull } from './run.ts'
import type { Store } from './store.ts'

/** git in a repository, ready to talk to that remote. Throws as `remoteEnv` does. */
export async function remoteGit(store: Pick<Store, 'dir' | 'gitDir'>, remote: Remote): Promise<SimpleGit> {
  const { gitDir } = store
  const env = await remoteEnv(gitDir, remote)
  const runner = simpleGit({
    baseDir: addressBase(store),
    // By itself git syncs no refs and no loose objects that it fetches.
    config: [`core.hooksPath=${join(gitDir, 'hooks')}`, 'core.fsync=all'],
    allowEnvironment: Object.keys(env),
    unsafe,
    errors: (_, { exitCode, stdOut, stdErr }) =>
      exitCode === 0
        ? undefined
        : new RemoteGitError({ code: exitCode, stdout: text(stdOut), stderr: text(stdErr) }),
  })
  return runner.env(env)
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
  allowUnsafePack: true,
  allowUnsafeProtocolOverride: true,
  allowUnsafeSshCommand: true,
  allowUnsafeUrlRewrite: true,
  // Else simple-git forbids abbreviated options to every git that a hook runs, too.
  allowAbbreviatedOptions: true,
}

/** simple-git's own error keeps the text of a failed command only; a push also explains itself on stdout. */
export class RemoteGitError extends GitError {
  readonly output: RemoteOutput

  constructor(output: RemoteOutput) {
    super(undefined, output.stderr)
    this.output = output
  }
}

function text(chunks: Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8')
}

/** git said that a push went well, and the remote does not have it: it may at the next try. */
export class PushLost extends Error {
  override readonly name = 'PushLost'
}

function failureOf(error: unknown): RemoteFailure {
  if (error instanceof RemoteGitError) return remoteFailure(error.output)
  if (error instanceof RemoteFailed) return error.failure
  return { cause: errorText(error), canHeal: error instanceof PushLost }
}

/** Whether what git ran into may be gone in a moment. */
export function canHeal(error: unknown): boolean {
  return failureOf(error).canHeal ?? false
}

/**
 * Runs a `git fetch` with those arguments that reads refspecs or ids from its input, again where a fault may heal. Throws
 * RemoteGitError, and as `remoteEnv` does.
 */
export async function fetchWanted(
  gitDir: string,
  args: readonly string[],
  remote: Remote,
  wanted: readonly string[],
): Promise<void> {
  const options = { env: await remoteEnv(gitDir, remote), input: wanted.map((one) => `${one}\n`).join('') }
  await withRetries(readRetries, canHeal, async () => {
    const { code, stderr } = await git(gitDir, args, options)
    if (code !== 0) throw new RemoteGitError({ code, stdout: '', stderr })
  })
}

/**
 * The RowbackError('remote') for what was thrown while git talked to a remote, or RowbackError('repository') where it was the
 * repository `gitDir` that failed; one of another kind stays as it is.
 */
export function remoteError(
  what: string,
  remote: Remote,
  error: unknown,
  consequence?: string,
  gitDir?: string,
): RowbackError {
  if (error instanceof RowbackError) return error
  const own = gitDir === undefined ? undefined : ownFault(gitDir, error)
  if (own !== undefined)
    return new RowbackError(
      'repository',
      consequence === undefined ? `${what}: ${own}` : `${what}: ${own}; ${consequence}`,
    )
  const { cause, hint = `git ls-remote ${shellWord(redactUrl(remote.url))}` } = failureOf(error)
  const told = consequence === undefined ? [] : [consequence]
  return new RowbackError('remote', [`${what}: ${withoutSecrets(cause, remote)}`, ...told].join('; '), {
    hint,
  })
}

/**
 * Whether an error is about one remote, so that others may be asked: what it answers, that its password variable is not set, or
 * that there is no room for what is fetched from it.
 */
export function isOfOneRemote(error: unknown): error is RowbackError {
  return error instanceof RowbackError && ['remote', 'usage', 'target'].includes(error.code)
}

/** Why this side failed: its disk is full or read-only, or the repository cannot be read or written any more. */
function ownFault(gitDir: string, error: unknown): string | undefined {
  const lines = error instanceof RemoteGitError ? error.output.stderr.split('\n') : []
  // What the other side has written has a mark, and git's own words for what it reports have another.
  const own = lines.filter((line) => !/^remote: |^error: remote unpack failed/.test(line))
  const said = own.join('\n')
  if (saysFull(said)) return fullDisk
  if (/read-only file system/i.test(said)) return 'read-only file system'
  // Where a folder cannot be made, git says that it is not there.
  const named = own.find((line) => /^(?:error|fatal): /.test(line) && line.includes(`${gitDir}/`))
  return accessFault(gitDir) ?? named?.replace(/^\w+: /, '')
}

/** A server or proxy may repeat in its answer what it was sent. */
function withoutSecrets(cause: string, remote: Remote): string {
  const password = passwordOf(remote)
  return redactUrl(password ? cause.replaceAll(password, '***') : cause)
}
