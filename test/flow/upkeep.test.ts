/** The upkeep of a repository: packs stay few over many backups, whatever else happens to it. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type BackupResult, backup } from '../../src/backup.ts'
import { projectRoot, rowbackJson as rowbackProcess } from '../support/cli.ts'
import { databaseFrom, facts } from '../support/database.ts'
import { git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

interface Place {
  dir: string
  source: string
  repository: string
}

/** A database of about a megabyte, of which little changes. */
function place(): Place {
  const dir = tempDir()
  const source = databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<4000)
     INSERT INTO note SELECT i, hex(randomblob(100)) FROM n;`,
    join(dir, 'app.db'),
  )
  return { dir, source, repository: join(dir, 'repo.git') }
}

function change({ source }: Place): void {
  execFileSync('sqlite3', [source, `UPDATE note SET text = text || 'x' WHERE id = 1 + abs(random()) % 4000`])
}

function packCount(repository: string): number {
  return readdirSync(join(repository, 'objects', 'pack')).filter((file) => file.endsWith('.pack')).length
}

function looseCount(repository: string): number {
  return Number(/^count: (\d+)$/m.exec(git(repository, ['count-objects', '-v']))?.[1])
}

async function expectLatest({ dir, source, repository }: Place): Promise<void> {
  expect(git(repository, ['fsck', '--strict'])).toBe('')
  const output = join(tempDir(), 'restored.db')
  await rowbackJson(['restore', 'latest', '--file', 'app.db', '--output', output, '--repo', repository], {
    cwd: dir,
  })
  expect(facts(output)).toEqual(facts(source))
}

test('the lock of an upkeep that was killed goes with the next backup, though nothing is due', async () => {
  const { source, repository } = place()
  await backup({ source, repository })
  const lock = join(repository, 'rowback', 'upkeep.lock')
  writeFileSync(lock, JSON.stringify({ pid: 1, host: 'elsewhere', since: '2024-01-01T00:00:00.000Z' }))
  utimesSync(lock, 0, 0)
  expect((await backup({ source, repository })).upkeep).toBeUndefined()
  expect(existsSync(lock)).toBe(false)
})

test('packs stay few over 40 backups, beside a stale lock and log of git gc, and without it they do not', async () => {
  const found = place()
  const { source, repository } = found
  await backup({ source, repository })
  writeFileSync(join(repository, 'gc.pid'), '1 elsewhere')
  writeFileSync(join(repository, 'gc.log'), 'error: The last gc run reported the following.\n')
  const owner = { pid: 1, host: 'elsewhere', since: '2024-01-01T00:00:00.000Z' }
  const lock = join(repository, 'rowback', 'upkeep.lock')
  writeFileSync(lock, JSON.stringify(owner))
  utimesSync(lock, 0, 0)
  const kept: BackupResult[] = []
  for (let run = 0; run < 40; run++) {
    change(found)
    kept.push(await backup({ source, repository }))
    expect(packCount(repository)).toBeLessThanOrEqual(16)
  }
  const joined = kept.filter(({ upkeep }) => upkeep)
  expect(joined.length).toBeGreaterThan(2)
  expect(joined.length).toBeLessThan(9)
  for (const { upkeep, timesMs } of joined) {
    expect(upkeep?.failure).toBeUndefined()
    expect(upkeep?.after.packs).toBeLessThan(upkeep?.before.packs as number)
    expect(timesMs).toHaveProperty('upkeep')
  }
  expect(looseCount(repository)).toBe(0)
  expect(existsSync(join(repository, 'rowback', 'upkeep.lock'))).toBe(false)
  expect(git(repository, ['rev-list', '--count', 'main'])).toBe('41')
  await expectLatest(found)

  const before = packCount(repository)
  for (let run = 0; run < 10; run++) {
    change(found)
    await backup({ source, repository, upkeep: 'never' })
  }
  expect(packCount(repository)).toBe(before + 20)
})

test('the command line joins packs always or never if it is told so, and says what it did', async () => {
  const found = place()
  const { source, repository, dir } = found
  writeFileSync(join(dir, 'rowback.yaml'), 'upkeep: always\n')
  const options = { cwd: dir }
  const first = await rowback(['backup', source, '--repo', repository, '--verbose'], options)
  expect(first.stdout).toMatch(/\n2 packs joined into 1, [\d.]+ [kM]B into [\d.]+ [kM]B, in [\d.]+ s\n$/)
  expect(first.stderr).toMatch(/, upkeep [\d.]+ s/)
  change(found)
  const second = await rowbackJson(['backup', source, '--repo', repository, '--upkeep', 'never'], options)
  expect(second).not.toHaveProperty('upkeep')
  expect(packCount(repository)).toBe(3)
  const nothing = await rowbackJson(['backup', source, '--repo', repository], options)
  expect(nothing).toMatchObject({
    upkeep: { before: { packs: 3 }, after: { packs: 1 } },
    timesMs: { upkeep: expect.any(Number) },
  })
  await expectLatest(found)
})

test('packs are joined where the push fails, and a failure to join them is told and harms nothing', async () => {
  const found = place()
  const { dir, source, repository } = found
  const failed = await rowback(
    ['backup', source, '--repo', repository, '--remote', join(dir, 'none.git'), '--upkeep', 'always'],
    { cwd: dir },
  )
  expect(failed.code).toBe(12)
  expect(packCount(repository)).toBe(1)
  change(found)
  const done = await rowback(['backup', source, '--repo', repository, '--upkeep', 'always', '--quiet'], {
    cwd: dir,
    env: { PATH: wrappedGit('[ "$found" ] && { echo "fatal: it is broken" >&2; exit 128; }') },
  })
  expect(done).toEqual({
    code: 0,
    stdout: '',
    stderr:
      'rowback: join packs of the repository: it is broken; the backup is complete, and the next one tries again\n',
  })
  expect(packCount(repository)).toBe(3)
  await expectLatest(found)
})

/** A PATH with a git that first runs a script, in which `$found` is set for a repack. */
function wrappedGit(script: string): string {
  const bin = join(tempDir(), 'bin')
  mkdirSync(bin)
  const real = execFileSync('sh', ['-c', 'command -v git']).toString().trim()
  const search = 'found=; for word; do [ "$word" = repack ] && found=1; done'
  writeFileSync(join(bin, 'git'), `#!/bin/sh\n${search}\n${script}\nexec ${real} "$@"\n`, { mode: 0o755 })
  return `${bin}:${process.env.PATH}`
}

