/**
 * Settles how each object of a schema comes back, by replaying the schema into an empty database in memory:
 * what its own text does not bring back letter by letter is patched, and what cannot be brought back is refused.
 */

import Database from 'better-sqlite3'
import { byName, type Plan, type PlannedObject } from '../dump/plan.ts'
import type { Schema, SchemaObject } from '../dump/schema.ts'
import {
  isScriptable,
  openStatements,
  schemaStatements,
  script,
  standIn,
  systemTableStatements,
  tableStatements,
  terminated,
  virtualStatements,
} from '../dump/schema-sql.ts'
import { checkScript, type ScriptFile } from '../dump/script.ts'
import { errorText, RowbackError } from '../errors.ts'
import { loadExtensions } from './extensions.ts'
import { makeLegible } from './make-legible.ts'
import type { PlannedDump } from './plan-dump.ts'

type Connection = Database.Database

/** A virtual table whose content could not be replayed: it must be planned as `exact`. */
export class VirtualFailed extends Error {
  readonly table: string
  constructor(table: string, options: ErrorOptions) {
    super(`virtual table ${table} cannot be made anew`, options)
    this.table = table
  }
}

/** Sets the forms in `plan`; throws a `source` error naming an object that no replay brings back. */
export function settle(
  plan: Plan,
  schema: Schema,
  { configs, extensions }: Pick<PlannedDump, 'configs' | 'extensions'>,
): void {
  const unnamable = schema.objects.find(({ type, name }) => isNamedInScripts(type) && name.includes('\r\n'))
  if (unnamable) throw refusal(unnamable, 'stock sqlite3 drops the CR from the line end in its name')
  const db = emptyDatabase(plan, extensions)
  try {
    settleTables(db, plan)
    settleVirtuals(db, plan, configs)
    settleIndexes(db, plan)
    settleObjects(db, plan.views)
    settleRebuilt(db, plan, configs)
    settleObjects(db, plan.triggers)
    plan.orphanSequence = hasOrphanSequence(db, plan)
    plan.rewordedShadows = rewordedShadows(db, plan, schema)
  } finally {
    db.close()
  }
  proveSchema(plan, schema, { configs, extensions })
}

