/** Walks over commits, and over all that they hold. */

import { RowbackError } from '../../errors.ts'
import type { Commit } from '../commit.ts'
import { parseCommit } from '../commit.ts'
import type { ObjectType } from '../objects.ts'
import type { EmbeddedObjects } from './objects.ts'
import { taggedBy } from './revision.ts'
import { isSubmodule, isTree, parseTree } from './trees.ts'

/** The longest commit that is read, in bytes: a line for each of a hundred thousand tables. */
export const longestCommit = 2 ** 24

/** Commits that `from` reaches, newest first as `git rev-list` has them; those that `isKnown` and what is behind them are left out. */
export async function* commitsFrom(
  objects: EmbeddedObjects,
  from: string,
  isKnown: (oid: string) => boolean = () => false,
): AsyncGenerator<Commit> {
  const seen = new Set<string>()
  const next: { commit: Commit; time: number }[] = []
  const add = async (oid: string): Promise<void> => {
    if (seen.has(oid) || isKnown(oid)) return
    seen.add(oid)
    const content = await objects.read(oid, 'commit', longestCommit)
    const time = committedAt(content)
    const older = next.findIndex((other) => other.time < time)
    next.splice(older < 0 ? next.length : older, 0, { commit: parseCommit(oid, content), time })
  }
  await add(from)
  for (let first = next.shift(); first; first = next.shift()) {
    for (const parent of first.commit.parents) await add(parent)
    yield first.commit
  }
}

function committedAt(content: Buffer): number {
  return Number(/^committer .*> (\d+) [+-]\d{4}$/m.exec(content.toString('latin1'))?.[1] ?? 0)
}

/** An object that something names. */
export interface NamedObject {
  oid: string
  /** What it is said to be; undefined for what a ref or a tag names. */
  type: ObjectType | undefined
  /** Where it was first seen; empty for commits, tags and their trees. */
  path: string
  /** Throws RowbackError where it is missing or damaged. */
  read: () => Promise<{ type: ObjectType; content: Buffer }>
}

/**
 * Every object that the roots reach, each once. It is read when the caller does so, and what it names comes only
 * after that; one that the caller could not read names nothing.
 */
export async function* reachable(
  objects: EmbeddedObjects,
  roots: Iterable<string>,
): AsyncGenerator<NamedObject> {
  const seen = new Set<string>()
  const next: Omit<NamedObject, 'read'>[] = []
  const add = (oid: string, type: ObjectType | undefined, path: string): void => {
    if (seen.has(oid)) return
    seen.add(oid)
    next.push({ oid, type, path })
  }
  for (const oid of roots) add(oid, undefined, '')
  for (let named = next.pop(); named; named = next.pop()) {
    const { oid, path } = named
    yield {
      ...named,
      read: async () => {
        const object = await objects.readAny(oid)
        const tagged = object.type === 'tag' ? taggedBy(object) : undefined
        if (tagged !== undefined) add(tagged, undefined, '')
        if (object.type === 'commit') {
          const { tree, parents } = linksOf(oid, object.content)
          for (const parent of parents) add(parent, 'commit', '')
          add(tree, 'tree', '')
        }
        if (object.type === 'tree')
          for (const entry of parseTree(oid, object.content)) {
            if (isSubmodule(entry)) continue
            const inner = path === '' ? `${entry.name}` : `${path}/${entry.name}`
            add(entry.oid, isTree(entry) ? 'tree' : 'blob', inner)
          }
        return object
      },
    }
  }
}

/** What a commit leads to, however the rest of it is worded. Throws RowbackError('repository') where git finds none either. */
function linksOf(oid: string, content: Buffer): { tree: string; parents: string[] } {
  const text = content.toString('latin1')
  const [links = '', tree] = /^tree ([0-9a-f]{40})\n(?:parent [0-9a-f]{40}\n)*/.exec(text) ?? []
  if (tree === undefined || text.startsWith('parent ', links.length))
    throw new RowbackError('repository', `read commit ${oid}: it is malformed`)
  return { tree, parents: [...links.matchAll(/^parent (.*)$/gm)].map(([, parent]) => parent as string) }
}
