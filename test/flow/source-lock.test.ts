/** How long a writer in rollback-journal mode is kept from committing: for the copy of the pages, and nothing else. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { projectRoot } from '../support/cli.ts'
import { databaseFrom, openApplication } from '../support/database.ts'
import { canTrace, type SystemCall, systemCalls } from '../support/disk-trace.ts'
import { rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

const modes = ['DELETE', 'TRUNCATE', 'PERSIST']
const rowbackFile = join(projectRoot, 'bin', 'rowback.js')

/** A database of some megabytes that an application works on in that mode, and a place for its repository. */
function place(mode: string): { dir: string; source: string; repository: string } {
  const dir = tempDir()
  mkdirSync(join(dir, 'data'))
  const source = databaseFrom(
    `PRAGMA journal_mode=${mode}; CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000) INSERT INTO note SELECT i, hex(zeroblob(900)) FROM n;`,
    join(dir, 'data', 'app.db'),
  )
  return { dir, source, repository: join(dir, 'repo.git') }
}

/** One commit by an application that does not wait; throws where it would have to. */
function commitAtOnce(source: string, mode: string, text: string): void {
  const db = new Database(source, { timeout: 0 })
  try {
    db.pragma(`journal_mode=${mode}`)
    db.prepare('UPDATE note SET text=? WHERE id=1').run(text)
  } finally {
    db.close()
  }
}

/** Stops the program, until there is a file `go`, where the dump is about to write its first byte; `here` says so. */
function stopping(dir: string): { args: string[]; here: string; go: string } {
  const [here, go] = [join(dir, 'here'), join(dir, 'go')]
  const hook = `import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const { open } = fs.promises
    fs.promises.open = async (path, ...rest) => {
      const handle = await open(path, ...rest)
      if (String(path).endsWith('tmp_blobs')) {
        fs.writeFileSync(${JSON.stringify(here)}, String(path))
        while (!fs.existsSync(${JSON.stringify(go)})) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
      }
      return handle
    }
    syncBuiltinESMExports()`
  return { args: ['--import', `data:text/javascript,${encodeURIComponent(hook)}`], here, go }
}

