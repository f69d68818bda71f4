/** What a terminal obeys where it should show it: pure. */

/** Control characters but tab and line feed, line separators, and what turns the direction of text. */
const commanding = /(?![\t\n])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u
const allCommanding = new RegExp(commanding, 'gu')
const eachCommanding = new RegExp(`(${commanding.source})`, 'u')

/** Whether a text holds such a character. */
export function isCommanding(text: string): boolean {
  return commanding.test(text)
}

/** Text that says nothing to a terminal: such characters are written as in JSON, where they mean the same. */
export function visible(text: string): string {
  return text.replace(allCommanding, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A text cut at such characters: every second part is one of them. */
export function commandingParts(text: string): string[] {
  return text.split(eachCommanding)
}
