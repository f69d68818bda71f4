/** `rowback backup [SOURCE]` */

import { shownPath } from '../assets/paths.ts'
import { exclusion } from '../assets/source-error.ts'
import { type BackupOptions, type BackupResult, backup, PushError } from '../backup.ts'
import { RowbackError } from '../errors.ts'
import { counted, number } from '../number.ts'
import { tableLines } from '../summary.ts'
import type { UpkeepResult } from '../upkeep.ts'
import { printAgreement } from './agreement-lines.ts'
import { parseAuthor, parseName, parseTime } from './arguments.ts'
import {
  type AssetFlags,
  assetsOf,
  type Context,
  type ExtensionFlags,
  extensionsOf,
  type RemoteFlags,
  remotesOf,
  repositoryOf,
} from './context.ts'
import { type Output, seconds, shortId, size } from './output.ts'
import { printPush } from './push-line.ts'

export interface BackupFlags extends AssetFlags, ExtensionFlags, RemoteFlags {
  name?: string
  excludeTable?: string[]
  author?: string
  time?: string
  verify?: BackupOptions['verify']
  hook: boolean
  full?: boolean
  upkeep?: BackupOptions['upkeep']
}

export async function runBackup(context: Context, flags: BackupFlags, source?: string): Promise<void> {
  const { settings, output } = context
  const path = source ?? settings.source
  if (path === undefined) {
    throw new RowbackError('usage', 'back up: neither an argument nor the settings name a source', {
      hint: 'rowback backup SOURCE --repo DIR',
    })
  }
  const print = (made: BackupResult): void => {
    printAssets(output, made, settings.assets.unstable)
    printBackup(output, made)
  }
  const result = await backup({
    source: path,
    ...repositoryOf(context, flags),
    ...remotesOf(context, flags),
    name: flags.name === undefined ? settings.name : parseName(flags.name),
    assets: assetsOf(context, flags),
    assetColumns: settings.assetColumns,
    excludeTables: [...settings.excludeTables, ...(flags.excludeTable ?? [])],
    fullText: settings.fullText,
    extensions: extensionsOf(context, flags),
    author: flags.author === undefined ? settings.author : parseAuthor(flags.author),
    time: flags.time === undefined ? undefined : parseTime(flags.time),
    sign: settings.sign,
    verify: flags.verify ?? settings.verify,
    hook: flags.hook && settings.hook,
    full: flags.full,
    upkeep: flags.upkeep ?? settings.upkeep,
    busyTimeoutMs: settings.busyTimeoutMs,
    lockTimeoutMs: settings.lockTimeoutMs,
    onProgress: output.progress(),
  }).catch((error: unknown) => {
    if (error instanceof PushError) print(error.backup)
    throw error
  })
  print(result)
  const problem = assetsProblem(result, settings.assets.unstable)
  if (problem) throw problem
  output.document(result)
}

type UnstableMode = Context['settings']['assets']['unstable']

/** The error of a backup that was made and is not all of the source as it was at one moment. */
function assetsProblem(result: BackupResult, unstableMode: UnstableMode): RowbackError | undefined {
  const unstable = unstableMode === 'fail' ? result.unstable : []
  const [denied] = result.unreadable
  const path = denied?.path ?? unstable[0]
  if (path === undefined) return undefined
  const said = [
    ...(denied ? [`${counted(result.unreadable.length, 'path')} could not be read`] : []),
    ...(unstable.length > 0 ? [`${counted(unstable.length, 'file')} kept changing`] : []),
  ]
  const text = `back up: ${said.join(' and ')}; ${denied ? 'the rest' : 'all'} is committed as ${shortId(result.latest)}`
  const hint = `${denied ? 'let this user read what is named above, or ' : ''}${exclusion(path)}`
  return new RowbackError('source', text, { hint, result })
}

/** What is part of why a backup ends with an exit code is also said with --quiet. */
function printAssets(output: Output, result: BackupResult, unstableMode: UnstableMode): void {
  for (const { path, problem } of result.unreadable)
    output.problem(`read ${shownPath(path)}: ${problem}; it is not in the commit`)
  for (const path of result.unstable) {
    const text = `read ${shownPath(path)}: it kept changing; it is in the commit as it was found`
    if (unstableMode === 'fail') output.problem(text)
    else output.warn(text)
  }
}

function printBackup(output: Output, result: BackupResult): void {
  for (const warning of result.warnings) output.warn(warning)
  if (result.commit === undefined) output.line(`nothing changed since ${shortId(result.latest)}`)
  else {
    const { upkeep: _, ...own } = result.timesMs
    output.line(`${shortId(result.commit)} ${result.subject}`)
    for (const line of tableLines(result.summary)) output.line(`  ${line}`)
    const { files, bytes } = result
    output.line(
      `  ${number(files.written)} of ${number(files.written + files.reused)} files written, ` +
        `${size(bytes.written)} of ${size(bytes.total)}, ${result.verified ? 'verified, ' : ''}` +
        `in ${seconds(own)}`,
    )
  }
  for (const pushed of result.pushes) printPush(output, pushed)
  if (result.upkeep) printUpkeep(output, result.upkeep, result.timesMs)
  if (result.agreement) printAgreement(output, result.agreement)
  output.times(result.timesMs)
}

/** A failure is no failure of the backup, yet it is told with --quiet, too: it may be a full disk or a damaged pack. */
function printUpkeep(
  output: Output,
  { before, after, failure }: UpkeepResult,
  { upkeep = 0 }: Record<string, number>,
): void {
  if (failure !== undefined)
    output.problem(
      `join packs of the repository: ${failure}; the backup is complete, and the next one tries again`,
    )
  else
    output.line(
      `${before.packs} packs joined into ${after.packs}, ${size(before.bytes)} into ${size(after.bytes)}, in ${seconds({ upkeep })}`,
    )
}
