/** Processes that own a lock, told apart even when the system gives a process id out again. */

import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { hasErrno } from '../errors.ts'

export interface LockOwner {
  pid: number
  host: string
  /** When the lock was taken, as ISO 8601. */
  since: string
  /** Boot of the machine and start of the process in it; undefined where the system does not tell. */
  started: string | undefined
}

/** This process as an owner. */
export async function ownOwner(): Promise<LockOwner> {
  const { pid } = process
  return { pid, host: hostname(), since: new Date().toISOString(), started: await startOf(pid) }
}

/** Whether that owner may still be running. Of another host nothing is known, so there it may. */
export async function isAlive(owner: LockOwner): Promise<boolean> {
  if (owner.host !== hostname()) return true
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) return false
  }
  const started = await startOf(owner.pid)
  return started === undefined || owner.started === undefined || started === owner.started
}

/** Which run of a process id this is: boot id and `starttime` of proc_pid_stat(5). */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const [boot, status] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ])
    // The second field is the program's name, which may hold spaces and parentheses.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
    return `${boot.trim()} ${fields[19]}`
  } catch {
    return undefined
  }
}