test('a backup that starts while packs are joined does not wait, and both end well', async () => {
  const found = place()
  const { dir, source, repository } = found
  await backup({ source, repository })
  change(found)
  const [begun, go] = [join(dir, 'begun'), join(dir, 'go')]
  const waiting = `[ "$found" ] && { touch ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done; }`
  const slow = rowbackProcess(['backup', source, '--repo', repository, '--upkeep', 'always'], {
    env: { PATH: wrappedGit(waiting) },
  })
  while (!existsSync(begun)) await sleep(20)
  change(found)
  const quick = await backup({ source, repository, upkeep: 'always' })
  expect(quick.commit).toBeDefined()
  expect(quick.upkeep).toBeUndefined()
  expect(packCount(repository)).toBe(6)
  writeFileSync(go, '')
  expect(await slow).toMatchObject({ upkeep: { before: { packs: 4 } } })
  expect(git(repository, ['rev-list', '--count', 'main'])).toBe('3')
  await expectLatest(found)
})

test('backups lose nothing while somebody else joins packs, too', async () => {
  const found = place()
  const { source, repository } = found
  await backup({ source, repository })
  const joins: Promise<unknown>[] = []
  for (let run = 0; run < 10; run++) {
    change(found)
    joins.push(
      once(spawn('git', ['-C', repository, 'repack', '-A', '-d', '-q'], { stdio: 'ignore' }), 'close'),
    )
    await backup({ source, repository, upkeep: run % 2 ? 'always' : 'never' })
  }
  await Promise.all(joins)
  expect(git(repository, ['rev-list', '--count', 'main'])).toBe('11')
  await expectLatest(found)
})

/** Whether there is a process of that id, or of that group if it is negative. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('an upkeep that is killed at any time leaves a sound repository, and the next backup is fine', async () => {
  const found = place()
  const { source, repository } = found
  await backup({ source, repository })
  const program = [join(projectRoot, 'bin', 'rowback.js'), 'backup', source, '--repo', repository]
  for (let run = 0; run < 4; run++) {
    change(found)
    await backup({ source, repository, upkeep: 'never' })
    const child = spawn(process.execPath, [...program, '--upkeep', 'always'], {
      stdio: 'ignore',
      detached: true,
    })
    const closed = once(child, 'close')
    onTestFinished(() => void child.kill('SIGKILL'))
    const lock = join(repository, 'rowback', 'upkeep.lock')
    for (let waited = 0; waited < 500 && !existsSync(lock) && child.exitCode === null; waited++)
      await sleep(2)
    await sleep(Math.random() * 60)
    // Half of them with the git that they started, as a power cut would.
    if (child.exitCode === null)
      process.kill(run % 2 ? -(child.pid as number) : (child.pid as number), 'SIGKILL')
    await closed
    // A git that outlives its Rowback completes what it began; fsck would stumble over packs that go meanwhile.
    while (isAlive(-(child.pid as number))) await sleep(5)
    expect(git(repository, ['fsck', '--strict'])).toBe('')
  }
  change(found)
  const done = await backup({ source, repository, upkeep: 'always' })
  expect(done.upkeep?.failure).toBeUndefined()
  await expectLatest(found)
  expect(readdirSync(join(repository, 'rowback')).filter((name) => name.startsWith('upkeep'))).toEqual([])
})

/** What git has begun to write among the objects. */
function halfWritten(repository: string): string[] {
  const files = readdirSync(join(repository, 'objects'), { recursive: true, encoding: 'utf8' })
  return files.filter((file) => /tmp[-_]/.test(file))
}

test('an upkeep that is told to stop ends with what it has started, and leaves nothing half-written', async () => {
  const found = place()
  const { source, repository } = found
  const args = ['backup', source, '--repo', repository, '--upkeep', 'always']
  let stopped = 0
  for (let run = 0; run < 3; run++) {
    databaseFrom('UPDATE note SET text = hex(randomblob(500))', source)
    await backup({ source, repository, upkeep: 'never' })
    const child = spawn(process.execPath, [join(projectRoot, 'bin', 'rowback.js'), ...args], {
      stdio: 'ignore',
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const ended = once(child, 'exit')
    while (halfWritten(repository).length === 0 && child.exitCode === null) await sleep(1)
    child.kill('SIGTERM')
    const [code] = await ended
    if (code === 130) stopped += 1
    else expect(code).toBe(0)
    expect(halfWritten(repository)).toEqual([])
    await sleep(300)
    expect(halfWritten(repository)).toEqual([])
    await expectLatest(found)
  }
  expect(stopped).toBeGreaterThan(0)
})
