/** Keeps the processes that replay for later tests of a file: starting them takes a third of what such tests compute. */

import { afterAll, vi } from 'vitest'
import type { ReplayProcess } from '../../src/replay-process.ts'

/** By the working directory and environment that they were started in. */
const idle = new Map<string, ReplayProcess[]>()

vi.mock(import('../../src/replay-process.ts'), async (original) => {
  const { ReplayProcess } = await original()
  return {
    ReplayProcess,
    withReplayProcess: async (use, given) => {
      if (given) return use(given)
      const place = JSON.stringify([process.cwd(), process.env])
      const kept = idle.get(place)?.pop() ?? new ReplayProcess()
      const result = await use(kept).catch(async (error) => {
        await kept.end()
        throw error
      })
      idle.set(place, [...(idle.get(place) ?? []), kept])
      return result
    },
  }
})

afterAll(async () => {
  for (const kept of [...idle.values()].flat()) await kept.end()
})
