/** The tokens of SQL text, as SQLite's tokenizer sees them (sqlite.org/lang.html), and its statements: pure. */

export interface Token {
  kind: 'word' | 'name' | 'string' | 'number' | 'symbol' | 'unclosed'
  /** As written. */
  text: string
  start: number
  end: number
}

const tokenPattern = new RegExp(
  [
    '(?<space>[ \\t\\n\\f\\r]+|--[^\\n]*(?:\\n|$)|/\\*(?:[^*]|\\*(?!/))*\\*/)',
    "(?<string>[xX]?'(?:[^']|'')*')",
    '(?<name>"(?:[^"]|"")*"|`(?:[^`]|``)*`|\\[[^\\]]*\\])',
    '(?<word>[A-Za-z_\\u0080-\\uffff][A-Za-z0-9_$\\u0080-\\uffff]*)',
    '(?<number>[0-9.][0-9A-Za-z_.]*)',
    '(?<unclosed>["\'`\\[][^]*|/\\*[^]*)',
    '(?<symbol>[^])',
  ].join('|'),
  'y',
)

/** The tokens of a text in order, without space and comments; a literal or comment that never ends is `unclosed`. */
export function* tokens(sql: string): Generator<Token> {
  let at = 0
  while (at < sql.length) {
    tokenPattern.lastIndex = at
    const groups = tokenPattern.exec(sql)?.groups as Record<string, string | undefined>
    const [kind, text] = Object.entries(groups).find(([, value]) => value !== undefined) as [string, string]
    const start = at
    at += text.length
    if (kind !== 'space') yield { kind: kind as Token['kind'], text, start, end: at }
  }
}

/** A statement and its tokens, without the semicolon that ends it. */
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
  let parts: Token[] = []
  let start = 0
  const take = (end: number, ended: boolean): void => {
    found.push({ sql: text.slice(start, end), tokens: parts, ended })
    parts = []
  }
  for (const token of tokens(text)) {
    if (token.kind === 'symbol' && token.text === ';' && isEnd(parts)) {
      take(token.start, true)
      start = token.end
    } else parts.push(token)
  }
  if (text.slice(start).trim() !== '') take(text.length, false)
  return found
}

function isEnd(parts: readonly Token[]): boolean {
  const temporary = isWord(parts[1], 'TEMP') || isWord(parts[1], 'TEMPORARY')
  if (!isWord(parts[0], 'CREATE') || !isWord(parts[temporary ? 2 : 1], 'TRIGGER')) return true
  return isWord(parts.at(-1), 'END') && parts.at(-2)?.text === ';'
}

/** Whether a token is that keyword, in any case. */
export function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === 'word' && token.text.toUpperCase() === word
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
