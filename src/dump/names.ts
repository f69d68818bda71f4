/** Names that become parts of a path in the repository: pure, injective, and safe on every file system. */

import { createHash } from 'node:crypto'

/** Names that Windows reserves in any folder, with or without an ending. */
const reserved = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i

const longestPart = 100

/**
 * The path part of a name. ASCII letters, digits, `_`, `-` and `.` stay; every other byte of its UTF-8 becomes
 * `%XX`, and so do a leading `.` or `-`, a trailing `.` and the first letter of a reserved name. The empty
 * name is `%`; a part over 100 bytes is cut and ends in `~` and a digest. Names that differ give parts that
 * differ, also after case folding where the names themselves do (SQLite folds ASCII letters only).
 */
export function pathPart(name: string): string {
  if (name === '') return '%'
  let part = ''
  for (const byte of Buffer.from(name)) part += isPlain(byte) ? String.fromCharCode(byte) : escaped(byte)
  if (/^[.-]/.test(part) || reserved.test(part)) part = escaped(part.charCodeAt(0)) + part.slice(1)
  if (part.endsWith('.')) part = `${part.slice(0, -1)}%2E`
  if (part.length <= longestPart) return part
  return `${part.slice(0, 60)}~${digest(name)}`
}

function isPlain(byte: number): boolean {
  return /[A-Za-z0-9_.-]/.test(String.fromCharCode(byte))
}

function escaped(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

/** The first 128 bits of a SHA-256 in hexadecimal digits. */
export function digest(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex').slice(0, 32)
}
