/**
 * Letters and white space as SQLite knows them: those of ASCII. JavaScript's own functions go by Unicode, where `ﬂoat` in
 * capitals is FLOAT and `ınt` is INT, which are other types to SQLite (sqlite.org/faq.html, question 18).
 */

export function upperCase(text: string): string {
  return text.replace(/[a-z]+/g, (letters) => letters.toUpperCase())
}

export function lowerCase(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** The text without white space at its ends. */
export function trimmed(text: string): string {
  let [start, end] = [0, text.length]
  while (start < end && isSpace(text.charCodeAt(start))) start += 1
  while (start < end && isSpace(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isSpace(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}