/** A database in memory behind `10-open.sql`. */
function emptyDatabase({ settings }: Plan, extensions: readonly string[]): Connection {
  const db = new Database(':memory:')
  try {
    db.unsafeMode(true)
    loadExtensions(db, extensions)
    runAll(db, openStatements(settings))
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Views and triggers can be inserted under any name. */
function isNamedInScripts(type: SchemaObject['type']): boolean {
  return type === 'table' || type === 'index'
}

function settleTables(db: Connection, plan: Plan): void {
  for (const planned of plan.tables) {
    if (planned.form === 'plain' && !comesBack(db, planned.table.object)) planned.form = 'patched'
    if (planned.form === 'patched') attempt(planned.table.object, () => db.exec(standIn(planned.table)))
  }
}

function settleVirtuals(db: Connection, plan: Plan, configs: ReadonlyMap<string, string[]>): void {
  const virtuals = plan.virtuals.filter(({ mode }) => mode === 'rows')
  for (const virtual of virtuals) {
    attemptVirtual(virtual.object, () => runAll(db, virtualStatements(virtual, configs)))
  }
}

function settleIndexes(db: Connection, plan: Plan): void {
  const none = {
    ...plan,
    virtuals: [],
    indexes: [],
    views: [],
    triggers: [],
    rewordedShadows: [],
    originals: [],
  }
  const patched = plan.tables.filter(({ form }) => form === 'patched')
  for (const planned of patched) {
    const alone = { ...none, tables: [planned] }
    attempt(planned.table.object, () => runAll(db, schemaStatements(alone, new Map())))
  }
  for (const index of plan.indexes) {
    if (comesBack(db, index.object)) continue
    index.form = 'patched'
    const tables = plan.tables.map((planned) => ({ ...planned, form: 'plain' as const }))
    attempt(index.object, () =>
      runAll(db, schemaStatements({ ...none, tables, indexes: [index] }, new Map())),
    )
  }
}

function settleObjects(db: Connection, objects: PlannedObject[]): void {
  for (const planned of objects) if (!comesBack(db, planned.object)) planned.form = 'patched'
}

function settleRebuilt(db: Connection, plan: Plan, configs: ReadonlyMap<string, string[]>): void {
  for (const virtual of plan.virtuals.filter(({ mode }) => mode === 'rebuild')) {
    attemptVirtual(virtual.object, () => runAll(db, virtualStatements(virtual, configs)))
  }
}

function hasOrphanSequence(db: Connection, plan: Plan): boolean {
  const made = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name='sqlite_sequence'").pluck().get()
  return made === 0 && plan.systemTables.some(({ name }) => name === 'sqlite_sequence')
}

/** The shadow tables that replay makes with another text than the source has. */
function rewordedShadows(db: Connection, plan: Plan, { objects }: Schema): SchemaObject[] {
  const shadows = new Set(plan.virtuals.flatMap((virtual) => virtual.shadows))
  const made = db.prepare("SELECT sql FROM sqlite_schema WHERE type='table' AND name=?").pluck()
  const reworded = objects.filter(
    ({ type, name, sql }) => type === 'table' && shadows.has(name) && made.get(name) !== sql,
  )
  return byName(reworded, ({ name }) => name)
}

/** Whether running an object's text stores the same text; undone where it does not. */
function comesBack(db: Connection, object: SchemaObject): boolean {
  if (!isScriptable(object.sql as string)) return false
  db.exec('SAVEPOINT attempt')
  const back = storesSame(db, object)
  db.exec(back ? 'RELEASE attempt' : 'ROLLBACK TO attempt; RELEASE attempt')
  return back
}

function storesSame(db: Connection, { type, name, tableName, sql }: SchemaObject): boolean {
  // What a statement makes stands behind all that was there; a look at each row for each object takes their square.
  const last = db.prepare('SELECT max(rowid) FROM sqlite_schema').pluck().get() ?? 0
  try {
    db.prepare(terminated(sql as string)).run()
  } catch {
    return false
  }
  const stored = db
    .prepare('SELECT sql, tbl_name FROM sqlite_schema WHERE rowid>? AND type=? AND name=?')
    .raw()
    .get(last, type, name)
  return JSON.stringify(stored) === JSON.stringify([sql, tableName])
}

function attempt(object: SchemaObject, run: () => void): void {
  try {
    run()
  } catch (error) {
    throw refusal(object, errorText(error), error)
  }
}

function refusal({ type, name }: SchemaObject, cause: string, error?: unknown): RowbackError {
  return new RowbackError('source', `dump ${type} ${JSON.stringify(name)}: ${cause}; nothing was committed`, {
    cause: error,
  })
}

function attemptVirtual(object: SchemaObject, run: () => void): void {
  try {
    run()
  } catch (error) {
    throw new VirtualFailed(object.name, { cause: error })
  }
}

function runAll(db: Connection, statements: readonly string[]): void {
  for (const sql of statements) db.exec(sql)
}

/** Replays the settled schema in one go and compares what `sqlite_schema` then holds. */
function proveSchema(
  plan: Plan,
  schema: Schema,
  { configs, extensions }: Pick<PlannedDump, 'configs' | 'extensions'>,
): void {
  const db = emptyDatabase(plan, extensions)
  try {
    runAll(db, asReplayed('20-tables.sql', tableStatements(plan, configs)))
    runAll(db, asReplayed('40-schema.sql', schemaStatements(plan, configs)))
    runAll(db, asReplayed('90-close.sql', systemTableStatements(plan)))
    proveOriginals(db, plan)
    const shadows = new Set(plan.virtuals.flatMap((virtual) => virtual.shadows))
    const made = db
      .prepare('SELECT type, name, tbl_name AS tableName, sql FROM sqlite_schema')
      .all() as SchemaObject[]
    const names = new Set(made.map(({ name }) => name))
    const other = plan.virtuals.find((virtual) => virtual.shadows.some((name) => !names.has(name)))
    if (other) throw new VirtualFailed(other.object.name, {})
    // Which indexes a shadow table has is its module's affair.
    const isCompared = ({ type, tableName }: SchemaObject): boolean =>
      type === 'table' || !shadows.has(tableName)
    const replayed = new Set(made.filter(isCompared).map(fingerprint))
    const wanted = schema.objects.filter(isCompared)
    const lost = wanted.find((object) => !replayed.has(fingerprint(object)))
    if (lost) throw refusal(lost, 'a replay would not bring back its definition')
    if (replayed.size <= wanted.length) return
    const known = new Set(schema.objects.map(({ name }) => name))
    const extra = made.find(({ name }) => !known.has(name))?.name ?? ''
    const adding = plan.virtuals.find(
      ({ mode, object }) => mode !== 'exact' && extra.startsWith(`${object.name}_`),
    )
    throw adding
      ? new VirtualFailed(adding.object.name, {})
      : new RowbackError('fault', 'dump schema: a replay would add objects')
  } finally {
    db.close()
  }
}

/** Compares the bytes of what is not legible, and makes the replayed schema legible, too. */
function proveOriginals(db: Connection, { originals }: Plan): void {
  const replayed = new Set(makeLegible(db).map((original) => JSON.stringify(original)))
  const lost = originals.find((original) => !replayed.delete(JSON.stringify(original)))
  if (!lost && replayed.size === 0) return
  throw new RowbackError(
    'source',
    'dump schema: a replay would change a text that is not valid UTF-8; nothing was committed',
  )
}

/** The statements of a script as a replay takes them apart, each allowed in a dump. */
function asReplayed(file: ScriptFile, statements: readonly string[]): string[] {
  try {
    return checkScript(file, script(statements), file)
  } catch (error) {
    throw new RowbackError('source', `dump schema: ${errorText(error)}; nothing was committed`, {
      cause: error,
    })
  }
}

function fingerprint({ type, name, tableName, sql }: SchemaObject): string {
  return JSON.stringify([type, name, tableName, sql])
}
