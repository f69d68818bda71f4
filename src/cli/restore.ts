/** `rowback restore REV` */

import { RowbackError } from '../errors.ts'
import { restore, restoreFile } from '../restore.ts'
import { counted } from '../summary.ts'
import { type Context, type ExtensionFlags, extensionsOf, repositoryOf } from './context.ts'
import { number, seconds, shortId } from './output.ts'

export interface RestoreFlags extends ExtensionFlags {
  to?: string
  file?: string
  output?: string
}

export async function runRestore(context: Context, flags: RestoreFlags, rev: string): Promise<void> {
  const { output } = context
  const options = {
    ...repositoryOf(context, flags),
    rev,
    extensions: extensionsOf(context, flags),
    onProgress: output.progress(),
  }
  const { to, file, output: target } = flags
  const isWhole = to !== undefined && file === undefined && target === undefined
  const isOne = to === undefined && file !== undefined && target !== undefined
  if (!isWhole && !isOne) {
    throw new RowbackError('usage', `restore ${rev}: it needs --to DIR, or --file PATH and --output FILE`, {
      hint: `rowback restore ${rev} --to DIR`,
    })
  }
  const result = isWhole
    ? await restore({ ...options, target: to })
    : await restoreFile({ ...options, file: file as string, output: target as string })
  const parts = [
    counted(result.databases, 'database'),
    `${number(result.rows)} rows`,
    counted(result.files, 'asset'),
  ]
  output.line(
    `restored ${shortId(result.commit)} to ${result.target}: ${parts.join(', ')}, in ${seconds(result.timesMs)}`,
  )
  output.times(result.timesMs)
  output.document(result)
}
