/** Finds the table that a user names in one commit, or in both sides of a diff. */

import { type CommitTree, pathInSource } from './commit-tree.ts'
import { pathPart } from './dump/names.ts'
import { RowbackError } from './errors.ts'
import { counted } from './number.ts'
import { displayName } from './summary.ts'

/** What names a table: `file` is the database, by its path in the source, and may be left out where one has such a table. */
export interface TableName {
  table: string
  file?: string | undefined
}

interface Holder {
  /** Of its folder in the tree. */
  name: string
  path: string
  /** Those that have rows, or may have some. */
  tables: Set<string>
  /** Those of which the settings left the rows out, whether they are there or not. */
  excluded: Set<string>
}

/** The most names that an error lists. */
const mostNames = 20

/** The folder name of the one database that has the table. Throws a `usage` error where none has, or several. */
export function databaseOfTable(
  trees: readonly CommitTree[],
  wanted: TableName,
  what: string,
  consequence = '',
): string {
  const all = holdersIn(trees)
  const asked = askedDatabases(all, wanted)
  const having = asked.filter(({ tables }) => tables.has(wanted.table))
  const [found, other] = having
  if (found && !other) return found.name
  const { text, hint } = other ? ambiguity(having, wanted) : absence(all, asked, wanted)
  throw new RowbackError('usage', `${what}: ${text}${consequence}`, { hint })
}

/** The databases that `file` names, by their path, else by the name of their folder in the tree; all of them without it. */
export function askedDatabases<Database extends Pick<Holder, 'name' | 'path'>>(
  all: readonly Database[],
  { file }: Pick<TableName, 'file'>,
): readonly Database[] {
  if (file === undefined) return all
  const found = all.filter(({ path }) => path === file)
  return found.length > 0 ? found : all.filter(({ name }) => name === file)
}

function holdersIn(trees: readonly CommitTree[]): Holder[] {
  const holders = new Map<string, Holder>()
  for (const tree of trees)
    for (const database of tree.manifest.databases) {
      const { name, tables, excludedTables } = database
      const path = pathInSource(tree, database)
      const holder = holders.get(name) ?? { name, path, tables: new Set(), excluded: new Set() }
      for (const table of tables) holder.tables.add(table.name)
      for (const table of excludedTables) holder.excluded.add(table)
      holders.set(name, holder)
    }
  return [...holders.values()]
}

interface Finding {
  text: string
  hint?: string
}

function ambiguity(having: readonly Holder[], { table }: TableName): Finding {
  const paths = having.map(({ path }) => displayName(path))
  return {
    text: `${having.length} databases have a table ${JSON.stringify(table)}: ${listed(paths)}`,
    hint: 'add --file PATH',
  }
}

function absence(all: readonly Holder[], asked: readonly Holder[], { table, file }: TableName): Finding {
  if (asked.length === 0) {
    const paths = listed(all.map(({ path }) => displayName(path)))
    return { text: `there is no database ${JSON.stringify(file)}; the databases are ${paths}` }
  }
  const named = JSON.stringify(table)
  if (asked.some(({ excluded }) => excluded.has(table)))
    return { text: `the settings of the backup left out the rows of table ${named}` }
  const names = asked.flatMap(({ path, tables }) => {
    const before = asked.length === 1 ? '' : `${displayName(path)} `
    return [...tables].map((name) => before + displayName(name))
  })
  return { text: `there is no table ${named}; the tables are ${listed(names)}` }
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostNames)
  const left = names.length - shown.length
  return `${shown.join(', ') || 'none'}${left > 0 ? `, and ${counted(left, 'other')}` : ''}`
}

/** The tree's rows of one table alone: no script, asset or other table is in it. */
export function withTableOnly(tree: CommitTree, database: string, table: string): CommitTree {
  const folder = tableFolder(database, table)
  const databases = tree.manifest.databases.filter(({ name }) => name === database)
  return {
    ...tree,
    entries: new Map([...tree.entries].filter(([path]) => path.startsWith(folder))),
    manifest: {
      ...tree.manifest,
      databases: databases.map((one) => ({
        ...one,
        tables: one.tables.filter(({ name }) => name === table),
      })),
    },
  }
}

/** Where a table's row files are in a tree. */
export function tableFolder(database: string, table: string): string {
  return `databases/${database}/30-rows/${pathPart(table)}/`
}
