/** What a replay thread and the one that started it say to each other. */

import type { PlainError } from './plain-error.ts'

/** What the thread is to do, in turn: a replay from `open` to `finish`, then the check of such a file. */
export type Order =
  | { kind: 'open'; target: string; extensions: readonly string[] }
  | { kind: 'statement'; path: string; sql: string }
  | { kind: 'rows'; path: string; table: string; columns: string[]; content: Uint8Array }
  | { kind: 'finish' }
  /** Asks for nothing but an answer, which comes when all orders before have been carried out. */
  | { kind: 'settle' }
  | { kind: 'check'; file: string; extensions: readonly string[] }
  /** The last. */
  | { kind: 'end' }

/** Its answers: `ran` to a statement or rows of so many bytes, one of the others to the rest. */
export type Answer =
  | { kind: 'ran'; bytes: number }
  | { kind: 'done' }
  | { kind: 'checked'; damage: string | undefined; foreignKeyViolations: number }
  /** No order behind the one that failed is carried out. */
  | { kind: 'failed'; error: PlainError }
