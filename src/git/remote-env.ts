/** The environment for talking to remotes: the user's own, without what could mislead git. */

import { RowbackError } from '../errors.ts'
import { inheritedEnv } from './env.ts'
import { httpOrigin, type Remote, redactUrl } from './remote-url.ts'
import { git } from './run.ts'

/** `GIT_*` variables that say how to reach a remote; every other one is dropped, as it may name another repository. */
const transportVariables =
  /^GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|ALLOW_PROTOCOL|PROTOCOL_FROM_USER|PROXY_COMMAND|EXEC_PATH|CONFIG_.+|SSL_.+|HTTP_.+)$/

/** Variables of editors and pagers: nothing here opens one, and simple-git refuses them. */
const interactiveVariables = /^(EDITOR|VISUAL|PAGER|PREFIX)$/

/** Settings of git, in the order in which they are to count. */
type GitSettings = [key: string, value: string][]

/** A connection on which nothing moves for five minutes is dead, and is given up; git's servers say something each 5 s. */
const lowSpeed: GitSettings = [
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '300'],
]

/** The same for ssh, which must not ask for anything either. */
const sshCommand = 'ssh -oBatchMode=yes -oConnectTimeout=60 -oServerAliveInterval=30 -oServerAliveCountMax=10'

/**
 * The environment in which git talks to remotes from the git directory `gitDir`. The user's configuration, credential
 * helpers, SSH agent and proxies stay; the password variable of `remote` takes the place of helpers. Nothing may
 * prompt: ssh gets `BatchMode`, unless the user chose an ssh command.
 * Throws RowbackError('usage') where that variable is not set, or the remote takes no password.
 */
export async function remoteEnv(
  gitDir: string,
  remote?: Remote & { address?: string | undefined },
): Promise<NodeJS.ProcessEnv> {
  const env = userEnv(gitDir)
  const asked = '^(core\\.sshcommand|http\\.(.*\\.)?lowspeed(limit|time))$'
  const own = (await git(gitDir, ['config', '--name-only', '--get-regexp', asked], { env })).stdout.toString()
  if (!/^core\./m.test(own) && !env.GIT_SSH_COMMAND && !env.GIT_SSH) env.GIT_SSH_COMMAND = sshCommand
  return withSettings(env, [
    ...(/^http\./m.test(own) ? [] : lowSpeed),
    ...asItIs(remote?.address),
    ...passwordSettings(remote),
  ])
}

/** Keeps git from leading an address on that was settled with the user's settings: of those that fit, the longest counts. */
function asItIs(address: string | undefined): GitSettings {
  if (address === undefined) return []
  return ['insteadOf', 'pushInsteadOf'].map((key) => [`url.${address}.${key}`, address])
}

/** The environment in which git has the user's settings, as far as it does not leave this machine. */
export function userEnv(gitDir: string): NodeJS.ProcessEnv {
  const isKept = (name: string) =>
    name.startsWith('GIT_') ? transportVariables.test(name) : !interactiveVariables.test(name)
  return { ...inheritedEnv(isKept), LC_ALL: 'C', GIT_TERMINAL_PROMPT: '0', GIT_DIR: gitDir }
}

/** The value of a remote's password variable; undefined where it has none. */
export function passwordOf({ passwordVariable }: Remote): string | undefined {
  return passwordVariable === undefined ? undefined : process.env[passwordVariable]
}

/**
 * What a remote is shown where it asks for a password; undefined where that is not up to a variable.
 * Throws RowbackError('usage') where the variable is not set, or the remote takes no password.
 */
export function loginOf(
  remote: Remote | undefined,
): { origin: string; user: string; variable: string; password: string } | undefined {
  if (remote?.passwordVariable === undefined) return undefined
  const { url, passwordVariable: variable } = remote
  const http = httpOrigin(url)
  const what = `use remote ${redactUrl(url)}`
  if (http === undefined)
    throw new RowbackError('usage', `${what}: only an http(s):// address takes the password of ${variable}`)
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable))
    throw new RowbackError(
      'usage',
      `${what}: ${JSON.stringify(variable)} is no name of an environment variable`,
    )
  const password = process.env[variable]
  if (!password)
    throw new RowbackError('usage', `${what}: the environment variable ${variable} is not set`, {
      hint: `set ${variable} to the password or token of the remote`,
    })
  // GitHub and GitLab take any user name beside a token.
  return { origin: http.origin, user: http.user || 'git', variable, password }
}

/**
 * A credential helper (gitcredentials(7)) that reads the variable when git asks: the secret is in no argument and no
 * file. It is asked for the address of the remote only, and no helper of the user's gets to store the secret.
 */
function passwordSettings(remote: Remote | undefined): GitSettings {
  const login = loginOf(remote)
  if (remote === undefined || login === undefined) return []
  const { origin, variable } = login
  const user = httpOrigin(remote.url)?.user ? '' : 'echo username=git;'
  const helper = `!f() { [ "$1" = get ] || exit 0; ${user} printf 'password=%s\\n' "$${variable}"; }; f`
  return [
    [`credential.${origin}.helper`, ''],
    [`credential.${origin}.helper`, helper],
  ]
}

/** Adds settings of git by environment (git-config(1), GIT_CONFIG_COUNT), behind those that are there. */
export function withSettings(env: NodeJS.ProcessEnv, settings: GitSettings): NodeJS.ProcessEnv {
  const count = Number(env.GIT_CONFIG_COUNT ?? 0)
  const added = settings.flatMap(([key, value], i) => [
    [`GIT_CONFIG_KEY_${count + i}`, key],
    [`GIT_CONFIG_VALUE_${count + i}`, value],
  ])
  return { ...env, ...Object.fromEntries(added), GIT_CONFIG_COUNT: String(count + settings.length) }
}
