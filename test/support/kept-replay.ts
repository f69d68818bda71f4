/** Hands the process that replays on to later tests of a file: its start is a third of what such tests compute. */

import { afterAll, vi } from 'vitest'
import type { ReplayProcess } from '../../src/replay-process.ts'

let idle: { process: ReplayProcess; place: string } | undefined

/** The one that waits, where it was started in the same place, or a new one. */
async function take(place: string, make: () => ReplayProcess): Promise<ReplayProcess> {
  const found = idle
  idle = undefined
  if (found?.place === place) return found.process
  await found?.process.end()
  return make()
}

vi.mock(import('../../src/replay-process.ts'), async (original) => {
  const { ReplayProcess } = await original()
  return {
    ReplayProcess,
    withReplayProcess: async (use, kept) => {
      if (kept) return use(kept)
      const place = JSON.stringify([process.cwd(), process.env])
      const taken = await take(place, () => new ReplayProcess())
      let isUnfit = true
      try {
        const result = await use(taken)
        isUnfit = idle !== undefined
        return result
      } finally {
        if (isUnfit) await taken.end()
        else idle = { process: taken, place }
      }
    },
  }
})

afterAll(() => idle?.process.end())
