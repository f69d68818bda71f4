/** The check of a repository before a proof: damaged objects are named, and healed where a remote has them. */

import { errorText, RowbackError } from './errors.ts'
import { type Damage, damageError, findDamage, pathsOf } from './git/damage.ts'
import { damagedFolder, heal, removeDamaged } from './git/heal.ts'
import { lockRepository } from './git/lock.ts'
import { openStore } from './git/open-store.ts'
import { redactUrl } from './git/remote-url.ts'
import type { Store } from './git/store.ts'

/** The setting of a repository that names the remote of the last push. */
const remoteKey = 'rowback.remote'

/** Objects that came back from a remote. */
export interface Healed {
  objects: string[]
  remote: string
}

/**
 * Reads every object of the repository, and brings back what is damaged or missing from the remote of the last push;
 * undefined where nothing is. Throws RowbackError('repository') that names what cannot be brought back.
 */
export async function healRepository(repository: string, branch?: string): Promise<Healed | undefined> {
  const store = await openStore(repository, { branch })
  try {
    const damage = await findDamage(store.gitDir)
    return damage && (await healed(store, damage))
  } finally {
    await store.close()
  }
}

async function healed(store: Store, damage: Damage): Promise<Healed> {
  const { dir, gitDir, branch } = store
  const paths = await pathsOf(gitDir, branch, damage.objects)
  const remote = await store.config(remoteKey)
  if (remote === undefined)
    throw damageError(dir, damage, paths, {
      remedy: 'and no remote is known that could have them',
      hint: 'rowback push --remote URL of a repository that has them, or copy them from a clone',
    })
  const unlock = await lockRepository(dir)
  try {
    await heal(store, damage, remote)
    const left = await findDamage(gitDir)
    if (left)
      throw damageError(dir, left, paths, {
        remedy: `and ${redactUrl(remote)} does not have them; the damaged files are in ${damagedFolder(gitDir)}`,
        hint: 'rowback verify --all',
      })
    await removeDamaged(gitDir)
    return { objects: damage.objects, remote: redactUrl(remote) }
  } catch (error) {
    if (!(error instanceof RowbackError) || error.code !== 'remote') throw error
    throw damageError(dir, damage, paths, {
      remedy: `and the remote cannot be asked: ${errorText(error)}`,
      hint: 'rowback verify, when the remote can be reached',
    })
  } finally {
    await unlock()
  }
}
