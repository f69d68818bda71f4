/** What a program does to the disk, from strace(1), and what of that a power cut could undo. */

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { tempDir } from './temp.ts'

/** One call that was successful. */
export interface DiskCall {
  name: 'write' | 'sync' | 'create' | 'link' | 'rename' | 'remove'
  path: string
  /** Of a rename or a link. */
  to: string
}

/** Whether programs can be traced here; says why not, and throws in CI, where every test must run. */
export function canTrace(): boolean {
  const { status, stderr, error } = spawnSync('strace', ['-f', '-o', '/dev/null', 'true'])
  if (status === 0) return true
  const cause = error?.message ?? String(stderr).trim()
  if (process.env.CI) throw new Error(`the tests of power cuts need strace: ${cause}`)
  console.warn(`SKIPPED, it needs strace: ${cause}`)
  return false
}

const calls =
  'write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,openat,mkdir,unlink,unlinkat,rmdir,chdir,fork,vfork,clone,clone3'

/** Runs a program and returns what it and its children did, in order. */
export function traced(args: readonly string[], cwd: string): DiskCall[] {
  // Of each process; those that it starts begin with its own.
  const folders = new Map<string, string>()
  const folderOf = (pid: string): string => folders.get(pid) ?? cwd
  return systemCalls(args, cwd, calls).flatMap(({ pid, name, args: given, result }) => {
    if (name === 'chdir') folders.set(pid, resolve(folderOf(pid), /"(.*)"/.exec(given)?.[1] ?? ''))
    else if (/fork|clone/.test(name)) folders.set(result, folders.get(result) ?? folderOf(pid))
    else return [...diskCall(name, given, folderOf(pid))]
    return []
  })
}

/** One system call that was successful, as strace(1) writes it with -y: descriptors are followed by `<path>`. */
export interface SystemCall {
  pid: string
  name: string
  args: string
  result: string
}

/** Runs a program and returns those of its calls, and of its children's, that are named; in the order in which they ended. */
export function systemCalls(args: readonly string[], cwd: string, names: string): SystemCall[] {
  const log = join(tempDir(), 'trace')
  execFileSync('strace', ['-f', '-y', '-s', '4096', '-o', log, '-e', `trace=${names}`, ...args], {
    cwd,
    env: { ...process.env, UV_USE_IO_URING: '0' },
    stdio: 'ignore',
  })
  return [...parsed(readFileSync(log, 'latin1'))]
}

/** Puts calls that others interrupted together again. */
function* parsed(log: string): Generator<SystemCall> {
  const begun = new Map<string, string>()
  for (const line of log.split('\n')) {
    const [, pid = '', rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest)
    if (unfinished) begun.set(pid, unfinished[1] as string)
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const whole = unfinished ? '' : resumed ? `${begun.get(pid) ?? ''}${resumed[1]}` : rest
    const [, name = '', args = '', result = ''] = /^(\w+)\((.*)\) += (?!-1)(\S+)/.exec(whole) ?? []
    if (name !== '') yield { pid, name, args, result }
  }
}

function* diskCall(name: string, args: string, cwd: string): Generator<DiskCall> {
  const file = /^\d+<([^>]+)>/.exec(args)?.[1] ?? ''
  const names = [...args.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, text]) => text as string)
  // The working directory is shown for the *at calls.
  const base = /^AT_FDCWD<([^>]+)>/.exec(args)?.[1] ?? cwd
  const [path = '', to = ''] = names.map((text) => resolve(base, text))
  if (/^(?:p?writev?|pwrite64|ftruncate)$/.test(name)) yield { name: 'write', path: file, to: '' }
  else if (/sync$/.test(name)) yield { name: 'sync', path: file, to: '' }
  else if (name === 'openat' && args.includes('O_CREAT')) yield { name: 'create', path, to: '' }
  else if (name === 'mkdir') yield { name: 'create', path, to: '' }
  else if (/^rename/.test(name)) yield { name: 'rename', path, to }
  else if (/^link/.test(name)) yield { name: 'link', path, to }
  else if (/^(?:unlink|rmdir)/.test(name)) yield { name: 'remove', path, to: '' }
}

/** A disk on which everything that was not synced may be lost: contents of files, and names in directories. */
export class FragileDisk {
  private readonly unsynced = new Set<string>()
  private readonly unnamed = new Set<string>()

  apply({ name, path, to }: DiskCall): void {
    if (name === 'write') this.unsynced.add(path)
    else if (name === 'create') this.unnamed.add(path)
    else if (name === 'link') {
      this.unnamed.add(to)
      if (this.unsynced.has(path)) this.unsynced.add(to)
    } else if (name === 'sync') {
      this.unsynced.delete(path)
      for (const inner of this.unnamed) if (dirname(inner) === path) this.unnamed.delete(inner)
    } else {
      for (const known of [this.unsynced, this.unnamed])
        for (const inner of known) {
          if (inner !== path && !inner.startsWith(`${path}/`)) continue
          known.delete(inner)
          if (name === 'rename') known.add(to + inner.slice(path.length))
        }
      if (name === 'rename') this.unnamed.add(to)
    }
  }

  /** Which of the files and folders below a path, and of those above it, could be gone or empty after a power cut. */
  lost(path: string): string[] {
    const found = [...new Set([...this.unsynced, ...this.unnamed])]
    return found.filter((other) => isNear(other, path)).sort()
  }

  /** Which of them could be empty, on a file system that keeps names in the order in which they were made. */
  emptied(path: string): string[] {
    return [...this.unsynced].filter((other) => isNear(other, path)).sort()
  }
}

function isNear(other: string, path: string): boolean {
  return other === path || other.startsWith(`${path}/`) || path.startsWith(`${other}/`)
}
