/** The check of a repository before a proof: damaged objects are named, and healed where a remote has them. */

import { errorText, RowbackError } from './errors.ts'
import { type Damage, damageError, findDamage, pathsOf } from './git/damage.ts'
import { type EngineChoice, installGit } from './git/engine.ts'
import { damagedFolder, heal, removeDamaged } from './git/heal.ts'
import { lockRepository } from './git/lock.ts'
import { openStore } from './git/open-store.ts'
import { type Remote, redactUrl } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { lastRemotes } from './repository.ts'

/** Objects that came back from a remote. */
export interface Healed {
  objects: string[]
  remote: string
}

interface HealOptions {
  repository: string
  branch?: string | undefined
  engine?: EngineChoice | undefined
  /** Asked before those of the last push. */
  remotes?: readonly Remote[] | undefined
}

/**
 * Reads every object of the repository, and brings back what is damaged or missing from the first remote that has it;
 * undefined where nothing is. Throws RowbackError('repository') that names what cannot be brought back.
 */
export async function healRepository({
  repository,
  branch,
  engine,
  remotes = [],
}: HealOptions): Promise<Healed | undefined> {
  const store = await openStore(repository, { branch, engine })
  try {
    if (store.engine === 'embedded') return await expectSound(store)
    const damage = await findDamage(store.gitDir)
    return damage && (await healed(store, damage, await remotesToAsk(store, remotes)))
  } finally {
    await store.close()
  }
}

/** Without git damage is found, of all that refs reach, and not healed. */
async function expectSound(store: Store): Promise<undefined> {
  const embedded = await import('./git/embedded/damage.ts')
  const damage = await embedded.findDamage(store)
  if (damage === undefined) return undefined
  throw damageError(store.dir, damage, damage.paths, {
    remedy: 'and it takes the git program to bring them back',
    hint: `${installGit}; then rowback verify asks the remotes for them`,
  })
}

async function remotesToAsk(store: Store, remotes: readonly Remote[]): Promise<readonly Remote[]> {
  const others = (await lastRemotes(store)).filter((last) => !remotes.some(({ url }) => url === last))
  return [...remotes, ...others.map((url) => ({ url }))]
}

async function healed(store: Store, damage: Damage, remotes: readonly Remote[]): Promise<Healed> {
  const { dir, gitDir, branch } = store
  const paths = await pathsOf(gitDir, branch, damage.objects)
  if (remotes.length === 0)
    throw damageError(dir, damage, paths, {
      remedy: 'and no remote is known that could have them',
      hint: 'rowback push --remote URL of a repository that has them, or copy them from a clone',
    })
  const unlock = await lockRepository(dir)
  try {
    const failures: string[] = []
    for (const remote of remotes) {
      const failure = await healFrom(store, damage, remote)
      if (failure === undefined) return { objects: damage.objects, remote: redactUrl(remote.url) }
      failures.push(failure)
    }
    const left = (await findDamage(gitDir)) ?? damage
    throw damageError(dir, left, paths, {
      remedy: `and ${failures.join('; ')}`,
      hint: 'rowback verify --all, or rowback verify when the remote can be reached',
    })
  } finally {
    await unlock()
  }
}

/** Heals from one remote; returns why that was not enough. */
async function healFrom(store: Store, damage: Damage, remote: Remote): Promise<string | undefined> {
  try {
    await heal(store, damage, remote)
  } catch (error) {
    if (!(error instanceof RowbackError) || error.code !== 'remote') throw error
    return `the remote cannot be asked: ${errorText(error)}`
  }
  if (await findDamage(store.gitDir))
    return `${redactUrl(remote.url)} does not have them; the damaged files are in ${damagedFolder(store.gitDir)}`
  await removeDamaged(store.gitDir)
  return undefined
}
