/**
 * What the last backup of a repository saw of its source: `rowback/state` in its git directory. It is a cache, which
 * may be deleted at any time; whatever does not fit exactly is as if it were not there.
 *
 * The file: SHA-1 of the head, its length in 4 bytes, the head, then the large parts, of which the head says where each is.
 */

import { createHash } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { Agreement, KnownReferences } from './agreement.ts'
import type { AssetFile } from './assets/scan.ts'
import type { BackupOptions } from './backup.ts'
import { formatVersion } from './dump/manifest.ts'
import type { Store } from './git/store.ts'
import { version } from './package.ts'
import type { Source } from './source.ts'
import type { KnownDatabase } from './sqlite/known.ts'
import { databasePrint } from './sqlite/print.ts'
import type { KnownAsset } from './write-tree.ts'

/** What was seen, and the commit that holds it. */
export interface State {
  /** What `stateKey` says; another one makes all of the state void. */
  key: string
  commit: string
  tree: string
  /** By path in the source. */
  databases: Map<string, SeenDatabase>
  assets: Map<string, KnownAsset>
  /** All that is an asset without being a file, as a text. */
  others: string
  /** Undefined where no column was said to name assets. */
  agreement: Agreement | undefined
  references: Packed<KnownReferences> | undefined
  /** Of the whole commit: rows, assets that are files, files of the tree and their bytes. */
  totals: { rows: number; files: number; entries: number; bytes: number }
}

/** A database of the source. */
export interface SeenDatabase {
  /** What `databasePrint` said of it before it was read; undefined where that was not sure. */
  print: string | undefined
  /** Undefined where its pages could not be read. */
  pages: Packed<KnownDatabase> | undefined
}

/**
 * A large part of the state: to see that nothing was written must not take the time to read it. It is in bytes until it is
 * asked for, or still in the file.
 */
export class Packed<T> {
  readonly bytes: () => Promise<Uint8Array>

  constructor(bytes: () => Promise<Uint8Array>) {
    this.bytes = bytes
  }

  static of<T>(value: T): Packed<T> {
    const bytes = serialize(value)
    return new Packed(async () => bytes)
  }

  /** Undefined where the file does not hold it any more. Arrays of it may lie in the bytes that it is read from. */
  async value(): Promise<T | undefined> {
    try {
      return deserialize(await this.bytes()) as T
    } catch {
      return undefined
    }
  }
}

/** Where the file has a part, counted from the end of the head. */
interface Place {
  at: number
  length: number
  checksum: Buffer
}

/** The state as its head has it. */
interface Head extends Omit<State, 'databases' | 'references'> {
  databases: Map<string, { print: string | undefined; pages: Place | undefined }>
  references: Place | undefined
}

/** Everything but the source's content that a tree and what is said of it depend on. */
export function stateKey({ kind, path }: Source, options: StateOptions): string {
  const { excludeTables = [], fullText = 'logical', extensions = [], assets, assetColumns = [] } = options
  const dumped = [excludeTables, fullText, extensions.map(extensionPrint)]
  return JSON.stringify([...layout, kind, path, ...dumped, assets?.rules ?? [], assetColumns])
}

/** What differs once an extension was built anew: its functions may give something else. */
function extensionPrint(path: string): (string | number | undefined)[] {
  const stats = statSync(path, { throwIfNoEntry: false })
  return [path, stats?.size, stats?.mtimeMs]
}

/**
 * What a state must have been written by to be read. The first number goes up with the layout of `State`, and with all that
 * makes another text of the same rows.
 */
const layout = [6, version, formatVersion]

const keyStart = `${JSON.stringify(layout).slice(0, -1)},`

type StateOptions = Pick<
  BackupOptions,
  'excludeTables' | 'fullText' | 'extensions' | 'assets' | 'assetColumns'
>

/** Whether nothing was written to any file of the source since, and none came or went. */
export function isUntouched({ databases, assets }: Source, state: State): boolean {
  const files = assets.filter(({ kind }) => kind === 'file')
  return (
    databases.length === state.databases.size &&
    files.length === state.assets.size &&
    otherAssets(assets) === state.others &&
    files.every(({ path, print }) => print !== undefined && state.assets.get(path)?.print === print) &&
    databases.every(({ path, file }) => {
      const print = state.databases.get(path)?.print
      return print !== undefined && databasePrint(file) === print
    })
  )
}

