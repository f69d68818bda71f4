/** The manifest of a commit: what it says about itself, as canonical JSON. Pure. */

import { errorText, RowbackError } from '../errors.ts'
import { count, either, list, object, oneOf, text } from './json-shape.ts'
import { pathPart } from './names.ts'

/** The version of the repository format that is written; newer ones are not read. */
export const formatVersion = 1

/** What identifies a row of a table: its rowid, its position, or the values of these columns. */
export type TableKey = 'rowid' | 'position' | string[]

/** How many columns, the first ones, are the key. */
export function keyLength(key: TableKey): number {
  return key === 'rowid' ? 1 : key === 'position' ? 0 : key.length
}

export interface ManifestTable {
  name: string
  rows: number
  key: TableKey
}

export interface ManifestDatabase {
  /** Of its folder in the tree. */
  name: string
  /** Below the directory that is the source; undefined where the source is one file. */
  path?: string | undefined
  fullText: 'logical' | 'exact'
  excludedTables: string[]
  tables: ManifestTable[]
}

export interface Manifest {
  format: typeof formatVersion
  source: 'file' | 'directory'
  databases: ManifestDatabase[]
  assets: { files: number; bytes: number }
}

const table = object({ name: text, rows: count, key: either(oneOf('rowid', 'position'), list(text)) })
const database = object(
  {
    name: text,
    path: text,
    fullText: oneOf('logical', 'exact'),
    excludedTables: list(text),
    tables: list(table),
  },
  ['path'],
)
const manifest = object({
  format: oneOf(formatVersion),
  source: oneOf('file', 'directory'),
  databases: list(database),
  assets: object({ files: count, bytes: count }),
})

/** Manifest text: keys in this order, a table a line, a line feed at the end. */
export function manifestText(content: Manifest): string {
  const databases = content.databases.map(({ tables, ...rest }) => {
    const head = JSON.stringify(rest).slice(0, -1)
    return `  ${head},"tables":[${tables.map((line) => `\n   ${JSON.stringify(line)}`).join(',')}\n  ]}`
  })
  const { format, source, assets } = content
  return `{
 "format": ${format},
 "source": ${JSON.stringify(source)},
 "databases": [
${databases.join(',\n')}
 ],
 "assets": ${JSON.stringify(assets)}
}
`
}

/** Reads a manifest; throws a `repository` error for a newer format and a `dump` error for anything else amiss. */
export function parseManifest(text: string, commit: string): Manifest {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    throw new RowbackError('dump', `read manifest of ${commit}: ${errorText(error)}`, { cause: error })
  }
  const format = (parsed as { format?: unknown } | null)?.format
  if (typeof format === 'number' && format > formatVersion) {
    throw new RowbackError(
      'repository',
      `read ${commit}: it is of format ${format}, this program reads ${formatVersion}`,
      {
        hint: 'npm install --global rowback@latest',
      },
    )
  }
  const problem = manifest(parsed, '') ?? nameProblem(parsed as Manifest)
  if (problem === undefined) return parsed as Manifest
  throw new RowbackError('dump', `read manifest of ${commit}: ${problem.replace(/^: /, '')}`)
}

/** What is wrong with the names of the databases: a source that is a file has one, `main`; else they follow from paths. */
function nameProblem({ source, databases }: Manifest): string | undefined {
  if (source === 'file' && databases.length !== 1) return `a file is one database, not ${databases.length}`
  const nameOf = (path: string | undefined): string | undefined =>
    source === 'file' ? (path === undefined ? 'main' : undefined) : path && pathPart(path)
  const misnamed = databases.find(({ name, path }) => name !== nameOf(path))
  if (misnamed) return `database ${JSON.stringify(misnamed.name)} is not named after its path`
  if (new Set(databases.map(({ name }) => name)).size < databases.length) return 'two databases have one path'
  return undefined
}

/** The rows of all tables. */
export function rowTotal({ databases }: Pick<Manifest, 'databases'>): number {
  return databases.flatMap(({ tables }) => tables).reduce((sum, { rows }) => sum + rows, 0)
}
