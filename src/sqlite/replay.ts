/**
 * Replays the files of a dump into a fresh database file. This thread checks what the next one runs: nothing goes
 * there that the grammar of format 1 has not passed.
 */

import { pathPart } from '../dump/names.ts'
import type { OneTable } from '../dump/one-table.ts'
import { checkRows, parseRowHeader, rowPath } from '../dump/rows.ts'
import { checkScript, definedName, dumpText, type ScriptFile, scriptFiles } from '../dump/script.ts'
import { refusal } from './replay-refusal.ts'
import type { ReplayThread } from './replay-thread.ts'

/** A file of a dump; the path is relative to the database's folder. */
export interface ReplayFile {
  path: string
  content: Buffer
}

/**
 * Replays files, given in path order, into the new file `target` and makes it durable; `extensions` are loaded first.
 * `onRows` is told of the rows of each row file as it is handed over. Throws a `dump` error for what a dump may not
 * hold or SQLite refuses, a `target` error for a disk without room; the caller removes `target` then. With `table` only that
 * one is made; all scripts and the row files of that table are to be given.
 */
export async function replayDump(
  thread: ReplayThread,
  files: AsyncIterable<ReplayFile>,
  target: string,
  extensions: readonly string[] = [],
  onRows: (rows: number, bytes: number) => void = () => {},
  table?: string,
): Promise<void> {
  await thread.send({ kind: 'open', target, extensions })
  try {
    await sendFiles(thread, files, onRows, await onlyTable(table))
  } catch (error) {
    // What SQLite says of a file before is the first finding.
    await thread.ask({ kind: 'settle' })
    throw error
  }
  await thread.ask({ kind: 'finish' })
}

/** Loaded where only one table is asked for. */
async function onlyTable(table: string | undefined): Promise<OneTable | undefined> {
  if (table === undefined) return undefined
  const { OneTable } = await import('../dump/one-table.ts')
  return new OneTable(table)
}

async function sendFiles(
  thread: ReplayThread,
  files: AsyncIterable<ReplayFile>,
  onRows: (rows: number, bytes: number) => void,
  only: OneTable | undefined,
): Promise<void> {
  // The tables that 20-tables.sql defines; those that a module makes behind its own are not among them.
  const declared = new Set<string>()
  let last = ''
  for await (const { path, content } of files) {
    // Rows behind the triggers would fire them.
    if (path <= last) throw refusal(path, 'it does not come in the order of a dump')
    last = path
    if (isScript(path)) {
      const all = checkScript(path, dumpText(content, path), path)
      for (const sql of only?.statements(path, all) ?? all) {
        if (path === '20-tables.sql') declared.add(definedName(sql) ?? '')
        await thread.send({ kind: 'statement', path, sql })
      }
    } else {
      const { table, columns, rows } = checkRowFile(path, content, declared)
      onRows(rows, content.length)
      // The content belongs to the thread from here on.
      await thread.send({ kind: 'rows', path, table, columns, content })
    }
  }
}

function isScript(path: string): path is ScriptFile {
  return (scriptFiles as readonly string[]).includes(path)
}

function checkRowFile(
  path: string,
  content: Buffer,
  declared: ReadonlySet<string>,
): { table: string; columns: string[]; rows: number } {
  const folder = rowPath.exec(path)?.[1]
  if (folder === undefined) throw refusal(path, 'it is no file of a dump')
  const header = parseRowHeader(content, path)
  if (pathPart(header.table) !== folder || !declared.has(header.table))
    throw refusal(path, `it holds rows of another table, ${JSON.stringify(header.table)}`)
  return { table: header.table, columns: header.columns, rows: checkRows(content, header, path) }
}
