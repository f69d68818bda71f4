/** What the figures were taken on, without anything that names the machine or its user. IO. */

import { spawnSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import Database from 'better-sqlite3'
import type { Contestant } from './contestants.ts'

/** Whether a program can be started. */
export function isInstalled(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
}

/** Lines of name and value: processors, memory, file system, kernel, and versions of all that takes part. */
export function describeMachine(
  contestants: readonly Contestant[],
  dir: string,
): [name: string, value: string][] {
  const fileSystem = firstLine('stat', ['--file-system', '--format=%T', dir])
  const versions = contestants.flatMap(({ versions = {} }) =>
    Object.entries(versions).map(([program, flag]) => [program, programVersion(program, flag)] as const),
  )
  return [
    ['processors', `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`],
    ['memory', `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ['file system', fileSystem],
    ['kernel', `${type()} ${release().split('.').slice(0, 2).join('.')}`],
    ['Node.js', process.version.slice(1)],
    ['SQLite within Rowback', libraryVersion()],
    ...new Map(versions),
  ]
}

function libraryVersion(): string {
  const db = new Database(':memory:')
  try {
    return String(db.prepare('SELECT sqlite_version()').pluck().get())
  } finally {
    db.close()
  }
}

/** The number out of "git version 2.39.5", "borg 1.2.4", "3.40.1 2022-12-28 …". */
function programVersion(program: string, flag: string): string {
  return /\d+\.\d+[.\d]*/.exec(firstLine(program, [flag]))?.[0] ?? 'unknown'
}

function firstLine(program: string, args: readonly string[]): string {
  const { stdout } = spawnSync(program, args, { encoding: 'utf8' })
  return stdout?.split('\n')[0]?.trim() || 'unknown'
}
