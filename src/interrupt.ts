/** What must be undone if the process is told to stop in the middle; the program's signal handler calls it. */

const undoings = new Set<() => void>()

/** Registers a synchronous undoing and returns the function that takes it back. */
export function onInterrupt(undo: () => void): () => void {
  undoings.add(undo)
  return () => undoings.delete(undo)
}

/** Undoes everything that is registered, the latest first. What cannot be undone, as on a disk that fails, is left. */
export function interrupt(): void {
  for (const undo of [...undoings].reverse()) {
    try {
      undo()
    } catch {}
  }
  undoings.clear()
}
