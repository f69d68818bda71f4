/** Tries again what a network fault may have ended. */

import { setTimeout as pause } from 'node:timers/promises'

export interface Retries {
  /** How often a fault that can heal is tried again; never without it. */
  retries?: number | undefined
  /** The first pause in milliseconds, 1,000 without it; each further one is twice as long, up to a minute. */
  retryDelayMs?: number | undefined
}

/** For what is read from a remote amid a step that nobody says it of. */
export const readRetries: Retries = { retries: 2 }

const longestDelayMs = 60_000

/**
 * What `run` gives, run again as long as it throws what `canHeal` and retries are left; then its last error.
 * Pauses are a random part of what they may be, between half and all of it: many machines that lost one server do
 * not come back to it at the same moment.
 */
export async function withRetries<T>(
  { retries = 0, retryDelayMs = 1000 }: Retries,
  canHeal: (error: unknown) => boolean,
  run: () => Promise<T>,
): Promise<T> {
  for (let left = retries, delayMs = retryDelayMs; ; left--, delayMs *= 2) {
    try {
      return await run()
    } catch (error) {
      if (left <= 0 || !canHeal(error)) throw error
    }
    await pause(Math.min(delayMs, longestDelayMs) * (0.5 + Math.random() / 2))
  }
}
