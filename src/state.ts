/**
 * What the last backup of a repository saw of its source: `rowback/state` in its git directory. It is a cache, which
 * may be deleted at any time; whatever does not fit exactly is as if it were not there.
 */

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { deserialize, serialize } from 'node:v8'
import type { Agreement, KnownReferences } from './agreement.ts'
import type { AssetFile } from './assets/scan.ts'
import type { BackupOptions } from './backup.ts'
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

/** A large part of the state, in bytes of its own: to see that nothing was written must not take the time to read it. */
export type Packed<T> = Uint8Array & { readonly packed?: T }

export function packed<T>(value: T): Packed<T> {
  return serialize(value)
}

export function unpacked<T>(bytes: Packed<T>): T {
  return deserialize(bytes) as T
}

/** Everything but the source's content that a tree and what is said of it depend on. */
export function stateKey({ kind, path }: Source, options: StateOptions): string {
  const { excludeTables = [], fullText = 'logical', extensions = [], assets, assetColumns = [] } = options
  const dumped = [excludeTables, fullText, extensions]
  return JSON.stringify([...layout, kind, path, ...dumped, assets?.rules ?? [], assetColumns])
}

/** What a state must have been written by to be read: the version of the layout of `State`, and of all else. */
const layout = [3, version]

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
    const bytes = await readFile(fileOf(store))
    const content = bytes.subarray(checksumBytes)
    if (!checksum(content).equals(bytes.subarray(0, checksumBytes))) return undefined
    const state = deserialize(content) as State
    return state.key.startsWith(keyStart) && state.commit === commit ? state : undefined
  } catch {
    return undefined
  }
}

/** Replaces the state; where that cannot be done the old one is removed, or does not fit the branch. */
export async function writeState(store: Store, state: State): Promise<void> {
  const content = serialize(state)
  const file = fileOf(store)
  const temporary = `${file}.tmp`
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await writeFile(temporary, Buffer.concat([checksum(content), content]), { mode: 0o600 })
    await rename(temporary, file)
  } catch {
    await rm(temporary, { force: true }).catch(() => {})
  }
}

/** Forgets the state, if it can be written at all. */
export async function dropState(store: Store): Promise<void> {
  await rm(fileOf(store), { force: true }).catch(() => {})
}

const checksumBytes = 20

function checksum(content: Buffer): Buffer {
  return createHash('sha1').update(content).digest()
}
