/** Words as a POSIX shell is given them; pure. */

/** A word in quotes. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}

/** A word of a command that is shown, in quotes where it needs them. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./~*?-]+$/.test(text) ? text : shellQuoted(text)
}
