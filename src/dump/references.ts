/** What the definitions of views, triggers and virtual tables name: pure. */

import { lowerCase } from './ascii.ts'
import { addedObject, definedName } from './script.ts'
import { firstTokens, isWord, nameOf, type Token, tokens } from './tokens.ts'

export interface FollowedObject {
  kind: 'view' | 'trigger' | 'virtual'
  name: string
  /** Of a trigger the table or view that it is on, else the name again. */
  owner: string
  sql: string
}

/** The object that a statement of `40-schema.sql` makes or adds to `sqlite_schema`; undefined for other statements. */
export function followedObject(statement: string): FollowedObject | undefined {
  const added = addedObject(statement.replace(/;$/, ''))
  if (added) {
    const { name, table, sql } = added
    return { kind: kindOf(sql) ?? 'virtual', name, owner: table, sql }
  }
  const [kind, name] = [kindOf(statement), definedName(statement)]
  if (kind === undefined || name === undefined) return undefined
  return { kind, name, owner: kind === 'trigger' ? triggered(statement) : name, sql: statement }
}

function kindOf(sql: string): FollowedObject['kind'] | undefined {
  const [create, second] = firstTokens(sql)
  if (!isWord(create, 'CREATE')) return undefined
  return (['view', 'trigger', 'virtual'] as const).find((kind) => isWord(second, kind.toUpperCase()))
}

/** The table or view that a trigger is on: `ON name`, or `ON main.name`. */
function triggered(sql: string): string {
  const found: Token[] = []
  for (const token of tokens(sql))
    if ((found.length > 0 || isWord(token, 'ON')) && found.push(token) === 4) break
  const [, first, dot, second] = found
  if (!dot?.text.startsWith('.')) return nameOf(first) ?? ''
  return (dot.text === '.' ? nameOf(second) : nameIn(dot)) ?? ''
}

/** Those of the known names, as SQLite compares them, that a definition names. */
export function namesIn(sql: string, known: ReadonlySet<string>): Set<string> {
  const found = new Set<string>()
  for (const token of tokens(sql)) {
    const name = lowerCase(nameIn(token) ?? '')
    if (known.has(name)) found.add(name)
  }
  return found
}

/** The name behind a point is one token with it. */
function nameIn(token: Token): string | undefined {
  return token.text.startsWith('.') ? token.text.slice(1) : nameOf(token)
}