/** Whether a process has a file open by another descriptor than those that it closes at once, to look at its header. */
function isOpenIn(pid: number, file: string): boolean {
  const isIt = (): boolean =>
    readdirSync(`/proc/${pid}/fd`).some((name) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${name}`) === file
      } catch {
        return false
      }
    })
  if (!isIt()) return false
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200)
  return isIt()
}

describe('In rollback-journal mode', () => {
  test('a file that takes the place of one that is waited for is locked, too, before it is copied.', async () => {
    const { dir, source, repository } = place('DELETE')
    const next = databaseFrom(
      "CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1,'next')",
      join(dir, 'next.db'),
    )
    const holder = await openApplication(source, 'BEGIN EXCLUSIVE')
    const other = await openApplication(
      next,
      `PRAGMA cache_size=1; PRAGMA cache_spill=1; BEGIN EXCLUSIVE; UPDATE note SET text='dirty';
       WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i+1 FROM n WHERE i<5000) INSERT INTO note SELECT i, 'dirty' FROM n`,
    )
    const program = spawn(process.execPath, [rowbackFile, 'backup', source, '--repo', repository], {
      stdio: 'ignore',
    })
    onTestFinished(() => void program.kill('SIGKILL'))
    const ended = once(program, 'exit')
    while (!isOpenIn(program.pid as number, source)) await sleep(5)
    renameSync(next, source)
    await holder.end()
    await sleep(1000)
    await other.end()
    expect(await ended).toEqual([0, null])
    const out = join(dir, 'out.db')
    await rowbackJson(['restore', 'latest', '--file', 'app.db', '--output', out, '--repo', repository])
    const db = new Database(out, { readonly: true })
    onTestFinished(() => void db.close())
    expect(db.prepare('SELECT id, text FROM note').raw().all()).toEqual([[1, 'next']])
  })

  for (const mode of modes)
    test(`a writer that does not wait commits while the dump is still to come: ${mode}.`, async () => {
      const { dir, source, repository } = place(mode)
      await rowbackJson(['backup', source, '--repo', repository])
      commitAtOnce(source, mode, 'before')
      const { args, here, go } = stopping(dir)
      const program = spawn(
        process.execPath,
        [...args, rowbackFile, 'backup', source, '--repo', repository],
        {
          stdio: 'ignore',
        },
      )
      onTestFinished(() => void program.kill('SIGKILL'))
      const ended = once(program, 'exit')
      while (!existsSync(here) && program.exitCode === null) await sleep(10)
      expect(program.exitCode).toBeNull()

      commitAtOnce(source, mode, 'since')

      writeFileSync(go, '')
      expect(await ended).toEqual([0, null])
      const out = join(dir, 'out.db')
      await rowbackJson(['restore', 'latest', '--file', 'app.db', '--output', out, '--repo', repository])
      const db = new Database(out, { readonly: true })
      onTestFinished(() => void db.close())
      expect(db.prepare('SELECT text FROM note WHERE id=1').pluck().get()).toBe('before')
    })

  for (const mode of modes)
    test(`what is done while it is locked is one copy of its pages: ${mode}.`, (context) => {
      if (!canTrace()) return context.skip('it needs strace')
      const { dir, source, repository } = place(mode)
      const backup = [process.execPath, rowbackFile, 'backup', source, '--repo', repository]
      for (const isFirst of [true, false]) {
        if (!isFirst) commitAtOnce(source, mode, 'since')
        const found = systemCalls(backup, dir, calls)
        const periods = lockedPeriods(found, source)
        // SQLite looks at the schema when it opens a file, and then the transaction begins.
        expect(periods.map(bytesCopied).filter((bytes) => bytes > 0)).toEqual([statSync(source).size])
        expect(periods.length).toBeLessThanOrEqual(2)
        for (const held of periods) {
          expect(held.filter((call) => !isOfCopy(call, source, repository))).toEqual([])
          expect(held.filter(({ name }) => name === 'pread64').length).toBeLessThan(5)
        }
      }
    })
})

/** Calls that lock, open or close files, that change them, that read or write much, and that start processes. */
const calls =
  'fcntl,openat,close,read,pread64,write,pwrite64,writev,copy_file_range,sendfile,fsync,fdatasync,mkdir,rename,unlink,rmdir,ftruncate,fork,vfork,execve,nanosleep,clock_nanosleep'

/** SQLite's shared lock are 510 bytes behind the first two at 2^30: sqlite.org/src, os.h, SHARED_FIRST. */
function isSharedLock({ name, args }: SystemCall, source: string): boolean {
  return name === 'fcntl' && isAbout(args, source) && /F_RDLCK.*l_start=1073741826, l_len=510/.test(args)
}

/** What was done each time between the moment when the lock was taken and the moment when it was given back. */
function lockedPeriods(found: readonly SystemCall[], source: string): SystemCall[][] {
  const periods: SystemCall[][] = []
  let held: SystemCall[] | undefined
  for (const call of found) {
    if (isSharedLock(call, source)) {
      held = []
      periods.push(held)
    } else if (held && endsLocks(call, source)) held = undefined
    else held?.push(call)
  }
  return periods
}

/** POSIX: all locks of a process on a file end with any of its descriptors. */
function endsLocks({ name, args }: SystemCall, source: string): boolean {
  return isAbout(args, source) && (name === 'close' || /F_UNLCK.*l_start=(?:0|1073741826),/.test(args))
}

function isAbout(args: string, path: string): boolean {
  return new RegExp(`^\\d+<${path.replace(/\W/g, '\\$&')}>`).test(args)
}

function bytesCopied(held: readonly SystemCall[]): number {
  const copying = held.filter(({ name }) => name === 'copy_file_range' || name === 'sendfile')
  return copying.reduce((sum, { result }) => sum + Number(result), 0)
}

/** Whether a call reads the source or writes the private copy, or is one of Node.js's own between its threads. */
function isOfCopy({ name, args }: SystemCall, source: string, repository: string): boolean {
  const files = [...args.matchAll(/<([^>]*)>|"((?:[^"\\]|\\.)*)"/g)].map(
    ([, descriptor, path]) => descriptor ?? path,
  )
  // Behind the descriptor stands what was read or written.
  if (/^(?:read|write|close)$/.test(name) && /^(?:anon_inode|pipe|socket):/.test(files[0] ?? '')) return true
  // glibc asks that once, when a thread gives memory back.
  if (files.includes('/proc/sys/vm/overcommit_memory')) return true
  const isCopy = (file: string | undefined): boolean =>
    file?.startsWith(join(repository, 'rowback', 'tmp')) === true && file.endsWith('/app.db')
  const isSource = (file: string | undefined): boolean => file === source || file === `${source}-journal`
  return files.filter((file) => file !== dirOf(args)).some((file) => isCopy(file) || isSource(file))
}

/** The working directory, which strace shows of AT_FDCWD. */
function dirOf(args: string): string | undefined {
  return /^AT_FDCWD<([^>]+)>/.exec(args)?.[1]
}
