/** Finds objects that are damaged or missing without git: all that refs reach are read, and hashed. */

import { errorText } from '../../errors.ts'
import type { Damage } from '../damage.ts'
import type { Store } from '../store.ts'
import { objectOid } from '../tree.ts'
import { EmbeddedObjects, type GitObject } from './objects.ts'
import { soundRefs } from './refs.ts'
import { type NamedObject, reachable } from './walk.ts'

/**
 * What is damaged of the objects that the refs of a repository reach, and where its trees have it: paths by id; undefined
 * if nothing is.
 */
export async function findDamage(
  store: Store,
): Promise<(Damage & { paths: ReadonlyMap<string, string> }) | undefined> {
  const objects = new EmbeddedObjects(store.gitDir, { isStrict: true })
  const { oids: roots } = await soundRefs(store.gitDir)
  const paths = new Map<string, string>()
  const lines = new Set<string>()
  const damaged: string[] = []
  for await (const named of reachable(objects, roots)) {
    const finding = await findingOf(named)
    if (finding === undefined) continue
    damaged.push(named.oid)
    lines.add(finding)
    if (named.path !== '') paths.set(named.oid, named.path)
  }
  if (damaged.length === 0) return undefined
  return { objects: damaged, packs: [], loose: [], lines: [...lines], paths }
}

/** What is wrong with an object; undefined if nothing is. */
async function findingOf({ oid, type, read }: NamedObject): Promise<string | undefined> {
  let object: GitObject
  try {
    object = await read()
  } catch (error) {
    return errorText(error)
  }
  if (type !== undefined && object.type !== type) return `object ${oid} is a ${object.type}, not a ${type}`
  const found = objectOid(object.type, object.content).toString('hex')
  return found === oid ? undefined : `object ${oid} has the content of ${found}`
}
