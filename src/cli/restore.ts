/** `rowback restore REV` */

import { shownPath } from '../assets/paths.ts'
import { RowbackError } from '../errors.ts'
import { type RestoreResult, restore, restoreFile } from '../restore.ts'
import { counted } from '../summary.ts'
import { type Context, type ExtensionFlags, extensionsOf, repositoryOf } from './context.ts'
import { number, type Output, seconds, shortId } from './output.ts'

export interface RestoreFlags extends ExtensionFlags {
  to?: string
  file?: string
  output?: string
}

/** What did not come back, as the commit never held it. */
function printWithoutContent(output: Output, assets: RestoreResult['withoutContent']): void {
  const unreadable = assets.filter(({ kind }) => kind === 'unreadable')
  for (const { path } of unreadable)
    output.warn(`${shownPath(path)} could not be read when the commit was made, and is missing`)
  const listed = assets.length - unreadable.length
  if (listed > 0)
    output.warn(
      `${counted(listed, 'file')} kept as manifest lines only did not come back: rowback show lists them`,
    )
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
  printWithoutContent(output, result.withoutContent)
  output.times(result.timesMs)
  output.document(result)
}
