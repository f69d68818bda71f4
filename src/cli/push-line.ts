/** What a push did, in one line. */

import { counted } from '../number.ts'
import type { PushResult } from '../push.ts'
import { lfsLine } from './lfs-line.ts'
import { type Output, size } from './output.ts'

export function printPush(
  output: Output,
  { remote, commits, verified, parts, lfs, healed, warnings, bytes }: PushResult,
): void {
  const large = lfs === 0 ? '' : `, ${counted(lfs, 'file')} by Git LFS`
  for (const warning of warnings) output.warn(`${remote}: ${warning}`)
  // Told with --quiet, too, as by verify.
  if (healed && healed.here.length > 0)
    output.problem(lfsLine(healed.here, 'damaged, and came back from a remote'))
  if (healed && healed.there.length > 0)
    output.problem(`${remote}: ${lfsLine(healed.there, 'damaged, and sent again')}`)
  if (healed && healed.lost.length > 0)
    output.problem(`${remote}: ${lfsLine(healed.lost, 'missing there, and sent again')}`)
  // Contents of commits that it has are asked for only with --contents.
  const all =
    lfs === 0 || bytes !== undefined
      ? ''
      : `, and has ${lfs === 1 ? 'the file' : `all ${lfs} files`} of Git LFS`
  if (commits === 0) output.line(`${remote} is up to date${all}`)
  else if (bytes !== undefined)
    output.line(
      `would push ${counted(commits, 'commit')} to ${remote}${large}, all of the branch is ${size(bytes)}`,
    )
  else
    output.line(
      `pushed ${counted(commits, 'commit')} to ${remote}${parts > 1 ? ` in ${parts} parts` : ''}` +
        `${large}${verified > 0 ? `, ${verified} verified` : ''}`,
    )
}
