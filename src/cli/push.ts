/** `rowback push` */

import { push } from '../push.ts'
import {
  type Context,
  type ExtensionFlags,
  extensionsOf,
  type RemoteFlags,
  remotesOf,
  repositoryOf,
} from './context.ts'
import { printPush } from './push-line.ts'

export interface PushFlags extends ExtensionFlags, RemoteFlags {
  contents?: boolean
  dryRun?: boolean
}

export async function runPush(context: Context, flags: PushFlags): Promise<void> {
  const { output } = context
  const pushes = await push({
    ...repositoryOf(context, flags),
    ...remotesOf(context, flags),
    contents: flags.contents,
    dryRun: flags.dryRun,
    extensions: extensionsOf(context, flags),
    onProgress: output.progress(),
  })
  for (const pushed of pushes) {
    printPush(output, pushed)
    output.times(pushed.timesMs)
  }
  output.document({ pushes })
}
