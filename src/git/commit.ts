/** Commits as git stores them, parsed; pure. The format: git's `commit.c` and git-interpret-trailers(1). */

import { RowbackError } from '../errors.ts'

export interface Identity {
  name: string
  email: string
}

/** What kind of signature a commit has, told by how it begins; whether it is good is another matter. */
export type SignatureFormat = 'ssh' | 'openpgp' | 'other'

export interface Commit {
  oid: string
  tree: string
  parents: string[]
  /** `time` is in seconds since 1970; `timezone` has the form `+0000`. */
  author: Identity & { time: number; timezone: string }
  /** The whole message as it was written. */
  message: string
  /** The first paragraph on one line. */
  subject: string
  /** `Key: value` lines of the last paragraph; of equal keys the last one counts. */
  trailers: Map<string, string>
  /** Undefined for a commit that is not signed. */
  signed: SignatureFormat | undefined
}

/**
 * The `<name> <email> <time> +0000` of a commit header; `time` is in seconds since 1970.
 * Throws RowbackError('usage') for what git cannot hold there.
 */
export function identityLine({ name, email }: Identity, time: number): string {
  const isBad = (text: string) => text.trim() !== text || text === '' || /[<>\n\0]/.test(text)
  if (isBad(name) || isBad(email))
    throw new RowbackError(
      'usage',
      `use author ${JSON.stringify(`${name} <${email}>`)}: git cannot store it`,
      {
        hint: 'write it as NAME <ADDRESS>',
      },
    )
  if (!Number.isSafeInteger(time) || time < 0)
    throw new RowbackError('usage', `use time ${time}: it is no whole number of seconds since 1970`)
  return `${name} <${email}> ${time} +0000`
}

/** A commit from its raw content. Throws RowbackError('repository') if that is no commit's. */
export function parseCommit(oid: string, content: Buffer): Commit {
  const text = content.toString('utf8')
  const end = text.indexOf('\n\n')
  const headers = text.slice(0, end < 0 ? undefined : end).split('\n')
  const message = end < 0 ? '' : text.slice(end + 2)
  const valuesOf = (key: string) =>
    headers.filter((line) => line.startsWith(`${key} `)).map((line) => line.slice(key.length + 1))
  const tree = valuesOf('tree')[0]
  const author = /^([^<]*)<([^<>]*)> (-?\d+) ([+-]\d{4})$/.exec(valuesOf('author')[0] ?? '')
  if (!tree || !author) throw new RowbackError('repository', `read commit ${oid}: it is malformed`)
  const [, name = '', email = '', time = '', timezone = ''] = author
  return {
    oid,
    tree,
    parents: valuesOf('parent'),
    author: { name: name.replace(/ $/, ''), email, time: Number(time), timezone },
    message,
    subject: subjectOf(message),
    trailers: trailersOf(message),
    signed: signatureFormat(valuesOf('gpgsig')[0]),
  }
}

function signatureFormat(begin: string | undefined): SignatureFormat | undefined {
  if (begin === '-----BEGIN SSH SIGNATURE-----') return 'ssh'
  if (begin === '-----BEGIN PGP SIGNATURE-----' || begin === '-----BEGIN PGP MESSAGE-----') return 'openpgp'
  return begin === undefined ? undefined : 'other'
}

function paragraphs(message: string): string[] {
  return message.trim().split(/\n(?:[ \t]*\n)+/)
}

/** The first paragraph of a commit message, on one line. */
export function subjectOf(message: string): string {
  const lines = (paragraphs(message)[0] ?? '').split('\n')
  return lines.map((line) => line.trim()).join(' ')
}

function trailersOf(message: string): Map<string, string> {
  const last = paragraphs(message).slice(1).at(-1) ?? ''
  // A line that begins with white space goes on with the value of the line before.
  const lines = last.replace(/\n[ \t]+/g, ' ').split('\n')
  const trailers = lines.map((line) => /^([A-Za-z0-9-]+): *(.*)$/.exec(line))
  if (trailers.includes(null)) return new Map()
  return new Map(trailers.map((match) => [match?.[1] ?? '', match?.[2]?.trim() ?? '']))
}
