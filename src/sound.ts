/** The check of a repository beside or before a proof: damaged objects are named, and healed where they can be had. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { errorText, RowbackError } from './errors.ts'
import { accessFault } from './git/access-fault.ts'
import { brokenRefs } from './git/branch.ts'
import { type Damage, damageError, findDamage, pathsOf } from './git/damage.ts'
import { type EngineChoice, installGit } from './git/engine.ts'
import { damagedFolder, heal, healHere, removeDamaged, salvageAll } from './git/heal.ts'
import { lockRepository } from './git/lock.ts'
import { looseFile } from './git/loose-object.ts'
import { openStore } from './git/open-store.ts'
import type { SettledRemote } from './git/remote-address.ts'
import { isOfOneRemote } from './git/remote-git.ts'
import { type Remote, redactUrl } from './git/remote-url.ts'
import type { Store } from './git/store.ts'
import { remotesToAsk } from './repository.ts'
import { shellWord } from './shell.ts'

/** Objects that came back. */
export interface Healed {
  objects: string[]
  /** Where from; undefined where the repository itself had them. */
  remote?: string
}

interface HealOptions {
  repository: string
  branch?: string | undefined
  engine?: EngineChoice | undefined
  /** Asked before those of the last push. */
  remotes?: readonly Remote[] | undefined
}

/**
 * Runs `use` while every object of the repository is read, and once more if some had to be healed; see `healRepository`
 * for what is thrown. Git reads in one thread, and what `use` found in damaged objects does not count.
 */
export async function besideSoundCheck<T>(
  options: HealOptions,
  use: () => Promise<T>,
): Promise<{ value: T; healed?: Healed }> {
  return withStore(options, async (store) => {
    const [found, used] = await Promise.allSettled([damageOf(store), use()])
    if (found.status === 'rejected') throw found.reason
    if (found.value) {
      const healed = await bringBack(store, found.value, options.remotes)
      await refuseBrokenRefs(store)
      return { value: await use(), healed }
    }
    await refuseBrokenRefs(store)
    if (used.status === 'rejected') throw used.reason
    await clearDamaged(store)
    return { value: used.value }
  })
}

/**
 * Reads every object of the repository, and brings back what is damaged or missing, from the repository itself or from the first
 * remote that has it; undefined where nothing is. Throws RowbackError('repository') that names what cannot be brought back.
 */
export async function healRepository(options: HealOptions): Promise<Healed | undefined> {
  return withStore(options, async (store) => {
    const damage = await damageOf(store)
    const healed = damage && (await bringBack(store, damage, options.remotes))
    await refuseBrokenRefs(store)
    if (damage === undefined) await clearDamaged(store)
    return healed
  })
}

async function withStore<T>(
  { repository, branch, engine }: HealOptions,
  use: (store: Store) => Promise<T>,
): Promise<T> {
  const store = await openStore(repository, { branch, engine })
  try {
    return await use(store)
  } finally {
    await store.close()
  }
}

/** Reads every object, and throws a `repository` error that names those which are not what their ids say, and what follows. */
export async function expectSound(store: Store, remedy: string): Promise<void> {
  const damage = await damageOf(store)
  if (damage === undefined) return
  const paths = await pathsOf(store.gitDir, store.branch, damage.objects)
  throw damageError(store.dir, damage, paths, {
    remedy,
    hint: 'rowback verify, which brings them back from a remote',
  })
}

/** What git says, and isomorphic-git, where an object that is sent cannot be unpacked there or read here. */
const saysDamage =
  /\(unpacker error\)|corrupt|inflate|unable to read [0-9a-f]{40}|bad \w*\s?object|Could not find [0-9a-f]{40}/i

/**
 * The error of `expectSound` for a push that has failed, where it may have by damage of this side: the remote can only say that it
 * does not unpack. Undefined where nothing is damaged.
 */
export async function damageBehind(
  store: Store,
  error: unknown,
  remedy: string,
): Promise<RowbackError | undefined> {
  if (!(error instanceof RowbackError) || !saysDamage.test(error.message)) return undefined
  const found = await expectSound(store, remedy).catch((thrown: unknown) => thrown)
  return found instanceof RowbackError && found.result.damage !== undefined ? found : undefined
}

/** What is damaged. Without git that is looked for in all that refs reach, and thrown, as it cannot be healed. */
async function damageOf(store: Store): Promise<Damage | undefined> {
  if (store.engine === 'native') {
    const damage = await findDamage(store.gitDir)
    if (damage) refuseUnreadable(store, damage.loose)
    return damage
  }
  const embedded = await import('./git/embedded/damage.ts')
  const damage = await embedded.findDamage(store)
  if (damage === undefined) return undefined
  refuseUnreadable(store, damage.objects.map(looseFile))
  throw damageError(store.dir, damage, damage.paths, {
    remedy: 'and it takes the git program to bring them back',
    hint: `${installGit}; then rowback verify asks the remotes for them`,
  })
}

