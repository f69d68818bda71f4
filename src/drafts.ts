/** Drafts: what is made beside its place and then renamed into it. */

import { createHash, randomBytes } from 'node:crypto'
import { readdirSync, readlinkSync, rmSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { hasErrno } from './errors.ts'

/** Those beside what somebody asked for have the name of the program. */
export type DraftKind = 'rowback' | 'new'

/**
 * A path beside `target` for a draft of it, where nothing is. The name says which process makes it, so that drafts of
 * those that died making the same target are known, and removed here.
 */
export function draftBeside(target: string, kind: DraftKind): string {
  const prefix = draftPrefix(target, kind)
  removeDead(dirname(target), prefix)
  return join(dirname(target), `${prefix}${process.pid}-${randomBytes(4).toString('hex')}`)
}

/** Removes the drafts of `target` whose makers have died. */
export function removeDrafts(target: string, kind: DraftKind): void {
  removeDead(dirname(target), draftPrefix(target, kind))
}

function removeDead(folder: string, prefix: string): void {
  for (const name of namesIn(folder)) {
    const [pid, random, ...more] = name.startsWith(prefix) ? name.slice(prefix.length).split('-') : []
    const isDraft = /^\d+$/.test(pid ?? '') && /^[0-9a-f]{8}$/.test(random ?? '') && more.length === 0
    if (isDraft && !isRunning(Number(pid))) removeIfPossible(join(folder, name))
  }
}

function draftPrefix(target: string, kind: DraftKind): string {
  return `${basename(target)}.${kind}-${processSpace()}-`
}

/** Where process ids are counted: another host or container has others. */
function processSpace(): string {
  let space = ''
  try {
    space = readlinkSync('/proc/self/ns/pid')
  } catch {
    // The system has one.
  }
  return createHash('sha1').update(`${hostname()} ${space}`).digest('hex').slice(0, 6)
}

/** Where that cannot be done, the next one does it, and what is to be made now says why it cannot be. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {}
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !hasErrno(error, 'ESRCH')
  }
}
