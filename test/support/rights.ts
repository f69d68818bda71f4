/** Running the program as a user whom permission bits hold, which they do not do with root. */

import { rowback } from './cli.ts'

export const nobody = 65_534

/** Whether the program can be run as another user; where it cannot, says so, and in CI throws. */
export function canRunAsNobody(): Promise<boolean> {
  answer ??= tryAsNobody()
  return answer
}

let answer: Promise<boolean> | undefined

async function tryAsNobody(): Promise<boolean> {
  const cause = await rowback(['--version'], { uid: nobody }).then(
    ({ code, stderr }) => (code === 0 ? undefined : stderr),
    (error: unknown) => String(error),
  )
  if (cause === undefined) return true
  if (process.env.CI) throw new Error(`the tests of rights cannot run the program as another user: ${cause}`)
  console.warn(`SKIPPED, it needs root to run the program as another user: ${cause}`)
  return false
}
