import { expect, test } from 'vitest'
import { withRetries } from '../../src/git/retry.ts'

const heals = (error: unknown) => error instanceof Error && error.message === 'heals'

/** Runs what throws those errors one after another, and then gives `done`. */
async function run(errors: string[], retries: number | undefined): Promise<{ tries: number; end: string }> {
  let tries = 0
  const left = [...errors]
  const end = await withRetries({ retries, retryDelayMs: 1 }, heals, async () => {
    tries += 1
    const error = left.shift()
    if (error !== undefined) throw new Error(error)
    return 'done'
  }).catch((error: Error) => error.message)
  return { tries, end }
}

test('what can heal is tried again as long as retries are left', async () => {
  expect(await run(['heals', 'heals'], 2)).toEqual({ tries: 3, end: 'done' })
  expect(await run(['heals', 'heals'], 1)).toEqual({ tries: 2, end: 'heals' })
  expect(await run(['heals'], undefined)).toEqual({ tries: 1, end: 'heals' })
})

test('what cannot heal is thrown at once', async () => {
  expect(await run(['stays', 'heals'], 5)).toEqual({ tries: 1, end: 'stays' })
  expect(await run(['heals', 'stays'], 5)).toEqual({ tries: 2, end: 'stays' })
})

test('pauses double, and a part of them is left to chance', async () => {
  const pauses: number[] = []
  let last = performance.now()
  await withRetries({ retries: 3, retryDelayMs: 40 }, heals, async () => {
    pauses.push(performance.now() - last)
    last = performance.now()
    throw new Error('heals')
  }).catch(() => {})
  // A pause is never shorter than half of what it may be; how long it takes beyond that is the machine's affair.
  for (const [i, leastMs] of [20, 40, 80].entries()) expect(pauses[i + 1]).toBeGreaterThan(leastMs - 2)
})
