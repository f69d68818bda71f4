/** What must be undone if the process is told to stop in the middle; the program's signal handler calls it. */

import { endChildren } from './child-processes.ts'

const undoings = new Set<() => void>()

/** Registers a synchronous undoing and returns the function that takes it back. */
export function onInterrupt(undo: () => void): () => void {
  undoings.add(undo)
  return () => undoings.delete(undo)
}

/**
 * Ends what this process has started, then undoes everything that is registered, the latest first. What cannot be undone,
 * as on a disk that fails, is left.
 */
export function interrupt(): void {
  endChildren()
  for (const undo of [...undoings].reverse()) {
    try {
      undo()
    } catch {}
  }
  undoings.clear()
}
