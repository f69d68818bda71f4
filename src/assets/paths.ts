/**
 * Paths of assets: their text and their bytes, which are safe, how they are sorted, stored in git and shown. Pure.
 *
 * A path is text; where a name is not UTF-8, each byte that belongs to no character is the lone surrogate U+DC00 plus
 * the byte (Python's surrogateescape, PEP 383). No UTF-8 text holds one, so other bytes always give another text.
 */

import { isUtf8 } from 'node:buffer'

/** The longest path, in bytes of UTF-8, with its closing NUL: PATH_MAX of Linux. */
const longestPath = 4096

/** The text of bytes that a file system has for a name, a path or the target of a symlink. */
export function bytesText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8')
  let text = ''
  for (let at = 0; at < bytes.length; ) {
    const length = characterLength(bytes, at)
    text +=
      length === 0
        ? String.fromCharCode(0xdc00 + (bytes[at] as number))
        : bytes.toString('utf8', at, at + length)
    at += Math.max(1, length)
  }
  return text
}

/** The length of the UTF-8 character that begins at `at`; 0 where none does. */
function characterLength(bytes: Buffer, at: number): number {
  const first = bytes[at] as number
  const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
  return at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0
}

/** The bytes that a text stands for. */
export function textBytes(text: string): Buffer {
  if (!holdsBytes(text)) return Buffer.from(text)
  const parts = text
    .split(/(\p{Surrogate})/u)
    .map((part) => (holdsBytes(part) ? Buffer.from([part.charCodeAt(0) & 0xff]) : Buffer.from(part)))
  return Buffer.concat(parts)
}

/** Whether a text stands for bytes that are not UTF-8. */
export function holdsBytes(text: string): boolean {
  return escapedByte.test(text)
}

const escapedByte = /[\udc80-\udcff]/u

/** The path of an asset below a directory, as the file system takes it. */
export function fileAt(dir: string, path: string): string | Buffer {
  const file = path === '' ? dir : `${dir}/${path}`
  return holdsBytes(path) ? textBytes(file) : file
}

/**
 * Whether a path is relative, stays below its root and can be made: components without `.`, `..` or nothing,
 * no NUL, no lone surrogate, less than 4096 bytes. A backslash is a character as any other, as on Linux; on
 * Windows such a path must not be restored.
 */
export function isSafePath(path: string): boolean {
  return !/\p{Surrogate}/u.test(path) && isSafeAssetPath(path)
}

/** The same for the path of an asset, which may stand for bytes that are not UTF-8, if it is the text of its bytes. */
export function isSafeAssetPath(path: string): boolean {
  if (path.includes('\0') || !isBytesText(path) || textBytes(path).length >= longestPath) return false
  return path.split('/').every((component) => component !== '' && component !== '.' && component !== '..')
}

/** Whether a text is the one of its bytes: no other lone surrogates, and none that make a character together. */
export function isBytesText(text: string): boolean {
  return !/\p{Surrogate}/u.test(text) || bytesText(textBytes(text)) === text
}

/** The path of the directory that holds a path; empty for one that stands at the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** Compares by the bytes, which in UTF-8 is the order of code points. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const unitA = a.charCodeAt(index)
    const unitB = b.charCodeAt(index)
    if (unitA === unitB) continue
    if (mayBeByte(unitA) || mayBeByte(unitB)) return Buffer.compare(textBytes(a), textBytes(b))
    return utf8Rank(unitA) - utf8Rank(unitB)
  }
  return a.length - b.length
}

function mayBeByte(unit: number): boolean {
  return unit >= 0xdc80 && unit <= 0xdcff
}

/** Half of a surrogate pair is a code point from U+10000 on, and sorts behind U+E000 to U+FFFF. */
function utf8Rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/**
 * The path of an asset's content below `assets/` in git: the same path, but a component that git refuses
 * (`.git` and what NTFS and HFS+ take for it: fsck's hasDotgit), or that git would obey (`.gitattributes` can
 * keep files out of `git archive`; fsck parses each `.gitmodules`), has its first character as `%XX`. So has a
 * component that begins with `%` and two digits, which makes the mapping injective. One that is not UTF-8 begins with
 * `%FF`, as nothing else can, and has each byte that belongs to no character, and each `%`, as `%XX`. A backslash
 * separates here as `/` does: git looks for `.git` behind it.
 */
export function storedPath(path: string): string {
  return path
    .split(/([/\\])/)
    .map(storedComponent)
    .join('')
}

function storedComponent(component: string): string {
  if (holdsBytes(component)) return `%FF${component.replace(/%|[\udc80-\udcff]/gu, percentEncoded)}`
  if (!isRefused(component) && !/^%[0-9A-F]{2}/.test(component)) return component
  const [first = '', ...rest] = component
  return percentEncoded(first) + rest.join('')
}

function percentEncoded(character: string): string {
  const hex = textBytes(character).toString('hex').toUpperCase()
  return hex.replace(/../g, '%$&')
}

/** Characters that HFS+ ignores in a name: git's utf8.c, next_hfs_char. */
const hfsIgnored = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

/** The names, and the short names that NTFS may give them: git's path.c, is_ntfs_dotgit and is_ntfs_dot_generic. */
const refused = /^(?:\.git|git~1|\.gitmodules|gitmod~[1-4]|\.gitattributes|gitatt~[1-4])$/

/** The short names, of eight characters, that NTFS makes of a digest: the prefixes gi7eba and gi7d29. */
const digestName = /^(?=.{8}$)(?:g|gi|gi7|gi7e|gi7eb|gi7eba|gi7d|gi7d2|gi7d29)?~[1-9][0-9]*$/

function isRefused(component: string): boolean {
  // NTFS ends a name at a colon and drops the spaces and dots at its end.
  const name = component
    .replace(hfsIgnored, '')
    .replace(/:.*$/s, '')
    .replace(/[ .]+$/, '')
    .toLowerCase()
  return refused.test(name) || digestName.test(name)
}

/** What would mislead a reader or a terminal, bytes that are not UTF-8 included. */
const misleading = /[\s"\ufffd\p{C}]/u

/** A path as messages show it: as it is, or as JSON where anything in it would mislead. */
export function shownPath(path: string): string {
  if (!misleading.test(path)) return path
  return JSON.stringify(path).replace(/[^ -~]/gu, (found) =>
    misleading.test(found) ? escaped(found) : found,
  )
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index))
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('')
}

/** The directories that a path is in, the outermost first. */
export function foldersAbove(path: string): string[] {
  const parts = path.split('/')
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'))
}
