/** What becomes of a run whose output nobody reads, or for whose output there is no room. */

import { spawn } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { stdoutFault, watchStreams, whileRead } from '../../src/cli/streams.ts'
import { type Ended, ownEnv, projectRoot, rowback } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { git } from '../support/git.ts'
import { smallDisk } from '../support/mount.ts'
import { canRunAsNobody, nobody } from '../support/rights.ts'
import { tempDir } from '../support/temp.ts'

const rowCount = 20_000

/** `app.db`, and `repo.git` with two backups of it that differ in every row. */
const place = copiedPlace(async (dir) => {
  const source = databaseFrom(
    `CREATE TABLE t(a INTEGER PRIMARY KEY, b);
    INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${rowCount}) SELECT i, i FROM n;`,
    join(dir, 'app.db'),
  )
  const repository = join(dir, 'repo.git')
  await backup({ source, repository })
  databaseFrom('UPDATE t SET b=b+1', source)
  await backup({ source, repository })
  databaseFrom('UPDATE t SET b=0 WHERE a=1', source)
})

interface Streams {
  /** Where a stream goes; a pipe that is read to its end without it, and one that nobody reads with `closed`. */
  stdout?: string | 'closed'
  stderr?: string | 'closed'
  uid?: number
}

/** Runs the program with streams that are not as they should be. */
function run(args: readonly string[], cwd: string, { uid, ...streams }: Streams): Promise<Ended> {
  const stdio = (to: string | undefined) => (to === undefined || to === 'closed' ? 'pipe' : openSync(to, 'w'))
  const child = spawn(process.execPath, [join(projectRoot, 'bin', 'rowback.js'), ...args], {
    cwd,
    env: ownEnv(),
    stdio: ['ignore', stdio(streams.stdout), stdio(streams.stderr)],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    if (streams[name] === 'closed') child[name]?.destroy()
    else child[name]?.on('data', (chunk: Buffer) => (said[name] += chunk))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...said }))
  })
}

const verbs = [
  ['log'],
  ['log', '--json'],
  ['show', 'latest'],
  ['diff', 'latest~1'],
  ['diff', 'latest~1', '--json'],
  ['diff', 'latest~1', '--stat'],
  ['diff', 'latest~1', '--sql'],
  ['verify'],
  ['restore', 'latest', '--to', 'out'],
]

const repo = ['--repo', 'repo.git']

/** What a backup and the verbs above have left in a place. */
function whatIsIn(dir: string): { commits: string; restored: string } {
  const file = readFileSync(join(dir, 'out', 'app.db'))
  return {
    commits: git(join(dir, 'repo.git'), ['rev-list', '--count', 'main']),
    restored: file.subarray(0, 6).toString(),
  }
}

const allDone = { commits: '3', restored: 'SQLite' }

