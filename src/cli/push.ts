/** `rowback push` */

import { type PushResult, push } from '../push.ts'
import { counted } from '../summary.ts'
import { type CommonFlags, type Context, extensionsOf, repositoryOf } from './context.ts'
import type { Output } from './output.ts'

export interface PushFlags extends CommonFlags {
  extension?: string[]
  remote?: string
}

export async function runPush(context: Context, flags: PushFlags): Promise<void> {
  const { settings, output } = context
  const remote = flags.remote ?? settings.remote
  const result = await push({
    ...repositoryOf(context, flags),
    remote,
    extensions: extensionsOf(context, flags),
    onProgress: output.progress(),
  })
  printPush(output, result)
  output.times(result.timesMs)
  output.document(result)
}

export function printPush(output: Output, { remote, commits, verified, parts }: PushResult): void {
  if (commits === 0) output.line(`${remote} is up to date`)
  else
    output.line(
      `pushed ${counted(commits, 'commit')} to ${remote}${parts > 1 ? ` in ${parts} parts` : ''}` +
        `${verified > 0 ? `, ${verified} verified` : ''}`,
    )
}
