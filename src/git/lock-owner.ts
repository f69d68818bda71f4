/** Processes that own a lock, told apart even when the system gives a process id out again. */

import { readFile, readlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { hasErrno } from '../errors.ts'

export interface LockOwner {
  pid: number
  host: string
  /** When the lock was taken, as ISO 8601. */
  since: string
  /** Boot of the machine and start of the process in it; undefined where the system does not tell. */
  started: string | undefined
  /** Where process ids are counted: containers have their own (pid_namespaces(7)). */
  space?: string | undefined
}

/** This process as an owner. */
export async function ownOwner(): Promise<LockOwner> {
  const { pid } = process
  const [started, space] = await Promise.all([startOf(pid), ownSpace()])
  return { pid, host: hostname(), since: new Date().toISOString(), started, space }
}

/**
 * Whether that owner is running; undefined where nothing is known of its processes: on another host, in another container, or
 * of another boot, where `isShared` says that another machine, by the same name, may have made the lock.
 */
export async function isAlive(
  owner: LockOwner,
  { isShared }: { isShared: boolean },
): Promise<boolean | undefined> {
  const space = await ownSpace()
  const isElsewhere = owner.space !== undefined && space !== undefined && owner.space !== space
  if (owner.host !== hostname() || isElsewhere) return undefined
  if (await isOfAnotherBoot(owner)) return isShared ? undefined : false
  try {
    process.kill(owner.pid, 0)
  } catch (error) {
    if (hasErrno(error, 'ESRCH')) return false
  }
  const started = await startOf(owner.pid)
  return started === undefined || owner.started === undefined || started === owner.started
}

/** Whether an owner's process id was given out by another boot: of this machine, or of another one by the same name. */
export async function isOfAnotherBoot({ started }: LockOwner): Promise<boolean> {
  const boot = await ownBoot()
  return started !== undefined && boot !== undefined && !started.startsWith(`${boot} `)
}

/** Which run of a process id this is: boot id and `starttime` of proc_pid_stat(5). */
async function startOf(pid: number): Promise<string | undefined> {
  try {
    const [boot, status] = await Promise.all([ownBoot(), readFile(`/proc/${pid}/stat`, 'utf8')])
    if (boot === undefined) return undefined
    // The second field is the program's name, which may hold spaces and parentheses.
    const fields = status.slice(status.lastIndexOf(')') + 2).split(' ')
    return `${boot} ${fields[19]}`
  } catch {
    return undefined
  }
}

async function ownBoot(): Promise<string | undefined> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => undefined)
  return boot?.trim()
}

async function ownSpace(): Promise<string | undefined> {
  return await readlink('/proc/self/ns/pid').catch(() => undefined)
}
