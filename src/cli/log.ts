/** `rowback log` and `rowback show` */

import { holdsBytes, shownPath } from '../assets/paths.ts'
import { RowbackError } from '../errors.ts'
import { type LogEntry, log, show } from '../log.ts'
import { counted, number } from '../number.ts'
import { displayName } from '../summary.ts'
import { type CommonFlags, type Context, knownRemotes, repositoryOf } from './context.ts'
import { shortId, size } from './output.ts'
import { whileRead } from './streams.ts'

export interface LogFlags extends CommonFlags {
  number?: string
}

export async function runLog(context: Context, flags: LogFlags): Promise<void> {
  const { output } = context
  const commits: LogEntry[] = []
  const entries = log({ ...repositoryOf(context, flags), limit: parseLimit(flags.number) })
  for await (const entry of whileRead(entries)) {
    if (output.json) commits.push(entry)
    else output.line(`${shortId(entry.commit)}  ${localTime(entry.time)}  ${entry.subject}${holds(entry)}`)
  }
  output.document({ commits })
}

function parseLimit(text: string | undefined): number | undefined {
  if (text === undefined || /^[1-9]\d{0,8}$/.test(text)) return text === undefined ? undefined : Number(text)
  throw new RowbackError('usage', `read -n ${JSON.stringify(text)}: it is no count of commits`)
}

function holds({ rows, assets }: LogEntry): string {
  return rows === undefined ? '' : `  [${counted(rows, 'row')}, ${counted(assets ?? 0, 'asset')}]`
}

/** A time in the zone of this machine, to the minute; in seconds since 1970, as git writes it, where that is beyond all dates. */
function localTime(time: number): string {
  const date = new Date(time * 1000)
  // Another program can give a commit a time that no calendar has.
  if (Number.isNaN(date.getTime())) return `@${time}`
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-')
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`
}

/** What is said of files whose content is not in the commit. */
const notes: Record<string, string> = {
  lfs: '  (Git LFS)',
  listed: '  (manifest only)',
  unreadable: '  (could not be read)',
}

/** A path as `--file` takes it. */
function shownName(path: string): string {
  return holdsBytes(path) ? shownPath(path) : displayName(path)
}

export async function runShow(context: Context, flags: CommonFlags, rev: string): Promise<void> {
  const { output } = context
  const result = await show({ ...repositoryOf(context, flags), remotes: knownRemotes(context), rev })
  output.line(`commit ${result.commit}`)
  output.line(`tree   ${result.tree}`)
  output.line(`author ${result.author}, ${localTime(result.time)}`)
  output.line(`\n${result.message.trimEnd().replace(/^/gm, '    ')}\n`)
  for (const { name, path, tables } of result.databases) {
    output.line(`database ${displayName(path)} (databases/${name}): ${counted(tables.length, 'table')}`)
    for (const table of tables)
      output.line(`  ${number(table.rows).padStart(11)}  ${displayName(table.name)}`)
  }
  output.line(counted(result.files.length, 'asset'))
  for (const file of result.files)
    output.line(`  ${size(file.size).padStart(11)}  ${shownName(file.path)}${notes[file.kind] ?? ''}`)
  output.document(result)
}
