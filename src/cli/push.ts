/** `rowback push` */

import { push } from '../push.ts'
import { type Context, type ExtensionFlags, extensionsOf, repositoryOf } from './context.ts'
import { printPush } from './push-line.ts'

export interface PushFlags extends ExtensionFlags {
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
