/** Faults of the machine while a backup runs: a clear message, the right exit code, nothing lost, nothing left behind. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { exitCodes } from '../../src/errors.ts'
import { restore } from '../../src/restore.ts'
import { verifyAll } from '../../src/verify-all.ts'
import { contents, projectRoot, rowback } from '../support/cli.ts'
import { allFacts, databaseFrom } from '../support/database.ts'
import { git } from '../support/git.ts'
import { smallDisk } from '../support/mount.ts'
import { tempDir } from '../support/temp.ts'

interface Place {
  dir: string
  source: string
  repository: string
}

function rowsOf(count: number, text = 'hex(randomblob(100))'): string {
  return `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${count}) INSERT INTO note SELECT i, ${text} FROM n;`
}

async function place(dir = tempDir(), count = 300): Promise<Place> {
  const source = databaseFrom(rowsOf(count), join(dir, 'app.db'))
  const repository = join(dir, 'repo.git')
  await backup({ source, repository })
  return { dir, source, repository }
}

/** Temporary files and locks of a repository. */
function left(repository: string): string[] {
  const names = readdirSync(repository, { recursive: true, encoding: 'utf8' })
  return names.filter((name) =>
    /\.lock$|^rowback\/(?:tmp|upkeep)\/|^rowback\/lock|tmp_|\.new-|\.tmp$/.test(name),
  )
}

async function restored({ dir, repository }: Place, rev: string): Promise<string[]> {
  const target = join(dir, `out-${rev}`)
  await restore({ repository, rev, target })
  const facts = allFacts(join(target, 'app.db'))
  rmSync(target, { recursive: true })
  return facts
}

describe('A backup whose repository', () => {
  test('is on a disk that is full at one step or another keeps its commits, and goes on when there is room.', async () => {
    const disk = smallDisk('4m')
    if (!disk) return
    const found = await place(disk.dir)
    const { source, repository } = found
    const filler = join(disk.dir, 'filler')
    let refused = 0
    for (const room of [0, 4, 12, 24, 40, 64]) {
      databaseFrom('UPDATE note SET text=hex(randomblob(100)) WHERE id%2=0', source)
      const before = git(repository, ['rev-parse', 'main'])
      const { bavail, bsize } = statfsSync(disk.dir)
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - room * 1024)))
      const { code, stderr } = await rowback(['backup', source, '--repo', repository])
      rmSync(filler)
      if (code !== 0) {
        refused += 1
        expect({ code, stderr }).toEqual({
          code: exitCodes.repository,
          stderr: expect.stringMatching(/no (?:space|room) left/),
        })
        expect(git(repository, ['rev-parse', 'main'])).toBe(before)
      }
      expect(left(repository)).toEqual([])
      expect(git(repository, ['fsck', '--strict', '--no-dangling'])).toBe('')
      await backup({ source, repository })
      expect(await restored(found, 'latest')).toEqual(allFacts(source))
    }
    expect(refused).toBeGreaterThan(1)
  })

  test('is read-only says so, and what is there restores.', async () => {
    const disk = smallDisk('4m')
    if (!disk) return
    const dir = tempDir()
    const source = databaseFrom(rowsOf(50), join(dir, 'app.db'))
    const repository = join(disk.dir, 'repo.git')
    await backup({ source, repository })
    const facts = allFacts(source)
    databaseFrom('DELETE FROM note', source)
    disk.seal()
    const { code, stderr } = await rowback(['backup', source, '--repo', repository])
    expect({ code, stderr }).toEqual({
      code: exitCodes.repository,
      stderr: expect.stringMatching(/^rowback: lock \S+: EROFS: read-only file system/),
    })
    expect(await restored({ dir, source, repository }, 'latest')).toEqual(facts)
  })

  test('or whose source may not be read any more says which.', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('it needs root to run as somebody else')
    const { dir, source, repository } = await place()
    for (const path of [dir, source]) chownSync(path, 1234, 1234)
    chmodSync(dir, 0o755)
    const run = () => rowback(['backup', source, '--repo', repository], { uid: 1234 })
    expect(await run()).toMatchObject({
      code: exitCodes.repository,
      stderr: expect.stringMatching(/EACCES: permission denied.*\n.*try: run it as root, or as the user who/),
    })
    const other = join(dir, 'own.git')
    chmodSync(source, 0)
    const { code, stderr } = await rowback(['backup', source, '--repo', other], { uid: 1234 })
    expect({ code, stderr }).toEqual({
      code: exitCodes.source,
      stderr: expect.stringMatching(/EACCES: permission denied/),
    })
    expect(existsSync(other)).toBe(false)
  })
})