describe('a reader who goes away', () => {
  test('is no fault.', async () => {
    const dir = await place()
    for (const args of [...verbs, ['backup', 'app.db'], ['--help']])
      expect(await run([...args, ...(args[0] === '--help' ? [] : repo)], dir, { stdout: 'closed' })).toEqual({
        code: 0,
        stdout: '',
        stderr: '',
      })
    expect(whatIsIn(dir)).toEqual(allDone)
  })

  test('leaves a verb its own exit code: of a push that fails, and of what cannot be read.', async () => {
    const dir = await place()
    const args = ['backup', 'app.db', ...repo, '--remote', join(dir, 'none.git')]
    for (const extra of [[], ['--json']])
      expect(await run([...args, ...extra], dir, { stdout: 'closed' })).toMatchObject({
        code: 12,
        stderr: expect.stringContaining('the commit is safe in repo.git'),
      })
    expect(await run(['log', '--repo', 'none.git'], dir, { stderr: 'closed' })).toMatchObject({ code: 11 })
    if (!(await canRunAsNobody())) return
    const data = join(dir, 'data')
    mkdirSync(data)
    databaseFrom('CREATE TABLE t(a)', join(data, 'app.db'))
    writeFileSync(join(data, 'secret'), 'x')
    chmodSync(join(data, 'secret'), 0o600)
    for (const path of [dir, data]) chownSync(path, nobody, nobody)
    const partial = ['backup', 'data', '--repo', 'partial.git']
    expect(await run(partial, dir, { stdout: 'closed', uid: nobody })).toMatchObject({
      code: 10,
      stderr: expect.stringContaining('1 path could not be read; the rest is committed'),
    })
  })

  test('is waited for while he is only slow, and gets all.', async () => {
    const dir = await place()
    const whole = await rowback(['diff', 'latest~1', ...repo], { cwd: dir })
    expect(whole.stdout.split('\n')).toHaveLength(rowCount + 2)

    const child = spawn(
      process.execPath,
      [join(projectRoot, 'bin', 'rowback.js'), 'diff', 'latest~1', ...repo],
      {
        cwd: dir,
        env: ownEnv(),
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    await new Promise((resolve) => setTimeout(resolve, 1500))
    let text = ''
    for await (const chunk of child.stdout) text += chunk
    expect(text === whole.stdout).toBe(true)
  })
})

test('what gives a verb its items is ended when the reader is gone.', async () => {
  const before = (['stdout', 'stderr'] as const).map((name) => process[name].listeners('error'))
  let isEnded = false
  async function* items(): AsyncGenerator<number> {
    try {
      for (let item = 1; ; item++) yield item
    } finally {
      isEnded = true
    }
  }
  watchStreams()
  const seen: number[] = []
  for await (const item of whileRead(items())) {
    seen.push(item)
    if (item === 2) process.stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
  }
  expect({ seen, isEnded, fault: await stdoutFault() }).toEqual({ seen: [1, 2], isEnded: true })
  watchStreams()
  for (const [index, name] of (['stdout', 'stderr'] as const).entries())
    for (const listener of process[name].listeners('error'))
      if (!before[index]?.includes(listener)) process[name].off('error', listener as () => void)
})

const noSpace = 'rowback: write to stdout: no space left on device; nothing but the output is cut short\n'

describe('a full disk behind the output', () => {
  test('ends a verb with 15 and one line, and what it does is done.', async () => {
    if (!existsSync('/dev/full')) return
    const dir = await place()
    for (const args of [...verbs, ['backup', 'app.db'], ['backup', 'app.db', '--json']])
      expect(await run([...args, ...repo], dir, { stdout: '/dev/full' })).toEqual({
        code: 15,
        stdout: '',
        stderr: noSpace,
      })
    expect(whatIsIn(dir)).toEqual(allDone)
  })

  test('leaves a verb that fails its own exit code.', async () => {
    if (!existsSync('/dev/full')) return
    const dir = await place()
    const push = ['backup', 'app.db', ...repo, '--remote', join(dir, 'none.git')]
    const pushed = await run(push, dir, { stdout: '/dev/full' })
    expect(pushed).toMatchObject({
      code: 12,
      stderr: expect.stringContaining('the commit is safe in repo.git'),
    })
    expect(pushed.stderr.endsWith(noSpace)).toBe(true)
    const log = ['log', '--repo', 'none.git', '--json']
    for (const stdout of ['/dev/full', 'closed'])
      expect(await run(log, dir, { stderr: '/dev/full', stdout })).toMatchObject({ code: 11 })
    expect(await run(['backup', 'app.db', ...repo, '-q'], dir, { stdout: '/dev/full' })).toMatchObject({
      code: 0,
      stderr: '',
    })
  })

  test('that has room for a part of what is written last is told.', async () => {
    const disk = smallDisk('16k')
    if (!disk) return
    const dir = tempDir()
    const tables = Array.from({ length: 500 }, (_, index) => `CREATE TABLE t${index}(a);`).join('')
    await backup({ source: databaseFrom(tables, join(dir, 'app.db')), repository: join(dir, 'repo.git') })
    const stdout = join(disk.dir, 'show.json')
    expect(await run(['show', 'latest', '--json', ...repo], dir, { stdout })).toMatchObject({
      code: 15,
      stderr: noSpace,
    })
    expect(readFileSync(stdout).length).toBe(16_384)
  })
})
