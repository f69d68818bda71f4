/** Reads the text of a glob into tokens: pure, and the one place that knows escapes, classes and brace pairs. */

export type TokenTest = (character: string) => boolean

export type Token =
  | { kind: 'one'; test: TokenTest }
  /** `star` is `*`; `components` is a `**` with the slash behind it, `rest` one at the end. */
  | { kind: 'slash' | 'star' | 'components' | 'rest' | 'open' | 'comma' | 'close' }

/** The tokens of a pattern. Every text is a pattern: what has no meaning stands for itself. */
export function tokens(pattern: string): Token[] {
  const characters = [...pattern]
  const braces = pairedBraces(characters)
  const list: Token[] = []
  for (let at = 0; at < characters.length; ) {
    const [token, next] = tokenAt(characters, at, braces)
    list.push(token)
    at = next
  }
  return list
}

/** The token at `at`, and where the next one begins. */
function tokenAt(
  characters: readonly string[],
  at: number,
  braces: ReadonlyMap<number, Token>,
): [Token, number] {
  const character = characters[at] as string
  const brace = braces.get(at)
  if (brace !== undefined) return [brace, at + 1]
  if (character === '/') return [{ kind: 'slash' }, at + 1]
  if (character === '*') return stars(characters, at, braces)
  if (character === '?') return [{ kind: 'one', test: (found) => found !== '/' }, at + 1]
  if (character === '[') {
    const end = classEnd(characters, at)
    if (end > 0) return [{ kind: 'one', test: classTest(characters.slice(at + 1, end)) }, end + 1]
  }
  const escaped = character === '\\' && at + 1 < characters.length
  const literal = escaped ? characters[at + 1] : character
  return [{ kind: 'one', test: (found) => found === literal }, escaped ? at + 2 : at + 1]
}

/** Stars that fill a component span components; any others are one `*`. */
function stars(
  characters: readonly string[],
  at: number,
  braces: ReadonlyMap<number, Token>,
): [Token, number] {
  let end = at
  while (characters[end] === '*') end += 1
  const bounded = (index: number) =>
    characters[index] === undefined || characters[index] === '/' || braces.has(index)
  if (end - at < 2 || !bounded(at - 1) || !bounded(end)) return [{ kind: 'star' }, end]
  return characters[end] === '/' ? [{ kind: 'components' }, end + 1] : [{ kind: 'rest' }, end]
}

/** The index of the `]` that ends the class which begins at `at`; 0 if none does. */
function classEnd(characters: readonly string[], at: number): number {
  const first = characters[at + 1] === '!' || characters[at + 1] === '^' ? at + 2 : at + 1
  for (let index = first; index < characters.length; index++) {
    if (characters[index] === '\\') index += 1
    else if (characters[index] === '/') return 0
    else if (characters[index] === ']' && index > first) return index
  }
  return 0
}

/** The test of a class from what stands between its brackets; it never takes a `/`. */
function classTest(content: readonly string[]): TokenTest {
  const negated = content[0] === '!' || content[0] === '^'
  const members: string[] = []
  const ranges: [number, number][] = []
  for (let at = negated ? 1 : 0; at < content.length; at++) {
    if (content[at] === '\\' && at + 1 < content.length) at += 1
    const from = content[at] as string
    const to = content[at + 1] === '-' ? content[at + 2] : undefined
    if (to === undefined) members.push(from)
    else {
      ranges.push([codePoint(from), codePoint(to)])
      at += 2
    }
  }
  return (found) => {
    const code = codePoint(found)
    const held = members.includes(found) || ranges.some(([from, to]) => code >= from && code <= to)
    return found !== '/' && held !== negated
  }
}

function codePoint(character: string): number {
  return character.codePointAt(0) as number
}

/** The braces that pair up around at least one comma, and these commas, by their index. */
function pairedBraces(characters: readonly string[]): Map<number, Token> {
  const paired = new Map<number, Token>()
  const pending: { open: number; commas: number[] }[] = []
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]
    if (character === '\\') at += 1
    else if (character === '[') at = classEnd(characters, at) || at
    else if (character === '{') pending.push({ open: at, commas: [] })
    else if (character === ',') pending.at(-1)?.commas.push(at)
    else if (character === '}') {
      const group = pending.pop()
      if (group === undefined || group.commas.length === 0) continue
      paired.set(group.open, { kind: 'open' }).set(at, { kind: 'close' })
      for (const comma of group.commas) paired.set(comma, { kind: 'comma' })
    }
  }
  return paired
}