/** What `State.others` has of these assets. */
export function otherAssets(assets: readonly AssetFile[]): string {
  const others = assets.filter(({ kind }) => kind !== 'file')
  return JSON.stringify(others.map(({ path, kind, mode, target }) => [path, kind, mode, target]))
}

const fileOf = ({ gitDir }: Store): string => join(gitDir, 'rowback', 'state')

/** Whether there is a state, whatever it says. */
export function hasState(store: Store): boolean {
  return existsSync(fileOf(store))
}

/** The state that goes with a commit, whatever its key, or undefined. */
export async function readState(store: Store, commit: string | undefined): Promise<State | undefined> {
  if (commit === undefined) return undefined
  try {
    const name = fileOf(store)
    const { head, end } = await withFile(name, readHead)
    if (!head.key.startsWith(keyStart) || head.commit !== commit) return undefined
    const partAt = <T>(place: Place | undefined): Packed<T> | undefined =>
      place && new Packed(() => withFile(name, (file) => readPart(file, end, place)))
    const databases = [...head.databases].map(
      ([path, { print, pages }]) => [path, { print, pages: partAt<KnownDatabase>(pages) }] as const,
    )
    return { ...head, databases: new Map(databases), references: partAt<KnownReferences>(head.references) }
  } catch {
    return undefined
  }
}

/** Replaces the state; where that cannot be done the old one is removed, or does not fit the branch. */
export async function writeState(store: Store, state: State): Promise<void> {
  const file = fileOf(store)
  const temporary = `${file}.tmp`
  try {
    const content = await stateContent(state)
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(temporary, content, { mode: 0o600 })
    await rename(temporary, file)
  } catch {
    await rm(temporary, { force: true }).catch(() => {})
  }
}

/** What the file is to hold, piece by piece: put together, it would be in memory twice. */
async function stateContent(state: State): Promise<Uint8Array[]> {
  const parts: Uint8Array[] = []
  let end = 0
  const add = async (part: Packed<unknown> | undefined): Promise<Place | undefined> => {
    if (part === undefined) return undefined
    const bytes = await part.bytes()
    parts.push(bytes)
    end += bytes.length
    return { at: end - bytes.length, length: bytes.length, checksum: checksum(bytes) }
  }
  const databases: Head['databases'] = new Map()
  for (const [path, { print, pages }] of state.databases)
    databases.set(path, { print, pages: await add(pages) })
  const references = await add(state.references)
  const head = serialize({ ...state, databases, references } satisfies Head)
  const start = Buffer.alloc(startBytes)
  checksum(head).copy(start)
  start.writeUInt32LE(head.length, checksumBytes)
  return [start, head, ...parts]
}

async function withFile<T>(name: string, read: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(name)
  try {
    return await read(file)
  } finally {
    await file.close()
  }
}

/** The head, and where it ends. Throws where the file is not what was written. */
async function readHead(file: FileHandle): Promise<{ head: Head; end: number }> {
  const start = await readBytes(file, { at: 0, length: startBytes })
  const length = start.readUInt32LE(checksumBytes)
  const place = { at: startBytes, length, checksum: start.subarray(0, checksumBytes) }
  return { head: deserialize(await readPart(file, 0, place)) as Head, end: startBytes + length }
}

async function readPart(
  file: FileHandle,
  from: number,
  { at, length, checksum: sum }: Place,
): Promise<Buffer> {
  const bytes = await readBytes(file, { at: from + at, length })
  if (!checksum(bytes).equals(sum)) throw new RangeError('it is damaged')
  return bytes
}

async function readBytes(file: FileHandle, { at, length }: Pick<Place, 'at' | 'length'>): Promise<Buffer> {
  if (at + length > (await file.stat()).size) throw new RangeError('it is cut off')
  const bytes = Buffer.alloc(length)
  await file.read(bytes, 0, length, at)
  return bytes
}

/** Forgets the state, if it can be written at all. */
export async function dropState(store: Store): Promise<void> {
  await rm(fileOf(store), { force: true }).catch(() => {})
}

const checksumBytes = 20
const startBytes = checksumBytes + 4

function checksum(content: Uint8Array): Buffer {
  return createHash('sha1').update(content).digest()
}
