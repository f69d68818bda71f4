/** Says in which file, table and row a tree that was rebuilt from a commit first differs from the commit's own. */

import { comparePaths } from './assets/paths.ts'
import { type CommitTree, pathInSource } from './commit-tree.ts'
import { pathPart } from './dump/names.ts'
import { excerpt, firstDifference } from './excerpt.ts'
import type { TreeEntry } from './git/tree.ts'
import { displayName } from './summary.ts'

type Entries = ReadonlyMap<string, TreeEntry>

/** Reads the content of a file on one side of the comparison. */
type Read = (entry: TreeEntry) => Promise<Buffer>

/**
 * The first difference between the entries that a commit holds and those that came back, in words; undefined where
 * there is none. `stored` is in the order of paths.
 */
export async function differenceText(
  commit: CommitTree,
  stored: Entries,
  made: Entries,
  read: { stored: Read; made: Read },
): Promise<string | undefined> {
  const path = firstPath(stored, made)
  if (path === undefined) return undefined
  const [old, now] = [stored.get(path), made.get(path)]
  const shown = displayName(path)
  if (!now)
    return `${place(commit, path)}the replayed data does not give ${shown}${await start(old, read.stored)}`
  if (!old)
    return `${place(commit, path)}the replayed data gives ${shown}${await start(now, read.made)}, which the commit lacks`
  if (old.oid === now.oid) return `${shown} has the mode ${old.mode}, not ${now.mode}`
  const line = firstLine(await read.stored(old), await read.made(now))
  if (!line) return `${shown} does not hold what its id ${old.oid} says; the repository is damaged`
  const [expected, found] = excerpts(line.stored, line.made)
  return `${place(commit, path)}${shown} line ${line.number} came back different: expected ${expected}, found ${found}`
}

/** The path of the first entry that came back different, or of one before it that did not come back. */
function firstPath(stored: Entries, made: Entries): string | undefined {
  const changed = [...made.values()]
    .filter(({ path, oid, mode }) => {
      const old = stored.get(path)
      return old?.oid !== oid || old.mode !== mode
    })
    .map(({ path }) => path)
    .sort(compareDumped)[0]
  const missing = [...stored.keys()].find((path) => !made.has(path))
  const paths = [changed, missing].filter((path) => path !== undefined)
  return paths.sort(comparePaths)[0]
}

/** The order in which differences are told: rows before the scripts around them, else as paths are sorted. */
export function compareDumped(a: string, b: string): number {
  return Number(isScript(a)) - Number(isScript(b)) || comparePaths(a, b)
}

function isScript(path: string): boolean {
  return /^databases\/[^/]+\/\d\d-[a-z]+\.sql$/.test(path)
}

/** `table "note" of database "app.db": ` or as much of it as the path of a file says. */
function place(commit: CommitTree, path: string): string {
  const [folder, name, part, table] = path.split('/')
  const database = commit.manifest.databases.find((candidate) => candidate.name === name)
  if (folder !== 'databases' || !database) return ''
  const label = `database ${JSON.stringify(pathInSource(commit, database))}: `
  if (part !== '30-rows') return label
  const known = database.tables.find((candidate) => pathPart(candidate.name) === table)
  return `table ${JSON.stringify(known?.name ?? table)} of ${label}`
}

/** The first row of a row file, which follows the line of its INSERT; nothing for other files. */
async function start(entry: TreeEntry | undefined, read: Read): Promise<string> {
  if (!entry || !/^databases\/[^/]+\/30-rows\//.test(entry.path)) return ''
  const [, row] = lines(await read(entry))
  return row === undefined ? '' : ` with the row ${excerpts(row, row)[0]}`
}

interface DifferingLine {
  /** Counted from 1. */
  number: number
  /** Undefined where the file has ended. */
  stored: string | undefined
  made: string | undefined
}

function firstLine(stored: Buffer, made: Buffer): DifferingLine | undefined {
  const [old, now] = [lines(stored), lines(made)]
  for (let at = 0; at < Math.max(old.length, now.length); at++)
    if (old[at] !== now[at]) return { number: at + 1, stored: old[at], made: now[at] }
  return undefined
}

/** The lines of a file with their bytes as characters: texts that are no UTF-8 must differ, too. */
function lines(content: Buffer): string[] {
  const all = content.toString('latin1').split('\n')
  return all.at(-1) === '' ? all.slice(0, -1) : all
}

const lengths = { longest: 160, head: 40, context: 20 }

/** Two lines as JSON; of long ones the beginning, where the key of a row is, and what surrounds the difference. */
function excerpts(stored: string | undefined, made: string | undefined): [string, string] {
  const texts = [stored, made].map(
    (line) => line && Buffer.from(line.replace(/^[ ,](?=\()/, ''), 'latin1').toString(),
  )
  const [a = '', b = ''] = texts
  const differsAt = firstDifference(a, b)
  const shown = texts.map((text) =>
    text === undefined ? 'the end of the file' : JSON.stringify(excerpt(text, differsAt, lengths)),
  )
  return shown as [string, string]
}
