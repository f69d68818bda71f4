/** Problems of a settings file, their order and their lines; pure. */

/** One thing that is wrong with a settings file. */
export interface Problem {
  /** Counted from 1. */
  line: number
  /** The key, a colon and what is wrong with it. */
  text: string
  /** Whether the text is no YAML from here on. */
  syntax: boolean
}

/** The problems as `file:line: key: what is wrong`, in the order of their lines. */
export function problemLines(file: string, problems: readonly Problem[]): string[] {
  return problems.toSorted((a, b) => a.line - b.line).map(({ line, text }) => `${file}:${line}: ${text}`)
}
