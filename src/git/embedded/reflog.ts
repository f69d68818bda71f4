/** Logs of where refs have pointed (git-reflog(1)), as git keeps them. */

import { appendFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolders, removeHollowFolder } from '../../folders.ts'
import type { Identity } from '../commit.ts'

export interface LogEntry {
  message: string
  by: Identity
  /** What `core.logAllRefUpdates` says; undefined if it is not set. */
  setting: string | undefined
}

/** Adds a line to the logs of refs: to each that is there, and to new ones unless the setting is against that. */
export async function appendLogs(
  gitDir: string,
  refs: readonly string[],
  move: string,
  { message, by, setting }: LogEntry,
): Promise<void> {
  const line = `${move} ${by.name} <${by.email}> ${Math.floor(Date.now() / 1000)} +0000\t${message}\n`
  for (const ref of refs) {
    const file = join(gitDir, 'logs', ref)
    if (!logsAll(setting) && !(await isFile(file))) continue
    await removeHollowFolder(file)
    await makeFolders(dirname(file))
    await appendFile(file, line)
  }
}

/** Without the setting the git that we start logs, too: it takes a repository that it is led to for one with a work tree. */
function logsAll(setting = 'true'): boolean {
  return !/^(?:|false|no|off|0)$/i.test(setting)
}

async function isFile(path: string): Promise<boolean> {
  return await stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}
