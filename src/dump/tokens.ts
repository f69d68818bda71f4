/** The tokens of SQL text, as SQLite's tokenizer sees them (sqlite.org/lang.html), and its statements: pure. */

import { trimmed, upperCase } from './ascii.ts'

export interface Token {
  kind: 'word' | 'name' | 'string' | 'number' | 'symbol' | 'unclosed'
  /** As written. */
  text: string
  start: number
  end: number
}

/** What a token begins with; a quoted one is followed to its end by `quotedEnd`, however long it is. */
const tokenPattern = new RegExp(
  [
    // A vertical tab is space behind other space only, a byte order mark wherever a token may begin.
    '(?<space>[ \\t\\n\\f\\r][ \\t\\n\\v\\f\\r]*|\\ufeff|--[^\\n]*(?:\\n|$)|/\\*[^]*?\\*/)',
    "(?<string>[xX]?')",
    '(?<name>["`[])',
    '(?<word>[A-Za-z_\\u0080-\\uffff][A-Za-z0-9_$\\u0080-\\uffff]*)',
    '(?<number>[0-9.][0-9A-Za-z_.]*)',
    '(?<unclosed>/\\*[^]*)',
    '(?<symbol>[^])',
  ].join('|'),
  'y',
)

/** The tokens of a text in order, without space and comments; a literal or comment that never ends is `unclosed`. */
export function* tokens(sql: string): Generator<Token> {
  let at = 0
  while (at < sql.length) {
    const start = at
    let kind = kindAt(sql, start)
    at = tokenPattern.lastIndex
    if (kind === 'string' || kind === 'name') {
      const end = quotedEnd(sql, at)
      if (end === undefined) kind = 'unclosed'
      at = end ?? sql.length
    }
    if (kind !== 'space') yield { kind, text: sql.slice(start, at), start, end: at }
  }
}

/** What begins at `start`; `tokenPattern.lastIndex` then stands behind it, or behind its opening quote. */
function kindAt(sql: string, start: number): Token['kind'] | 'space' {
  tokenPattern.lastIndex = start
  const groups = tokenPattern.exec(sql)?.groups as Record<string, string | undefined>
  const [kind] = Object.entries(groups).find(([, value]) => value !== undefined) as [string, string]
  return kind as Token['kind'] | 'space'
}

/** The offset behind the quote that closes the one before `at`, or undefined where none does. */
function quotedEnd(sql: string, at: number): number | undefined {
  const opening = sql[at - 1] as string
  const closing = opening === '[' ? ']' : opening
  let end = sql.indexOf(closing, at)
  while (end >= 0 && opening !== '[' && sql[end + 1] === closing) end = sql.indexOf(closing, end + 2)
  return end < 0 ? undefined : end + 1
}

/** So many tokens say what a statement is; a hostile text may have too many to keep. */
const headTokens = 8

/** The first tokens of a text. */
export function firstTokens(sql: string): Token[] {
  const found: Token[] = []
  for (const token of tokens(sql)) if (found.push(token) === headTokens) break
  return found
}

/** A statement without the semicolon that ends it, and its first tokens. */
export interface Statement {
  sql: string
  tokens: Token[]
}

/**
 * The statements of a text. A trigger ends at `;` after `END` after `;`, as in sqlite3_complete().
 * What follows the last semicolon, if it is more than space, comes as a statement of its own with `ended` false.
 */
export function statements(text: string): (Statement & { ended: boolean })[] {
  const found: (Statement & { ended: boolean })[] = []
  let head: Token[] = []
  let [last, beforeLast]: (Token | undefined)[] = []
  let start = 0
  const take = (end: number, ended: boolean): void => {
    found.push({ sql: text.slice(start, end), tokens: head, ended })
    head = []
    last = beforeLast = undefined
  }
  for (const token of tokens(text)) {
    const isSemicolon = token.kind === 'symbol' && token.text === ';'
    if (isSemicolon && (!isTrigger(head) || (isWord(last, 'END') && beforeLast?.text === ';'))) {
      take(token.start, true)
      start = token.end
    } else {
      if (head.length < headTokens) head.push(token)
      beforeLast = last
      last = token
    }
  }
  if (trimmed(text.slice(start)) !== '') take(text.length, false)
  return found
}

function isTrigger(parts: readonly Token[]): boolean {
  const temporary = isWord(parts[1], 'TEMP') || isWord(parts[1], 'TEMPORARY')
  return isWord(parts[0], 'CREATE') && isWord(parts[temporary ? 2 : 1], 'TRIGGER')
}

/** Whether a token is that keyword, in any case. */
export function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.length === word.length && upperCase(token.text) === word
}

/** The name that a word, quoted name or string token stands for. */
export function nameOf(token: Token | undefined): string | undefined {
  if (!token) return undefined
  if (token.kind === 'word') return token.text
  if (token.kind !== 'name' && token.kind !== 'string') return undefined
  const quote = token.text[0] as string
  const inner = token.text.slice(1, -1)
  return quote === '[' ? inner : inner.replaceAll(quote + quote, quote)
}
