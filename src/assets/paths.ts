/** Paths of assets: which are safe, how they are sorted, stored in git and shown. Pure. */

/** The longest path, in bytes of UTF-8, with its closing NUL: PATH_MAX of Linux. */
const longestPath = 4096

/**
 * Whether a path is relative, stays below its root and can be made: components without `.`, `..` or nothing,
 * no NUL, no lone surrogate, less than 4096 bytes. A backslash is a character as any other, as on Linux; on
 * Windows such a path must not be restored.
 */
export function isSafePath(path: string): boolean {
  if (/[\0\p{Surrogate}]/u.test(path) || Buffer.byteLength(path) >= longestPath) return false
  return path.split('/').every((component) => component !== '' && component !== '.' && component !== '..')
}

/** The path of the directory that holds a path; empty for one that stands at the root. */
export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** Compares by the bytes of UTF-8, which is the order of code points. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const unitA = a.charCodeAt(index)
    const unitB = b.charCodeAt(index)
    if (unitA !== unitB) return utf8Rank(unitA) - utf8Rank(unitB)
  }
  return a.length - b.length
}

/** Half of a surrogate pair is a code point from U+10000 on, and sorts behind U+E000 to U+FFFF. */
function utf8Rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit
}

/**
 * The path of an asset's content below `assets/` in git: the same path, but a component that git refuses
 * (`.git` and what NTFS and HFS+ take for it: fsck's hasDotgit), or that git would obey (`.gitattributes` can
 * keep files out of `git archive`; fsck parses each `.gitmodules`), has its first character as `%XX`. So has a
 * component that begins with `%` and two digits, which makes the mapping injective. A backslash separates here
 * as `/` does: git looks for `.git` behind it.
 */
export function storedPath(path: string): string {
  return path
    .split(/([/\\])/)
    .map(storedComponent)
    .join('')
}

function storedComponent(component: string): string {
  if (!isRefused(component) && !/^%[0-9A-F]{2}/.test(component)) return component
  const [first = '', ...rest] = component
  return percentEncoded(first) + rest.join('')
}

function percentEncoded(character: string): string {
  const hex = Buffer.from(character).toString('hex').toUpperCase()
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

/** What would mislead a reader or a terminal; U+FFFD stands for bytes that are no UTF-8. */
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
