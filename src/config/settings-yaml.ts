/**
 * The YAML of a settings file: its data, what is wrong with its syntax, and the line of each value. Pure.
 * Messages of the parser are cut before any piece of the file they quote: that may be a password.
 */

import {
  type Document,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  Scalar,
  visit,
  type YAMLError,
} from 'yaml'
import type { Problem } from './settings-problems.ts'

/** Keys and positions in lists that lead to a value. */
export type ValuePath = readonly PropertyKey[]

export interface ParsedYaml {
  /** Plain objects, arrays and scalars; null for an empty text. */
  data: unknown
  problems: Problem[]
  /** The line from which on a syntax error makes the data unsure; Infinity if there is none. */
  unsureFrom: number
  /** The line of the key or list item at `path`, or of the nearest thing around it. */
  lineOf(path: ValuePath): number
}

/** Parses a text; never throws for what the text holds. */
export function parseYaml(text: string): ParsedYaml {
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false, logLevel: 'error' })
  const lineAt = (offset: number) => Math.max(1, counter.linePos(offset).line)
  const problems = [...document.errors, ...document.warnings].map((error) => ({
    line: lineAt(error.pos[0]),
    text: yamlErrorText(error, text),
    syntax: error.code !== 'DUPLICATE_KEY',
  }))
  for (const offset of removeAliases(document)) {
    problems.push({ line: lineAt(offset), text: 'syntax: an alias is not supported here', syntax: true })
  }
  return {
    data: document.toJS(),
    problems,
    unsureFrom: unsureFrom(problems, topLines(document.contents, counter)),
    lineOf: (path) => lineAt(offsetOf(document.contents, path)),
  }
}

/** A syntax error makes unsure the top-level key that it follows, and all behind it. */
function unsureFrom(problems: readonly Problem[], keyLines: readonly number[]): number {
  const errorLine = Math.min(...problems.filter(({ syntax }) => syntax).map(({ line }) => line))
  if (errorLine === Number.POSITIVE_INFINITY) return errorLine
  return Math.max(0, ...keyLines.filter((line) => line <= errorLine))
}

/** The lines of the keys at the top level; one that is indented got there by a syntax error. */
function topLines(root: ParsedNode | null, counter: LineCounter): number[] {
  const keys = isMap(root) ? root.items.map(({ key }) => counter.linePos(key.range[0])) : []
  return keys.filter(({ col }) => col === 1).map(({ line }) => line)
}

function yamlErrorText({ code, message, pos }: YAMLError, text: string): string {
  if (code === 'DUPLICATE_KEY') return `${keyAt(text, pos[0])}: is given twice`
  if (code === 'TAG_RESOLVE_FAILED') return 'syntax: a tag is not supported here'
  if (code === 'BAD_DIRECTIVE') return 'syntax: a directive is not supported here'
  const cause = message.replace(/: .*/s, '').replace(/;.*/s, '')
  return `syntax: ${cause.charAt(0).toLowerCase()}${cause.slice(1)}`
}

function keyAt(text: string, offset: number): string {
  return /^["']?([\w-]+)["']?\s*:/.exec(text.slice(offset, offset + 100))?.[1] ?? 'key'
}

/** Replaces aliases, which may be unresolved or multiply without bound, by null; returns their offsets. */
function removeAliases(document: Document.Parsed): number[] {
  const offsets: number[] = []
  visit(document, {
    Alias: (_key, alias) => {
      offsets.push(alias.range?.[0] ?? 0)
      const nothing = new Scalar(null)
      nothing.range = alias.range ?? null
      return nothing
    },
  })
  return offsets
}

/** The offset of the key or item that `path` names, as far as the path can be followed. */
function offsetOf(root: ParsedNode | null, path: ValuePath): number {
  let node: unknown = root
  let offset = root?.range[0] ?? 0
  for (const step of path) {
    const { at, value } = entryAt(node, step)
    if (!isNode(at)) return offset
    offset = at.range?.[0] ?? offset
    node = value
  }
  return offset
}

/** Where one step of a path is written, and the value behind it. Of a key given twice the last counts. */
function entryAt(node: unknown, step: PropertyKey): { at?: unknown; value?: unknown } {
  if (isSeq(node)) return { at: node.items[Number(step)], value: node.items[Number(step)] }
  if (!isMap(node)) return {}
  const pair = node.items.findLast(({ key }) => isScalar(key) && String(key.value) === String(step))
  return { at: pair?.key, value: pair?.value }
}
