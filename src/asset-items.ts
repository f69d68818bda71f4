/** What differs of the assets of two trees: contents, and all else that the asset manifest says. Pure. */

import type { AssetChanges } from './asset-changes.ts'
import {
  type AssetEntry,
  assetLine,
  type FileEntry,
  type ListedEntry,
  modeText,
  mtimeText,
} from './assets/manifest.ts'
import { comparePaths, storedPath } from './assets/paths.ts'

/** An asset that differs; one that has become something else is removed and added. */
export interface AssetItem {
  type: 'asset'
  /** As the tree has it. */
  path: string
  kind: keyof AssetChanges
  /** What it is, where it is no file. */
  what?: 'symlink' | 'directory' | 'unreadable'
  /** What differs beside the content; a time only where the content is the same. */
  facts?: AssetFact[]
  /** Where no content differs, only what the asset manifest says. */
  manifestOnly?: true
}

/** Something that the asset manifest says of an asset, in its words. */
export interface AssetFact {
  name: 'mode' | 'store' | 'unstable' | 'mtime' | 'target'
  before?: string
  after?: string
}

/** The entries of both asset manifests, or those of their files that differ. */
export interface EntrySides {
  before: readonly AssetEntry[]
  after: readonly AssetEntry[]
}

/** The items by path. `contents` is what became of contents, by paths as the tree has them. */
export function assetItems(contents: AssetChanges, { before, after }: EntrySides): AssetItem[] {
  const kinds = new Map<string, AssetItem['kind']>()
  for (const kind of ['added', 'changed', 'removed'] as const)
    for (const path of contents[kind]) kinds.set(path, kind)
  const [old, now] = [byPath(before), byPath(after)]
  const items: AssetItem[] = []
  for (const path of new Set([...old.keys(), ...now.keys()])) {
    const stored = storedPath(path)
    items.push(...itemsAt(stored, old.get(path), now.get(path), kinds.get(stored)))
    kinds.delete(stored)
  }
  for (const [path, kind] of kinds) items.push({ type: 'asset', path, kind })
  return items.sort((a, b) => comparePaths(a.path, b.path))
}

function byPath(entries: readonly AssetEntry[]): Map<string, AssetEntry> {
  return new Map(entries.map((entry) => [entry.path, entry]))
}

/** What differs at one path; `content` is what became of the content that the tree has there. */
function itemsAt(
  path: string,
  old: AssetEntry | undefined,
  now: AssetEntry | undefined,
  content: AssetItem['kind'] | undefined,
): AssetItem[] {
  if (isFile(old) && isFile(now)) return fileItems(path, old, now, content)
  if (old && now && old.kind === now.kind)
    return assetLine(old) === assetLine(now) ? [] : [item(path, 'changed', old, now)]
  return [
    ...(old ? [item(path, 'removed', old, undefined)] : []),
    ...(now ? [item(path, 'added', undefined, now)] : []),
  ]
}

type AnyFile = FileEntry | ListedEntry

function isFile(entry: AssetEntry | undefined): entry is AnyFile {
  return entry?.kind === 'file' || entry?.kind === 'listed'
}

/** What differs of a file that both sides have; its content may come or go by the rules for assets. */
function fileItems(
  path: string,
  old: AnyFile,
  now: AnyFile,
  content: AssetItem['kind'] | undefined,
): AssetItem[] {
  const kind = content ?? (old.sha256 === now.sha256 ? undefined : 'changed')
  const facts = differing([
    { name: 'mode', before: modeText(old.mode), after: modeText(now.mode) },
    { name: 'store', before: storeOf(old), after: storeOf(now) },
    { name: 'unstable', before: yesOrNo(old.unstable), after: yesOrNo(now.unstable) },
    ...(kind === undefined ? [mtimeFact(old, now)] : []),
  ])
  if (kind !== undefined) return [{ type: 'asset', path, kind, ...(facts.length > 0 ? { facts } : {}) }]
  return facts.length > 0 ? [{ type: 'asset', path, kind: 'changed', facts, manifestOnly: true }] : []
}

function mtimeFact(old: AnyFile, now: AnyFile): AssetFact {
  return { name: 'mtime', before: mtimeText(old.mtimeNs), after: mtimeText(now.mtimeNs) }
}

function storeOf(entry: AnyFile): string {
  return entry.kind === 'listed' ? 'manifest' : entry.lfs ? 'lfs' : 'git'
}

function yesOrNo(flag: true | undefined): string {
  return flag ? 'yes' : 'no'
}

function differing(facts: AssetFact[]): AssetFact[] {
  return facts.filter(({ before, after }) => before !== after)
}

/** What comes or goes, or is no file and has changed. */
function item(
  path: string,
  kind: AssetItem['kind'],
  old: AssetEntry | undefined,
  now: AssetEntry | undefined,
): AssetItem {
  const { kind: what } = (now ?? old) as AssetEntry
  if (what === 'file' || what === 'listed') return { type: 'asset', path, kind }
  const name = what === 'symlink' ? 'target' : 'mode'
  const [before, after] = [valueIn(old), valueIn(now)]
  const fact = {
    name,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  }
  const facts = what === 'unreadable' ? {} : { facts: [fact as AssetFact] }
  return { type: 'asset', path, kind, what, ...facts, manifestOnly: true }
}

/** Where a symlink leads, or the mode of a directory. */
function valueIn(entry: AssetEntry | undefined): string | undefined {
  if (entry?.kind === 'symlink') return entry.target
  return entry?.kind === 'directory' ? modeText(entry.mode) : undefined
}
