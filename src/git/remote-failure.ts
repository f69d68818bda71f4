/** What git says when a remote fails, put into one line; pure. git is run with LC_ALL=C, so the texts are its own. */

import { gitCause } from './run.ts'

/** What a git command that talked to a remote left behind. */
export interface RemoteOutput {
  code: number
  /** Of `git push --porcelain`: git-push(1), OUTPUT. */
  stdout: string
  stderr: string
}

/** The cause for a message, and what helps; the hint is left out where the cause says it. */
export interface RemoteFailure {
  cause: string
  hint?: string | undefined
  /** Whether it may be gone by itself in a moment. A refusal, a wrong password or a missing repository is not. */
  canHeal?: boolean
}

/** A failure that was put into words already. */
export class RemoteFailed extends Error {
  override readonly name = 'RemoteFailed'
  readonly failure: RemoteFailure

  constructor(failure: RemoteFailure) {
    super(failure.cause)
    this.failure = failure
  }
}

/** Causes by what git, git-lfs, ssh and curl print. The order matters: ssh adds git's general complaint to its own. */
const causes: readonly { pattern: RegExp; cause: string; canHeal?: boolean; hint?: string }[] = [
  {
    pattern: /unadvertised object/,
    cause: 'the server gives no single files',
    hint: 'there, git config uploadpack.allowAnySHA1InWant true, or over ssh AcceptEnv GIT_PROTOCOL in sshd_config',
  },
  {
    pattern: /dubious ownership/,
    cause: 'git does not trust it, as it belongs to another user',
    hint: 'there, as the user who is let in, git config --global --add safe.directory DIRECTORY',
  },
  { pattern: /Host key verification failed/, cause: 'the host key of the remote is not known' },
  {
    pattern:
      /Permission denied \(|Authentication failed|could not read (Username|Password)|terminal prompts disabled|returned error: 40[13]|Invalid username or/i,
    cause: 'authentication failed',
  },
  { pattern: /certificate|no alternative .*subject name/i, cause: 'its certificate is not trusted' },
  { pattern: /remote missing object|Object does not exist/, cause: 'it does not have them' },
  { pattern: /expected OID|has an invalid hash/i, cause: 'it gives other contents' },
  { pattern: /Git credentials .*not found|Authorization error/, cause: 'authentication failed' },
  { pattern: /: Fatal error:/, cause: 'the server cannot answer now', canHeal: true },
  { pattern: /returned error: 413|HTTP 413/, cause: 'the push is larger than the remote takes' },
  {
    pattern: /returned error: (408|429|5\d\d)|HTTP (408|429|5\d\d)/,
    cause: 'the server cannot answer now',
    canHeal: true,
  },
  {
    pattern:
      /Could not resolve|unable to look up|no such host|Connection (refused|timed out|reset|closed)|Network is unreachable|No route to host|timed out|Failed to connect|unable to connect|Couldn't connect|Operation too slow|hung up unexpectedly|unexpected disconnect|early EOF|Broken pipe|RPC failed|SSL/i,
    cause: 'it is unreachable',
    canHeal: true,
  },
  {
    pattern:
      /does not appear to be a git repository|repository .*not found|not found|does not exist|No such file/i,
    cause: 'there is no such repository',
  },
]

/** Why reading from or pushing to a remote failed. */
export function remoteFailure(output: RemoteOutput): RemoteFailure {
  const refused = refusedRef(output.stdout)
  if (isFull(output.stderr)) return { cause: 'there is no space left on the remote' }
  if (refused !== undefined) return refusal(refused, output.stderr)
  if (isPrePushRefusal(output)) return { cause: `the pre-push hook refused it${said(output.stderr)}` }
  const known = causes.find(({ pattern }) => pattern.test(output.stderr))
  if (known) {
    const { cause, pattern, canHeal = false, hint } = known
    return { cause: `${cause} (${detail(pattern, output.stderr)})`, canHeal, hint }
  }
  return { cause: gitCause(output) }
}

/** Whether the other side wrote so; what this side writes has no `remote:` before it. */
function isFull(stderr: string): boolean {
  return /^remote: .*(No space left on device|Disk quota exceeded|Out of diskspace)/im.test(stderr)
}

/** git says nothing of the hook; it only does not push, with a code that other failures before a push do not have. */
function isPrePushRefusal({ code, stderr }: RemoteOutput): boolean {
  return (
    code === 1 &&
    /^error: failed to push some refs/m.test(stderr) &&
    !/RPC failed|remote end hung up|unexpected disconnect/.test(stderr)
  )
}

/** The reason that a porcelain line `! TAB from:to TAB [rejected] (reason)` gives. */
function refusedRef(stdout: string): string | undefined {
  return /^!\t[^\t]*\t(.*)$/m.exec(stdout)?.[1]
}

function refusal(reason: string, stderr: string): RemoteFailure {
  if (/\((fetch first|non-fast-forward)\)/.test(reason))
    return {
      cause: 'the remote has commits that this repository lacks',
      hint: 'let each machine push to a branch of its own: the setting "branch"',
    }
  const hint = /shallow update not allowed/.test(reason)
    ? 'this repository lacks the commits before its first ones: push from one that has them, or there, git config receive.shallowUpdate true'
    : undefined
  return { cause: `the remote refused it: ${reason}${said(remoteLines(stderr))}`, hint }
}

/** What the remote's hooks printed. */
function remoteLines(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.startsWith('remote: '))
  return lines.map((line) => line.slice('remote: '.length).trim()).join('\n')
}

/** The first line of a hook's own words, as an addition to a cause. */
function said(text: string): string {
  const line = text
    .split('\n')
    .find((candidate) => candidate.trim() !== '' && !candidate.startsWith('error: failed to push'))
  return line === undefined ? '' : ` (${line.trim()})`
}

/** The line that tells most, without git's and ssh's prefixes. */
function detail(pattern: RegExp, stderr: string): string {
  const line = stderr.split('\n').find((candidate) => pattern.test(candidate)) ?? ''
  return line.trim().replace(/^(fatal|error|ssh): /, '')
}
