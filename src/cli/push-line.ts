/** What a push did, in one line. */

import type { PushResult } from '../push.ts'
import { counted } from '../summary.ts'
import { type Output, size } from './output.ts'

export function printPush(
  output: Output,
  { remote, commits, verified, parts, warnings, bytes }: PushResult,
): void {
  for (const warning of warnings) output.warn(`${remote}: ${warning}`)
  if (commits === 0) output.line(`${remote} is up to date`)
  else if (bytes !== undefined)
    output.line(`would push ${counted(commits, 'commit')} to ${remote}, all of the branch is ${size(bytes)}`)
  else
    output.line(
      `pushed ${counted(commits, 'commit')} to ${remote}${parts > 1 ? ` in ${parts} parts` : ''}` +
        `${verified > 0 ? `, ${verified} verified` : ''}`,
    )
}
