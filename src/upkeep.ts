/** The upkeep of a repository, after a backup: packs do not pile up, and what killed runs have left goes. */

import type { Settings } from './config/settings.ts'
import { errorText } from './errors.ts'
import { clearUpkeep, lockUpkeep } from './git/lock.ts'
import { listPacks, pruneOldObjects, repack } from './git/repack.ts'
import { type RepackPlan, repackPlan } from './git/repack-plan.ts'
import type { Store } from './git/store.ts'
import type { Phases } from './progress.ts'

export interface UpkeepResult {
  /** Packs and their bytes before and after. */
  before: { packs: number; bytes: number }
  after: { packs: number; bytes: number }
  /** Why it came to nothing; the next backup tries again. */
  failure: string | undefined
}

/**
 * What is due, after old leftovers are removed; for the holder of the repository's lock. Never throws: a commit that is
 * written is worth more than a tidy repository, and the upkeep itself, which is due as well then, says what is wrong.
 */
export async function prepareUpkeep(
  { gitDir, engine }: Store,
  mode: Settings['upkeep'],
): Promise<RepackPlan> {
  // Only git joins packs; who has asked for it by name is told so.
  if (engine === 'embedded' && mode !== 'always') return 'none'
  const plan = repackPlan(await listPacks(gitDir), mode)
  if (plan === 'none') await clearUpkeep(gitDir).catch(() => {})
  else if (engine === 'native') await pruneOldObjects(gitDir).catch(() => {})
  return plan
}

/**
 * Carries the plan out; the repository's lock must have been given back, so that the next backup does not wait. Undefined
 * where nothing is due or another process is at it. Never throws.
 */
export async function upkeep(
  { gitDir, engine }: Store,
  plan: RepackPlan,
  phases: Phases,
): Promise<UpkeepResult | undefined> {
  if (plan === 'none') return undefined
  phases.begin('upkeep')
  const before = totals(await listPacks(gitDir))
  let failure: string | undefined
  try {
    if (engine === 'embedded') throw new Error('only the git program does that')
    const unlock = await lockUpkeep(gitDir)
    if (!unlock) return undefined
    await repack(gitDir, plan).finally(unlock)
  } catch (error) {
    failure = errorText(error)
  } finally {
    phases.end()
  }
  return { before, after: totals(await listPacks(gitDir)), failure }
}

function totals(packs: { bytes: number }[]): UpkeepResult['before'] {
  return { packs: packs.length, bytes: packs.reduce((sum, { bytes }) => sum + bytes, 0) }
}
