/** What single texts of the settings may be; flags of the command line use the same checks. Pure. */

import { isBranchName } from '../git/ref-name.ts'

/** Control characters and lone surrogates, which no path, URL, name or glob of the settings needs. */
const unprintable = /[\p{Cc}\p{Surrogate}]/u

/** What is wrong with a text that must be one line with something in it, or undefined. */
export function lineProblem(value: string): string | undefined {
  if (value.trim() === '') return 'is empty'
  return unprintable.test(value) ? 'holds a control character or line end' : undefined
}

/** What is wrong with the name or address of a commit's author, or undefined. */
export function authorProblem(value: string): string | undefined {
  return /[<>]/.test(value) ? 'must not hold "<" or ">"' : lineProblem(value)
}

/** What is wrong with a local path, or undefined. */
export function pathProblem(path: string): string | undefined {
  if (path.startsWith('~')) return '"~" is not expanded: write the whole path'
  return lineProblem(path)
}

/** What is wrong with a glob, or undefined. */
export function globProblem(glob: string): string | undefined {
  if (glob.startsWith('!')) return 'a glob cannot begin with "!": use include and exclude'
  if (/(?:^|\/)\.\.(?:\/|$)/.test(glob)) return 'a glob cannot hold "..": it matches paths below the source'
  if (/(?:^|\/)\.(?:\/|$)|\/\/|^\/?$/.test(glob.replace(/^\.\//, '')))
    return 'matches nothing: paths below the source have no part that is empty or "."'
  return lineProblem(glob)
}

/** What is wrong with the path of a directory in the source, or undefined. */
export function folderProblem(folder: string): string | undefined {
  if (/^\/|(?:^|\/)\.\.(?:\/|$)/.test(folder))
    return 'is no directory of the source: give its path relative to that'
  return folder === '' ? undefined : lineProblem(folder)
}

const sizePattern = /^(\d{1,12}(?:\.\d{1,9})?) ?(B|kB|MB|GB|TB)?$/
const unitBytes = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 }

/** The bytes of a size such as `50 MB`, in decimal units; undefined for what is none. */
export function sizeBytes(text: string): number | undefined {
  const [, count, unit = 'B'] = sizePattern.exec(text) ?? []
  return count === undefined
    ? undefined
    : Math.round(Number(count) * unitBytes[unit as keyof typeof unitBytes])
}

/** What is wrong with a size, or undefined. */
export function sizeProblem(text: string): string | undefined {
  return sizeBytes(text) === undefined
    ? 'is no size: write bytes, or a number with B, kB, MB, GB or TB'
    : undefined
}

/** What is wrong with a remote, or undefined. The answer never repeats the remote, which may hold a password. */
export function remoteProblem(remote: string): string | undefined {
  if (remote.startsWith('-')) return 'must not begin with "-"'
  if (holdsCredential(remote)) {
    return 'holds a password or token: leave it out and let a git credential helper or an SSH key provide it'
  }
  return pathProblem(remote)
}

/** What is wrong with what a signing key is named by, or undefined. */
export function signingKeyProblem(format: 'ssh' | 'openpgp', key: string): string | undefined {
  if (key.startsWith('-')) return 'must not begin with "-"'
  return format === 'ssh' ? pathProblem(key) : undefined
}

/** What is wrong with the fingerprint of an OpenPGP key, or undefined. */
export function fingerprintProblem(fingerprint: string): string | undefined {
  return /^(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$/.test(fingerprint.replaceAll(' ', ''))
    ? undefined
    : 'is no fingerprint of 40 or 64 hexadecimal digits: gpg --list-keys shows it'
}

/** What is wrong with the name of an environment variable, or undefined. The answer never repeats it. */
export function variableProblem(name: string): string | undefined {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name)
    ? undefined
    : 'is no name of an environment variable: name the variable that holds the password, not the password'
}

/** User names that are access tokens: of GitHub and of GitLab. */
const tokenName = /^(?:gh[a-z]_|github_pat_|gl[a-z]+-)/

function holdsCredential(remote: string): boolean {
  if (!remote.includes('://')) return false
  if (!URL.canParse(remote)) return /:\/\/[^@]*:[^@]*@/.test(remote)
  const { username, password } = new URL(remote)
  return password !== '' || tokenName.test(username)
}

/** What is wrong with the name of a git branch, or undefined. */
export function branchProblem(branch: string): string | undefined {
  if (branch === '') return 'is empty'
  if (branch.startsWith('-')) return 'must not begin with "-"'
  if (!isBranchName(branch)) return `${JSON.stringify(branch)} is no name of a git branch`
  return undefined
}
