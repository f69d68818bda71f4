/** What keeps a restore in place from changing anything, and how that is said. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { shownPath } from '../assets/paths.ts'
import type { Unreadable } from '../assets/scan.ts'
import { errorText, hasErrno, RowbackError } from '../errors.ts'
import { writeFault } from '../sqlite/disk-fault.ts'
import { isLocked, userOf } from '../sqlite/in-use.ts'
import { companionFiles } from '../sqlite/source-file.ts'
import type { LiveSource, Present } from './live-source.ts'

/** A restore of one commit. */
export interface Task {
  live: LiveSource
  commit: string
  /** Whether it goes on though another process has a database open. */
  force: boolean | undefined
}

/** How messages begin. */
export function taskName({ live, commit }: Omit<Task, 'force'>): string {
  return `restore ${shortId(commit)} in place of ${live.path}`
}

export function shortId(oid: string): string {
  return oid.slice(0, 10)
}

/** What cannot be read cannot be saved. */
export function refuseUnreadable(task: Task, [first]: readonly Unreadable[]): void {
  if (first === undefined) return
  throw new RowbackError(
    'source',
    `${taskName(task)}: ${shownPath(first.path)} cannot be saved first, as it cannot be read: ${first.problem}; it was left untouched`,
    { hint: 'run it as root, or as the user of the application, or exclude that path' },
  )
}

export function refuseOpen(task: Task, { databases }: Present, left?: string): void {
  if (task.force) return
  const files = databases.flatMap((path) => [path, ...companionFiles(path)])
  const user = userOf(files.map((path) => join(task.live.root, path)))
  if (user) throw inUse(task, `process ${user.pid} (${user.name}) has ${user.file} open`, left)
}

export function refuseLocked(task: Task, { databases }: Present): void {
  if (task.force) return
  const files = databases.map((path) => join(task.live.root, path)).filter((file) => existsSync(file))
  const locked = files.find((file) => isLocked(file))
  if (locked !== undefined) throw inUse(task, `another process has ${locked} open`)
}

function inUse(task: Task, text: string, left = 'it was left untouched'): RowbackError {
  return new RowbackError('source', `${taskName(task)}: ${text}; ${left}`, {
    hint: 'stop the application, or add --force',
  })
}

/** Of what stopped a restore before it changed anything. */
export function inPlaceError(task: Task, error: unknown): unknown {
  const verb = taskName(task)
  const known = error instanceof RowbackError ? error : undefined
  if (known?.message.startsWith(verb)) return error
  const say = (code: RowbackError['code'], text: string): RowbackError =>
    new RowbackError(code, `${verb}: ${text}; it was left untouched`, { hint: known?.hint, cause: error })
  if (known && known.code !== 'target')
    return say(known.code, known.message.replace('; nothing was committed', ''))
  const fault = writeFault(error)
  if (fault !== undefined) return say('target', fault)
  if (known) return say('target', known.message)
  if (hasErrno(error, 'EROFS', 'EACCES', 'EPERM')) return say('target', 'it cannot be written')
  return error instanceof Error && 'syscall' in error ? say('target', errorText(error)) : error
}