describe('A backup of a fifo', () => {
  const names = ['app.db', 'app.db-wal', 'app.db-shm', 'app.db-journal']
  test.each(names)('does not wait for ever, nor does a restore in place: %s.', async (name) => {
    const data = join(tempDir(), 'data')
    mkdirSync(data)
    const [source, fifo] = [join(data, 'app.db'), join(data, name)]
    const repository = join(tempDir(), 'repo.git')
    databaseFrom('CREATE TABLE note(x)', source)
    await backup({ source, repository })
    rmSync(fifo, { force: true })
    execFileSync('mkfifo', [fifo])
    const args = ['backup', source, '--repo', repository]
    const refused = {
      code: exitCodes.source,
      stderr: expect.stringContaining(`read ${fifo}: it is a fifo; nothing was committed`),
    }
    expect(await rowback(args)).toMatchObject(refused)
    if (name === 'app.db') return
    expect(await rowback(['backup', data, '--repo', join(tempDir(), 'other.git')])).toMatchObject(refused)
    const replaced = await rowback(['restore', 'latest', '--in-place', '--repo', repository])
    expect(replaced).toMatchObject({ code: 0, stderr: expect.stringContaining('it is a fifo') })
    expect(existsSync(fifo)).toBe(false)
    expect(await rowback(args)).toMatchObject({ code: 0 })
  })
})

describe('A backup that is told to stop', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    test(`by ${signal} ends with 130 and leaves no temporary file and no lock, whenever that is.`, async () => {
      const found = await place(undefined, 10_000)
      const { dir, source, repository } = found
      let stopped = 0
      const args = ['backup', source, '--repo', repository, '--verify', 'always']
      databaseFrom('UPDATE note SET text=hex(randomblob(100))', source)
      const startedAt = performance.now()
      expect(await rowback(args)).toMatchObject({ code: 0 })
      const durationMs = performance.now() - startedAt
      for (const part of [0.2, 0.5, 0.8]) {
        databaseFrom('UPDATE note SET text=hex(randomblob(100))', source)
        const before = git(repository, ['rev-parse', 'main'])
        const files = contents(dir, ['repo.git'])
        const program = spawn(process.execPath, [join(projectRoot, 'bin', 'rowback.js'), ...args], {
          stdio: 'ignore',
        })
        onTestFinished(() => void program.kill('SIGKILL'))
        const ended = once(program, 'exit')
        await sleep(part * durationMs)
        program.kill(signal)
        // Whoever is impatient does it again while temporary files are being removed.
        await sleep(2)
        program.kill(signal)
        const [code, by] = await ended
        // Before it has set itself up, a signal ends it as any program.
        expect(by === signal ? 130 : code).toBeOneOf([0, 130])
        if (code === 130) stopped += 1
        expect(left(repository)).toEqual([])
        // What comes behind the move of the branch can be stopped, too: the commit is whole then.
        if (code !== 0 && git(repository, ['rev-parse', 'main']) !== before) {
          expect(git(repository, ['rev-parse', 'main~1'])).toBe(before)
          expect(await restored(found, 'latest')).toEqual(allFacts(source))
        }
        expect(contents(dir, ['repo.git'])).toEqual(files)
      }
      expect(stopped).toBeGreaterThan(0)
      await backup({ source, repository })
      expect(await restored(found, 'latest')).toEqual(allFacts(source))
    })
})

