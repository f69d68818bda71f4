/** `rowback restore REV` and `rowback undo` */

import { shownPath } from '../assets/paths.ts'
import { RowbackError } from '../errors.ts'
import type { InPlaceResult, UndoOptions } from '../in-place.ts'
import { counted } from '../number.ts'
import { type RestoreOptions, type RestoreResult, restore, restoreFile } from '../restore.ts'
import { displayName } from '../summary.ts'
import {
  type AssetFlags,
  assetsOf,
  type CommonFlags,
  type Context,
  demandedSigners,
  type ExtensionFlags,
  extensionsOf,
  knownRemotes,
  repositoryOf,
  type SignedFlags,
} from './context.ts'
import { type Output, seconds, shortId, signedBy } from './output.ts'

export interface RestoreFlags extends ExtensionFlags, InPlaceFlags, SignedFlags {
  to?: string
  file?: string
  table?: string
  output?: string
  inPlace?: boolean
}

interface InPlaceFlags extends AssetFlags {
  force?: boolean
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
  const { to, file, table, output: target, inPlace, force } = flags
  const named = file ?? table
  const isWhole = to !== undefined && named === undefined && target === undefined
  const isOne = to === undefined && named !== undefined && target !== undefined
  const isInPlace = to === undefined && named === undefined && target === undefined && inPlace === true
  const isOfSource = [inPlace, force, flags.include, flags.exclude].some(Boolean)
  const isClear = isInPlace || ((isWhole || isOne) && !isOfSource)
  if (!isClear) {
    throw new RowbackError(
      'usage',
      `restore ${rev}: it needs --to DIR, --file PATH or --table NAME and --output FILE, or --in-place`,
      { hint: `rowback restore ${rev} --to DIR` },
    )
  }
  if (isInPlace) {
    const { restoreInPlace } = await import('../in-place.ts')
    const signers = demandedSigners(context, flags)
    return printInPlace(context, await restoreInPlace({ ...inPlaceOptions(context, flags), rev, signers }))
  }
  const options = {
    ...repositoryOf(context, flags),
    rev,
    signers: demandedSigners(context, flags),
    remotes: knownRemotes(context),
    extensions: extensionsOf(context, flags),
    onProgress: context.output.progress(),
  }
  const result = isWhole
    ? await restore({ ...options, target: to })
    : await restoreOne(options, { file, table, output: target as string })
  context.output.line(restoredLine(result, `to ${result.target}`))
  printEnd(context, result)
}

/** A table, else a file. */
async function restoreOne(
  options: RestoreOptions,
  { file, table, output }: { file: string | undefined; table: string | undefined; output: string },
): Promise<RestoreResult> {
  if (table === undefined) return restoreFile({ ...options, file: file as string, output })
  const { restoreTable } = await import('../restore-table.ts')
  return restoreTable({ ...options, file, table, output })
}

export async function runUndo(context: Context, flags: ExtensionFlags & InPlaceFlags): Promise<void> {
  const { undo } = await import('../in-place.ts')
  printInPlace(context, await undo(inPlaceOptions(context, flags)))
}

/** The source is replaced as it is backed up: with the same assets, and under the same name. */
function inPlaceOptions(context: Context, flags: CommonFlags & ExtensionFlags & InPlaceFlags): UndoOptions {
  const { settings, output } = context
  const { name, fullText, author, sign, busyTimeoutMs, lockTimeoutMs } = settings
  return {
    ...repositoryOf(context, flags),
    ...{ name, fullText, author, sign, busyTimeoutMs, lockTimeoutMs },
    assets: assetsOf(context, flags),
    remotes: knownRemotes(context),
    force: flags.force,
    extensions: extensionsOf(context, flags),
    onProgress: output.progress(),
  }
}

function printInPlace(context: Context, result: InPlaceResult): void {
  const { output } = context
  for (const warning of result.warnings) output.warn(warning)
  output.line(restoredLine(result, `in place of ${result.target}`))
  output.line(`  what was there before is ${result.safety}; rowback undo brings it back`)
  printEnd(context, result)
}

function restoredLine(result: RestoreResult, where: string): string {
  const { table } = result
  const what = table === undefined ? counted(result.databases, 'database') : `table ${displayName(table)}`
  const parts = [what, counted(result.rows, 'row')]
  if (table === undefined) parts.push(counted(result.files, 'asset'))
  return `restored ${shortId(result.commit)} ${where}: ${parts.join(', ')}, in ${seconds(result.timesMs)}`
}

function printEnd({ output }: Context, result: RestoreResult): void {
  if (result.signature) output.line(`  ${signedBy(result.signature)}`)
  printWithoutContent(output, result.withoutContent)
  output.times(result.timesMs)
  output.document(result)
}
