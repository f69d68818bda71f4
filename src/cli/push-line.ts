/** What a push did, in one line. */

import type { PushResult } from '../push.ts'
import { counted } from '../summary.ts'
import type { Output } from './output.ts'

export function printPush(output: Output, { remote, commits, verified, parts }: PushResult): void {
  if (commits === 0) output.line(`${remote} is up to date`)
  else
    output.line(
      `pushed ${counted(commits, 'commit')} to ${remote}${parts > 1 ? ` in ${parts} parts` : ''}` +
        `${verified > 0 ? `, ${verified} verified` : ''}`,
    )
}