/** What this user may not read any more is not damaged. */
function refuseUnreadable({ dir, gitDir }: Store, objects: readonly string[]): void {
  const fault = accessFault(gitDir, objects)
  if (fault === undefined) return
  throw new RowbackError('repository', `verify ${dir}: ${fault}; nothing was changed`, {
    hint: 'run it as root, or as the user who makes the backups',
  })
}

/** Where refs are broken, but no object is: nobody can tell what they named, and no remote is asked. */
async function refuseBrokenRefs(store: Store): Promise<void> {
  const { dir, gitDir, engine } = store
  const broken =
    engine === 'native'
      ? await brokenRefs(gitDir)
      : (await (await import('./git/embedded/refs.ts')).soundRefs(gitDir)).broken
  const [first] = broken
  if (first === undefined) return
  // git says the same of one that it may not read.
  refuseUnreadable(store, [])
  const told =
    broken.length === 1
      ? `ref ${first} is broken: its file holds`
      : `refs ${broken.join(', ')} are broken: their files hold`
  const git = `git -C ${shellWord(gitDir)}`
  throw new RowbackError(
    'repository',
    `verify ${dir}: ${told} no id, as after a power cut; all objects are sound, and nothing was changed`,
    {
      hint: `rm ${shellWord(join(gitDir, first))}, which brings back what packed-refs has of it; else ${git} fsck lists commits that no ref reaches, and ${git} update-ref ${first} COMMIT makes it anew`,
    },
  )
}

/** Heals what is damaged, from the repository itself or from a remote. Throws the error that names what is not to be had. */
async function bringBack(store: Store, found: Damage, known?: readonly Remote[]): Promise<Healed> {
  const { dir, gitDir, branch } = store
  const unlock = await lockRepository(dir).catch(async (error: unknown) => {
    const hint = error instanceof RowbackError ? error.hint : undefined
    const remedy = `and ${errorText(error)}`
    throw damageError(dir, found, await pathsOf(gitDir, branch, found.objects), { remedy, hint })
  })
  try {
    const damage = (await healHere(gitDir, found)) ? await findDamage(gitDir) : found
    if (damage) return await healFromRemotes(store, damage, known)
    await removeDamaged(gitDir)
    return { objects: found.objects }
  } finally {
    await unlock()
  }
}

/** Removes what a heal has kept that was killed right before its end, or could not come to it, where all is sound. */
async function clearDamaged(store: Store): Promise<void> {
  if (!existsSync(damagedFolder(store.gitDir))) return
  const unlock = await lockRepository(store.dir).catch(() => undefined)
  if (unlock === undefined) return
  try {
    // A heal may have begun and ended since.
    if ((await damageOf(store)) !== undefined) return
    // What no ref reaches any more may be whole there, and nowhere else.
    await salvageAll(store.gitDir)
    await removeDamaged(store.gitDir)
  } finally {
    await unlock()
  }
}

async function healFromRemotes(store: Store, damage: Damage, known: readonly Remote[] = []): Promise<Healed> {
  const { dir, gitDir, branch } = store
  const remotes = await remotesToAsk(store, known)
  const paths = await pathsOf(gitDir, branch, damage.objects)
  if (remotes.length === 0)
    throw damageError(dir, damage, paths, {
      remedy: 'and no remote is known that could have them',
      hint: 'rowback push --remote URL of a repository that has them, or copy them from a clone',
    })
  const failures: string[] = []
  for (const remote of remotes) {
    const failure = await healFrom(store, damage, remote)
    if (failure === undefined) return { objects: damage.objects, remote: redactUrl(remote.url) }
    failures.push(failure)
  }
  const left = (await findDamage(gitDir)) ?? damage
  throw damageError(dir, left, paths, {
    remedy: `and ${failures.join('; ')}`,
    hint: 'rowback verify --all, or rowback verify when the remote can be reached and is sound itself',
  })
}

/** Heals from one remote; returns why that was not enough. */
async function healFrom(store: Store, damage: Damage, remote: SettledRemote): Promise<string | undefined> {
  try {
    await heal(store, damage, remote)
  } catch (error) {
    if (!isOfOneRemote(error)) throw error
    return `nothing came from the remote: ${errorText(error)}`
  }
  if (await findDamage(store.gitDir))
    return `${redactUrl(remote.url)} does not have them; the damaged files are in ${damagedFolder(store.gitDir)}`
  await removeDamaged(store.gitDir)
  return undefined
}
