/** Talks to remotes over http(s) by isomorphic-git. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import * as isomorphic from 'isomorphic-git'
import { errorText, RowbackError } from '../../errors.ts'
import { installGit, needsGit } from '../engine.ts'
import { type Connection, type RemoteState, stateOf } from '../remote.ts'
import { loginOf } from '../remote-env.ts'
import { RemoteFailed, type RemoteFailure, type RemoteOutput, remoteFailure } from '../remote-failure.ts'
import { type Remote, redactUrl } from '../remote-url.ts'
import type { Store } from '../store.ts'
import { request } from './http.ts'
import { EmbeddedObjects } from './objects.ts'

export class HttpConnection implements Connection {
  readonly #store: Store
  readonly #url: string
  readonly #login: { username: string; password: string } | undefined

  /**
   * Throws RowbackError('remote') for an address that is not http(s), RowbackError('usage') for a password variable that
   * is not set.
   */
  constructor(store: Store, remote: Remote) {
    const what = `use remote ${redactUrl(remote.url)}`
    if (!/^https?:\/\//i.test(remote.url)) throw needsGit('remote', what, 'it is no http(s) address')
    const login = loginOf(remote)
    this.#store = store
    // A user name in the address would be sent without being asked for.
    this.#url = remote.url.replace(/^(https?:\/\/)[^/?#@]*@/i, '$1').replace(/\/+$/, '')
    this.#login = login && { username: login.user, password: login.password }
  }

  async readState(branch: string): Promise<RemoteState> {
    return this.#inWords([], async () => {
      const refs = await isomorphic.listServerRefs({ ...this.#access, protocolVersion: 1 })
      return stateOf(refs.map(({ oid, ref }) => `${oid}\t${ref}`).join('\n'), branch)
    })
  }

  async push(refspecs: readonly string[], verifyHook: boolean): Promise<void> {
    if (verifyHook) this.#refuseHook()
    for (const refspec of refspecs) {
      const [from = '', to = ''] = refspec.split(':')
      const said: string[] = []
      await this.#inWords(said, async () => {
        const objects = new EmbeddedObjects(this.#store.gitDir)
        await isomorphic.push({
          ...objects.source,
          ...this.#access,
          ref: from || `refs/heads/${this.#store.branch}`,
          remoteRef: to,
          delete: from === '',
          onMessage: (line) => void said.push(line),
        })
      })
    }
  }

  get #access() {
    return { http: { request }, url: this.#url, onAuth: () => this.#login ?? { cancel: true } }
  }

  /** Only git runs hooks; one that keeps back what must not leave is not passed by. */
  #refuseHook(): void {
    if (existsSync(join(this.#store.gitDir, 'hooks', 'pre-push')))
      throw new RowbackError(
        'remote',
        `push ${this.#store.dir}: its pre-push hook is not that of Rowback, and only the git program runs it; nothing was pushed`,
        { hint: installGit },
      )
  }

  async #inWords<T>(said: readonly string[], use: () => Promise<T>): Promise<T> {
    try {
      return await use()
    } catch (error) {
      if (error instanceof RowbackError) throw error
      // What the remote has said comes beside its answer.
      await setImmediate()
      const hint = `rowback push --dry-run --remote ${redactUrl(this.#url)}`
      throw new RemoteFailed({ hint, ...this.#failure(error, said) })
    }
  }

  #failure(error: unknown, said: readonly string[]): RemoteFailure {
    const { code, data } = error as { code?: string; data?: ErrorData }
    if (code === 'UserCanceledError' || (code === 'HttpError' && data?.statusCode === 401))
      return {
        cause: this.#login
          ? 'authentication failed'
          : 'it asks for a password, and the embedded engine knows no credential helpers',
        hint: this.#login
          ? 'look at the user name and the password variable of the remote'
          : 'name an environment variable that holds the password: password-variable in the settings',
      }
    if (code === 'SmartHttpError') return { cause: 'there is no git server at this address' }
    const stderr = said.map((line) => `remote: ${line}`)
    return remoteFailure(outputOf(error, code, data, stderr))
  }
}

interface ErrorData {
  statusCode?: number
  result?: { ok: boolean; error?: string; refs: Record<string, { ok: boolean; error: string }> }
}

/** What git would print, so that both engines use the same words. */
function outputOf(
  error: unknown,
  code: string | undefined,
  data: ErrorData | undefined,
  stderr: readonly string[],
): RemoteOutput {
  const print = (line: string, stdout = ''): RemoteOutput => ({
    code: 128,
    stdout,
    stderr: [...stderr, line].join('\n'),
  })
  if (code === 'HttpError') {
    const status = data?.statusCode ?? 0
    const moved = status >= 300 && status < 400 ? ', a redirect, which is not followed' : ''
    return print(`fatal: the requested URL returned error: ${status}${moved}`)
  }
  if (code === 'PushRejectedError') return print('', '!\t\t[rejected] (fetch first)')
  if (code === 'GitPushError') {
    const refused = Object.values(data?.result?.refs ?? {}).find(({ ok }) => !ok)
    const reason = data?.result?.ok === false ? data.result.error : refused?.error
    return print(`remote: ${reason}`, `!\t\t[remote rejected] (${refused?.error ?? reason})`)
  }
  // What isomorphic-git throws has a name for its code; what Node throws is about the connection.
  if (code !== undefined && /Error$/.test(code)) return print(`fatal: ${errorText(error)}`)
  return print(`fatal: unable to connect: ${errorText(error) || code}`)
}
