/** The check of a repository before a proof: damaged objects are named, and healed where a remote has them. */

import { errorText, RowbackError } from './errors.ts'
import { type Damage, damageError, findDamage, pathsOf } from './git/damage.ts'
import { damagedFolder, heal, removeDamaged } from './git/heal.ts'
import { lockRepository } from './git/lock.ts'
import { openStore } from './git/open-store.ts'
import { type Remote, redactUrl } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { remotesToAsk } from './repository.ts'

/** Objects that came back from a remote. */
export interface Healed {
  objects: string[]
  remote: string
}

interface HealOptions {
  repository: string
  branch?: string | undefined
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
  remotes = [],
}: HealOptions): Promise<Healed | undefined> {
  const store = await openStore(repository, { branch })
  try {
    const damage = await findDamage(store.gitDir)
    return damage && (await healed(store, damage, await remotesToAsk(store, remotes)))
  } finally {
    await store.close()
  }
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
