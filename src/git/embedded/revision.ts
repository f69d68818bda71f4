/** Revisions without git: what gitrevisions(7) calls `<sha1>`, `<refname>`, `<rev>~<n>`, `<rev>^<n>`, `<rev>^{commit}`. */

import { RowbackError } from '../../errors.ts'
import { accessFault } from '../access-fault.ts'
import { parseCommit } from '../commit.ts'
import { installGit } from '../engine.ts'
import { isBranchName, placesOf, refsNamed } from '../ref-name.ts'
import type { Store } from '../store.ts'
import type { EmbeddedObjects, GitObject } from './objects.ts'
import { readRef, soundRefs } from './refs.ts'

/** The full id of the commit that `rev` names; see `Store.resolve`. */
export async function resolveRevision(store: Store, objects: EmbeddedObjects, rev: string): Promise<string> {
  const name = rev.replace(/^latest(?=$|[~^])/, `refs/heads/${store.branch}`)
  const [, base = '', steps = ''] = /^([^~^]*)((?:[~^]\d*|\^\{(?:commit)?\})*)$/.exec(name) ?? []
  const what = `resolve ${JSON.stringify(rev)}`
  const commit = await commitAt(store, objects, base, steps).catch((error: unknown) => {
    if (!(error instanceof RowbackError)) throw error
    const { code, message, hint } = error
    throw new RowbackError(code, `${what}: ${message}`, { hint, cause: error })
  })
  if (commit !== undefined) return commit
  const fault = accessFault(store.gitDir)
  if (fault !== undefined) throw new RowbackError('repository', `${what}: ${fault}`)
  const message = `${what}: no such commit in ${store.dir}`
  if (!/@\{|[:{]/.test(rev)) throw new RowbackError('usage', message, { hint: 'rowback log' })
  throw new RowbackError(
    'usage',
    `${message}, as far as the embedded engine can tell: it knows ids, names, latest, ~ and ^`,
    { hint: installGit },
  )
}

/** Undefined where there is none. Throws RowbackError('repository') where what is on the way is damaged or missing. */
async function commitAt(
  { gitDir, branch }: Store,
  objects: EmbeddedObjects,
  base: string,
  steps: string,
): Promise<string | undefined> {
  const first = await idOf(gitDir, objects, base)
  if (first === undefined) {
    const { broken } = await soundRefs(gitDir)
    const found = broken.find((ref) => refsNamed(base, branch).includes(ref))
    if (found !== undefined)
      throw new RowbackError('repository', `ref ${found} is broken`, { hint: 'rowback verify' })
  }
  return first && walked(objects, first, steps.match(/[~^](?:\d+|\{\w*\})?/g) ?? [])
}

/** The order is git's: a whole id, then refs, then the beginning of an id. */
async function idOf(gitDir: string, objects: EmbeddedObjects, name: string): Promise<string | undefined> {
  if (/^[0-9a-f]{40}$/i.test(name))
    return (await objects.has(name.toLowerCase())) ? name.toLowerCase() : undefined
  const found = await refOf(gitDir, name === '@' ? 'HEAD' : name)
  if (found !== undefined) return found
  return /^[0-9a-f]{4,39}$/i.test(name) ? commitStartingWith(objects, name.toLowerCase()) : undefined
}

/** The one id of a commit, or of a tag that leads to one, that begins with those digits; undefined if there is none, or several. */
async function commitStartingWith(objects: EmbeddedObjects, digits: string): Promise<string | undefined> {
  const all = await objects.startingWith(digits)
  // One that cannot be read is said to be damaged where nothing else can be meant.
  if (all.length === 1) return all[0]
  const found: string[] = []
  for (const oid of all)
    if ((await commitOf(objects, oid).catch(() => undefined)) !== undefined) found.push(oid)
  return found.length === 1 ? found[0] : undefined
}

async function refOf(gitDir: string, name: string): Promise<string | undefined> {
  if (name === 'HEAD') return readRef(gitDir, name).catch(() => undefined)
  if (!isBranchName(name)) return undefined
  for (const place of placesOf(name)) {
    const oid = await readRef(gitDir, place).catch(() => undefined)
    if (oid !== undefined) return oid
  }
  return undefined
}

/** Where the steps lead from an object; undefined if that is no commit. */
async function walked(
  objects: EmbeddedObjects,
  from: string,
  steps: readonly string[],
): Promise<string | undefined> {
  let oid = await commitOf(objects, from)
  for (const step of steps) {
    if (step.endsWith('}')) continue
    const count = step.length > 1 ? Number(step.slice(1)) : 1
    if (step.startsWith('^') && count > 0) oid = await parentOf(objects, oid, count)
    if (step.startsWith('~'))
      for (let left = count; left > 0 && oid !== undefined; left--) oid = await parentOf(objects, oid, 1)
  }
  return oid
}

async function parentOf(
  objects: EmbeddedObjects,
  oid: string | undefined,
  number: number,
): Promise<string | undefined> {
  if (oid === undefined) return undefined
  return parseCommit(oid, await objects.read(oid, 'commit')).parents[number - 1]
}

/** Tags may be about tags; damaged ones about themselves. */
export const mostTags = 10

/** The commit that an object is, or that a tag leads to. Throws RowbackError('repository') for what cannot be read. */
export async function commitOf(objects: EmbeddedObjects, from: string): Promise<string | undefined> {
  let oid: string | undefined = from
  for (let steps = 0; oid !== undefined && steps < mostTags; steps++) {
    const object: GitObject = await objects.readAny(oid)
    if (object.type === 'commit') return oid
    oid = object.type === 'tag' ? taggedBy(object) : undefined
  }
  return undefined
}

/** What a tag object is about. */
export function taggedBy({ content }: GitObject): string | undefined {
  return /^object ([0-9a-f]{40})\n/.exec(content.toString('latin1', 0, 48))?.[1]
}
