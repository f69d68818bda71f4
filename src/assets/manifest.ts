/** The asset manifest: one line of canonical JSON for each asset. Pure; a line has exactly one text. */

import { RowbackError } from '../errors.ts'
import { isBytesText, isSafeAssetPath, textBytes } from './paths.ts'

export interface FileEntry {
  kind: 'file'
  /** Relative to the source, separated by `/`. */
  path: string
  /** In bytes. */
  size: number
  /** The nine permission bits. */
  mode: number
  /** Nanoseconds since 1970, negative before. */
  mtimeNs: bigint
  /** 64 hexadecimal digits. */
  sha256: string
  /** Where the file did not stop changing while it was read: the content may be a mixture. */
  unstable?: true
  /** Where the content is in Git LFS, and the tree has a pointer to it. */
  lfs?: true
}

/** A file whose content is not kept. */
export interface ListedEntry extends Omit<FileEntry, 'kind' | 'lfs'> {
  kind: 'listed'
}

/** A file or directory that could not be read. */
export interface UnreadableEntry {
  kind: 'unreadable'
  path: string
}

export interface SymlinkEntry {
  kind: 'symlink'
  path: string
  /** The text of the link, which may lead anywhere. */
  target: string
}

/** A directory that is empty or whose mode is not 0755. */
export interface DirectoryEntry {
  kind: 'directory'
  path: string
  mode: number
}

export type AssetEntry = FileEntry | ListedEntry | SymlinkEntry | DirectoryEntry | UnreadableEntry

/** The assets that are files with content: those that are counted. */
export function fileEntries(entries: readonly AssetEntry[]): FileEntry[] {
  return entries.filter((entry) => entry.kind === 'file')
}

/** The manifest line of an entry, without a line feed: its keys in the order of the format. */
export function assetLine(entry: AssetEntry): string {
  const { path } = entry
  if (entry.kind === 'unreadable') return JSON.stringify({ path, unreadable: true })
  if (entry.kind === 'symlink') return JSON.stringify({ path, symlink: entry.target })
  const mode = modeText(entry.mode)
  if (entry.kind === 'directory') return JSON.stringify({ path, directory: true, mode })
  return JSON.stringify({
    path,
    size: entry.size,
    mode,
    mtime: mtimeText(entry.mtimeNs),
    sha256: entry.sha256,
    ...(entry.unstable ? { unstable: true } : {}),
    ...(entry.kind === 'listed' ? { store: 'manifest' } : entry.lfs ? { store: 'lfs' } : {}),
  })
}

/** The entry of a manifest line. Throws a `dump` error unless `assetLine` gives the same line again. */
export function parseAssetLine(line: string): AssetEntry {
  const entry = entryOf(jsonObject(line), line)
  if (!isSafeAssetPath(entry.path)) throw lineError(line, 'its path is not safe')
  if (assetLine(entry) !== line) throw lineError(line, 'it is not in canonical form')
  return entry
}

function entryOf(fields: Record<string, unknown>, line: string): AssetEntry {
  const { path, mode, symlink, directory, unreadable } = fields
  if (typeof path !== 'string') throw lineError(line, 'it has no path')
  switch (
    Object.keys(fields)
      .join()
      .replace(/^(path,size,mode,mtime,sha256)(,unstable)?(,store)?$/, '$1')
  ) {
    case 'path,size,mode,mtime,sha256':
      return fileOf({ ...fields, path }, line)
    case 'path,symlink':
      if (!isLinkTarget(symlink)) throw lineError(line, 'its symlink has no valid target')
      return { kind: 'symlink', path, target: symlink }
    case 'path,directory,mode':
      if (directory !== true) throw lineError(line, 'its directory is not true')
      return { kind: 'directory', path, mode: modeOf(mode, line) }
    case 'path,unreadable':
      if (unreadable !== true) throw lineError(line, 'its unreadable is not true')
      return { kind: 'unreadable', path }
    default:
      throw lineError(line, 'its keys are not those of a file, a symlink or a directory')
  }
}

function fileOf(
  { path, size, mode, mtime, sha256, unstable, store }: Record<string, unknown> & { path: string },
  line: string,
): FileEntry | ListedEntry {
  if (!Number.isSafeInteger(size) || (size as number) < 0)
    throw lineError(line, 'its size is no number of bytes')
  if (!matches(sha256, /^[0-9a-f]{64}$/)) throw lineError(line, 'its sha256 is none')
  if (unstable !== undefined && unstable !== true) throw lineError(line, 'its unstable is not true')
  if (store !== undefined && store !== 'manifest' && store !== 'lfs')
    throw lineError(line, 'its store is neither "lfs" nor "manifest"')
  if (store === 'lfs' && size === 0) throw lineError(line, 'Git LFS has no empty files')
  const facts = {
    path,
    size: size as number,
    mode: modeOf(mode, line),
    mtimeNs: mtimeOf(mtime, line),
    sha256,
    ...(unstable ? ({ unstable: true } as const) : {}),
  }
  if (store === 'manifest') return { kind: 'listed', ...facts }
  return { kind: 'file', ...facts, ...(store === 'lfs' ? { lfs: true } : {}) }
}

function jsonObject(line: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (cause) {
    throw lineError(line, 'it is no JSON', cause)
  }
  if (typeof value !== 'object' || value === null) throw lineError(line, 'it is no JSON object')
  return value as Record<string, unknown>
}

function matches(value: unknown, pattern: RegExp): value is string {
  return typeof value === 'string' && pattern.test(value)
}

/** The text that symlink(2) takes: not empty, no NUL, less than 4096 bytes. */
function isLinkTarget(value: unknown): value is string {
  return matches(value, /^[^\0]+$/) && isBytesText(value) && textBytes(value).length < 4096
}

/** Four octal digits. */
export function modeText(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

function modeOf(mode: unknown, line: string): number {
  if (!matches(mode, /^0[0-7]{3}$/)) throw lineError(line, 'its mode is not 0000 to 0777')
  return Number.parseInt(mode, 8)
}

/** Seconds with nine decimals; before 1970 the same with a minus sign. */
export function mtimeText(ns: bigint): string {
  const digits = (ns < 0n ? -ns : ns).toString().padStart(10, '0')
  return `${ns < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`
}

function mtimeOf(mtime: unknown, line: string): bigint {
  if (!matches(mtime, /^-?\d{1,19}\.\d{9}$/))
    throw lineError(line, 'its mtime is not seconds with nine decimals')
  return BigInt(mtime.replace('.', ''))
}

function lineError(line: string, problem: string, cause?: unknown): RowbackError {
  const shown = line.length > 200 ? `${line.slice(0, 200)}…` : line
  return new RowbackError('dump', `read asset manifest: ${problem}: ${JSON.stringify(shown)}`, { cause })
}
