/** Addresses of remotes: which ones are used, and how they are shown; pure. */

import { RowbackError } from '../errors.ts'

/** A remote, and how to be let in where git's credential helpers and SSH keys are not to do that. */
export interface Remote {
  /** A path or address that git understands. */
  url: string
  /** The environment variable that holds the password or token; for `http(s)://` only. */
  passwordVariable?: string | undefined
}

/**
 * `scheme://userinfo@`, with the user's name and secret apart; characters of `end` are in no address. A secret may hold `/`, `?` and
 * `#` as they are: what follows a colon is a port where that is digits, or nothing, and a `/`, and else a secret if an `@` comes later.
 */
function userInfo(end: string): RegExp {
  // The colons of an IPv6 address are its own.
  const name = `(?:(?!\\[[\\da-f]*:[\\da-f:.]*\\])[^/?#:${end}])*`
  const secret = `:(?!\\d*/)([^${end}]*)`
  return new RegExp(`\\b([a-z][a-z0-9+.-]*)://(?:(${name})${secret}|([^/?#@:${end}]*))@`, 'gi')
}

const inText = userInfo(`\\s'"`)
const inAddress = userInfo('')

/** Names of access tokens of GitHub and GitLab, which people put where a user name belongs. */
const token = /^(gh[a-z]_|github_pat_|gl[a-z]+-)/i

/**
 * The text with every credential in its URLs replaced by `***`: passwords, and over HTTP user names (they may be
 * tokens) and query strings. Works on one URL as on a whole message.
 */
export function redactUrl(text: string): string {
  return redact(text, inText)
}

function redact(text: string, userInfo: RegExp): string {
  return text
    .replace(userInfo, (_, scheme: string, user?: string, secret?: string, name?: string) => {
      if (/^https?$/i.test(scheme)) return `${scheme}://***@`
      return secret === undefined ? `${scheme}://${name}@` : `${scheme}://${user}:***@`
    })
    .replace(/\b(https?:\/\/[^\s'"?]*\?)[^\s'"]+/gi, '$1***')
}

/**
 * Throws RowbackError('usage') for an address that git would take for an option or run as a command, and for one that
 * holds a secret: every user of the machine would see it in `ps`.
 */
export function checkRemoteUrl(url: string): void {
  const reason = refusal(url)
  if (reason === undefined) return
  throw new RowbackError('usage', `use remote ${JSON.stringify(redact(url, inAddress))}: ${reason.cause}`, {
    hint: reason.hint,
  })
}

/** The user and the part of an `http(s)://` address that a password is for; undefined for any other address. */
export function httpOrigin(url: string): { origin: string; user: string | undefined } | undefined {
  const [, scheme, user, host] = /^(https?):\/\/(?:([^\s/?#@:]*)@)?([^\s/?#@]+)/i.exec(url) ?? []
  return host === undefined ? undefined : { origin: `${scheme}://${host}`, user }
}

/** Whether the address leads to a server, and not to a directory of this machine. */
export function isServer(url: string): boolean {
  return /^(?!file:)[a-z][a-z0-9+.-]*:\/\//i.test(url) || /^[^/:]+:(?!\/\/)/.test(url)
}

/** Whether the address is a path, and meant from somewhere; a name without a slash may be that of a git remote. */
export function isRelativePath(url: string): boolean {
  return isRelative(url) && /[/\\]|\.git$/i.test(url)
}

/** Whether that, where no name is meant, is a path from somewhere. */
export function isRelative(url: string): boolean {
  return !isServer(url) && !/^(?:[a-z]:)?[/\\]|^file:|^[a-z]+::/i.test(url)
}

/** Whether the server is GitHub, which refuses what is over its limits after all was sent. */
export function isGitHub(url: string): boolean {
  return /^(?:[a-z+]+:\/\/)?(?:[^/@]*@)?(?:[\w-]+\.)*github\.com(?::|\/)/i.test(url)
}

function refusal(url: string): { cause: string; hint: string } | undefined {
  const hint = 'use a path, an ssh:// or an https:// address'
  if (url === '' || /[\0\n\r]/.test(url)) return { cause: 'it is no address', hint }
  if (url.startsWith('-')) return { cause: 'it would be an option of git', hint }
  if (/^(ext|fd)::/i.test(url)) return { cause: 'that transport runs commands', hint }
  if (!holdsSecret(url)) return undefined
  return {
    cause: 'it holds a secret, which other users of this machine could see',
    hint: 'git config --global credential.helper store, and leave the secret out of the address',
  }
}

function holdsSecret(url: string): boolean {
  return [...url.matchAll(inAddress)].some(
    ([, , , secret, name]) => secret !== undefined || token.test(name ?? ''),
  )
}
