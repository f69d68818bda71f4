/** What is wrong with the values of a settings file, in words; pure. */

import type { z } from 'zod'
import { nearest } from './nearest.ts'
import type { Problem } from './settings-problems.ts'
import { keysAt } from './settings-schema.ts'
import type { ParsedYaml, ValuePath } from './settings-yaml.ts'

type Issue = z.core.$ZodIssue

/** The problems that the schema found, each with its line. */
export function schemaProblems(parsed: z.ZodSafeParseResult<unknown>, yaml: ParsedYaml): Problem[] {
  const issues = parsed.success ? [] : parsed.error.issues
  return issues.flatMap((issue) =>
    issueTexts(issue, yaml.data).map(({ path, text }) => ({
      line: yaml.lineOf(path),
      text: `${keyName(path)}: ${text}`,
      syntax: false,
    })),
  )
}

/** One text an issue, but one a key for unknown keys. */
function issueTexts(issue: Issue, data: unknown): { path: ValuePath; text: string }[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ path: [...issue.path, key], text: unknownKey(key, issue.path) }))
  }
  return [{ path: issue.path, text: issueText(issue, valueAt(data, issue.path)) }]
}

function issueText(issue: Issue, value: unknown): string {
  const isOfValue = issue.code === 'invalid_type' || issue.code === 'invalid_value'
  if (isOfValue && value === undefined) return 'is missing'
  if (issue.code === 'invalid_type') return expectedText(typeNames[issue.expected] ?? issue.expected, value)
  if (issue.code !== 'invalid_value') return issue.message
  return expectedText(issue.values.map((allowed) => JSON.stringify(allowed)).join(' or '), value)
}

const typeNames: Record<string, string> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys with values',
}

function expectedText(expected: string, value: unknown): string {
  const found = value === null ? 'nothing: give a value or remove the key' : shownValue(value)
  return `expected ${expected}, found ${found}`
}

/** A scalar as JSON; nothing of a list, of keys or of a text that may hold a password. */
function shownValue(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object' && value !== null) return 'keys with values'
  const json = typeof value === 'number' ? String(value) : JSON.stringify(value)
  if (/:[^@]*@/.test(json)) return 'a text that is not shown, as it may hold a password'
  return json.length > 80 ? `${json.slice(0, 80)}…` : json
}

function unknownKey(key: string, path: ValuePath): string {
  const near = nearest(key, keysAt(path))
  return near === undefined ? 'is not known' : `is not known; did you mean "${near}"?`
}

/** The keys that lead to a value, as `assets.include`; one that no user would choose is shown as JSON. */
function keyName(path: ValuePath): string {
  const keys = path.filter((step) => typeof step === 'string')
  if (keys.length === 0) return 'settings'
  return keys.map((key) => (/^[\w-]+$/.test(key) ? key : shownValue(key))).join('.')
}

function valueAt(data: unknown, path: ValuePath): unknown {
  let value = data
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<PropertyKey, unknown>)[step]
  }
  return value
}
