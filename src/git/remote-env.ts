/** The environment for talking to remotes: the user's own, without what could mislead git. */

import { inheritedEnv } from './env.ts'
import { git } from './run.ts'

/** `GIT_*` variables that say how to reach a remote; every other one is dropped, as it may name another repository. */
const transportVariables =
  /^GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|ALLOW_PROTOCOL|PROTOCOL_FROM_USER|PROXY_COMMAND|EXEC_PATH|CONFIG_.+|SSL_.+|HTTP_.+)$/

/** Variables of editors and pagers: nothing here opens one, and simple-git refuses them. */
const interactiveVariables = /^(EDITOR|VISUAL|PAGER|PREFIX)$/

/**
 * The environment in which git talks to remotes from the git directory `gitDir`. The user's configuration, credential
 * helpers, SSH agent and proxies stay. Nothing may prompt: ssh gets `BatchMode`, unless the user chose an ssh command.
 */
export async function remoteEnv(gitDir: string): Promise<NodeJS.ProcessEnv> {
  const isKept = (name: string) =>
    name.startsWith('GIT_') ? transportVariables.test(name) : !interactiveVariables.test(name)
  const env: NodeJS.ProcessEnv = {
    ...inheritedEnv(isKept),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_DIR: gitDir,
  }
  if (env.GIT_SSH_COMMAND || env.GIT_SSH) return env
  const configured = await git(gitDir, ['config', '--get', 'core.sshCommand'], { env })
  return configured.code === 0 ? env : { ...env, GIT_SSH_COMMAND: 'ssh -oBatchMode=yes' }
}