describe('A backup beside somebody who', () => {
  test('replaces or deletes the source has the old one or the new one, or says so.', async () => {
    const found = await place(undefined, 5000)
    const { dir, source, repository } = found
    const [old, next] = [join(dir, 'old'), databaseFrom(rowsOf(5000), join(dir, 'next'))]
    for (const afterMs of [250, 350, 500]) {
      for (const isReplaced of [true, false]) {
        databaseFrom('UPDATE note SET text=hex(randomblob(100))', source)
        copyFileSync(source, old)
        const tip = git(repository, ['rev-parse', 'main'])
        const running = rowback(['backup', source, '--repo', repository])
        await sleep(afterMs)
        if (isReplaced) {
          copyFileSync(next, join(dir, 'draft'))
          renameSync(join(dir, 'draft'), source)
        } else rmSync(source)
        const { code, stderr } = await running
        expect({ code, stderr: code === 0 ? '' : stderr }).toEqual(
          code === 0
            ? { code, stderr: '' }
            : { code: exitCodes.source, stderr: expect.stringMatching(/nothing was committed/) },
        )
        if (code === 0)
          expect([String(allFacts(old)), String(allFacts(next))]).toContain(
            String(await restored(found, 'latest')),
          )
        else expect(git(repository, ['rev-parse', 'main'])).toBe(tip)
        expect(left(repository)).toEqual([])
        copyFileSync(old, source)
      }
    }
  })

  for (const mode of ['wal', 'delete'])
    test(`changes definitions has whole transactions in each commit, in ${mode} mode.`, async () => {
      const found = await place(undefined, 3000)
      const { source, repository } = found
      databaseFrom(`PRAGMA journal_mode=${mode}`, source)
      const shell = spawn('sqlite3', ['-bail', '-cmd', '.timeout 10000', source], {
        stdio: ['pipe', 'ignore', 'inherit'],
      })
      onTestFinished(() => void shell.kill('SIGKILL'))
      let isOver = false
      const writing = (async () => {
        for (let step = 1; !isOver; step++) {
          // Each transaction leaves a table whose name and column say the same as its only row.
          shell.stdin.write(
            `BEGIN IMMEDIATE; DROP TABLE IF EXISTS t${step - 1}; CREATE TABLE t${step}(c${step}); INSERT INTO t${step} VALUES (${step}); COMMIT;\n`,
          )
          await sleep(5)
        }
        shell.stdin.end()
        await once(shell, 'close')
      })()
      for (let run = 0; run < 3; run++) {
        const { code, stderr } = await rowback(['backup', source, '--repo', repository])
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
        const facts = (await restored(found, 'latest')).filter((line) => /t\d+ /.test(line))
        expect(facts.length).toBeLessThan(2)
        for (const line of facts) expect(line).toMatch(/t(\d+) bigint \1$/)
      }
      isOver = true
      await writing
      expect(await verifyAll({ repository })).toMatchObject({ failures: [] })
    })

  test('sets the clock back: each change is committed, and history stays in its order.', async () => {
    const found = await place()
    const { source, repository } = found
    databaseFrom("UPDATE note SET text='a' WHERE id=1", source)
    const future = new Date(Date.now() + 86_400_000)
    utimesSync(source, future, future)
    await backup({ source, repository, time: 2_000_000_000 })
    databaseFrom("UPDATE note SET text='b' WHERE id=1", source)
    utimesSync(source, future, future)
    const { commit } = await backup({ source, repository, time: 1_000_000_000 })
    expect(commit).toBe(git(repository, ['rev-parse', 'main']))
    expect(git(repository, ['rev-list', '--count', 'main'])).toBe('3')
    expect(await restored(found, 'latest')).toEqual(allFacts(source))
    const { stdout } = await rowback(['log', '--repo', repository])
    expect(stdout.split('\n')[0]).toMatch(/^[0-9a-f]{10} {2}2001-09-09/)
    expect(await verifyAll({ repository })).toMatchObject({ commits: 3, failures: [] })
  })
})

test.each(['UTF-8', 'UTF-16le'])(
  'What ends a backup while it reads rows in %s is told, and the source is closed.',
  async (encoding) => {
    const dir = tempDir()
    const source = databaseFrom(`PRAGMA encoding='${encoding}'; ${rowsOf(5000)}`, join(dir, 'app.db'))
    const onProgress = ({ rows }: { rows: number }): void => {
      if (rows > 0) throw new Error('the cause')
    }
    const ended = backup({ source, repository: join(dir, 'repo.git'), onProgress })
    await expect(ended).rejects.toThrow('the cause')
    const open = readdirSync('/proc/self/fd').flatMap((name) => linkOf(`/proc/self/fd/${name}`))
    expect(open.filter((path) => path.startsWith(dir))).toEqual([])
  },
)

/** Where a link leads, if it is still there. */
function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)]
  } catch {
    return []
  }
}
