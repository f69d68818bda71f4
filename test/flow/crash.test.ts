/**
 * The program is killed, with all that it has started, before each of its steps and at random moments. Whatever was killed:
 * the repository is sound, the last good commit restores, the source is untouched, and the next run comes to what a run that
 * nobody killed comes to. `npm run test:crash` tries all steps and 200 moments of each verb, the ordinary suite a few.
 */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { restore } from '../../src/restore.ts'
import { contents, projectRoot } from '../support/cli.ts'
import { allFacts, databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { rowback } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

const isLong = process.env.ROWBACK_LONG !== undefined
const hook = join(projectRoot, 'test', 'support', 'kill-at.js')

interface Scene {
  dir: string
  repository: string
  remote: string
  /** What is killed. */
  args: string[]
}

/** The folder as it is before each run, in `kept`; `live` is the copy that is run on. */
interface Place {
  kept: string
  live: Scene
}

type Verb =
  | 'first backup'
  | 'first backup into a directory'
  | 'first backup without git into a directory'
  | 'backup'
  | 'backup without git'
  | 'push'
  | 'upkeep'
  | 'restore'

async function place(verb: Verb): Promise<Place> {
  const top = tempDir()
  const dir = join(top, 'live')
  const source = join(dir, 'data')
  mkdirSync(source, { recursive: true })
  const database = databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)
     INSERT INTO note SELECT i, hex(i) FROM n;`,
    join(source, 'app.db'),
  )
  writeFileSync(join(source, 'asset'), 'before')
  const [repository, remote] = [join(dir, 'repo.git'), bareRepository(join(dir, 'remote.git'))]
  const options = { source, repository, verify: 'never', upkeep: 'never' } as const
  const isFirst = verb.startsWith('first backup')
  if (/directory$/.test(verb)) mkdirSync(repository)
  if (!isFirst) await backup({ ...options, remotes: [{ url: remote }] })
  if (verb !== 'restore') {
    databaseFrom("UPDATE note SET text='changed' WHERE id=7", database)
    writeFileSync(join(source, 'asset'), 'since')
  }
  if (verb === 'push') await backup(options)
  const repo = ['--repo', repository]
  const args = {
    'first backup': ['backup', source, ...repo, '--time', '1700000000'],
    'first backup into a directory': ['backup', source, ...repo, '--time', '1700000000'],
    'first backup without git into a directory': [
      'backup',
      source,
      ...repo,
      '--engine',
      'embedded',
      '--time',
      '1700000000',
    ],
    backup: ['backup', source, ...repo, '--remote', remote, '--time', '1700000000'],
    'backup without git': ['backup', source, ...repo, '--engine', 'embedded', '--time', '1700000000'],
    push: ['push', ...repo],
    upkeep: ['backup', source, ...repo, '--upkeep', 'always', '--time', '1700000000'],
    restore: ['restore', 'latest', ...repo, '--to', join(dir, 'out')],
  }[verb]
  const kept = join(top, 'kept')
  execFileSync('cp', ['-a', dir, kept])
  return { kept, live: { dir, repository, remote, args } }
}

function begin({ kept, live }: Place): void {
  rmSync(live.dir, { recursive: true, force: true })
  execFileSync('cp', ['-a', kept, live.dir])
}

/** Runs the verb in a process group of its own, and kills all of that after some time, if it takes so long. */
async function run({ dir, args }: Scene, env: Record<string, string>, killAfterMs?: number): Promise<void> {
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_')))
  const program = spawn(
    process.execPath,
    ['--import', hook, join(projectRoot, 'bin', 'rowback.js'), ...args],
    {
      cwd: dir,
      env: { ...own, ...env },
      stdio: 'ignore',
      detached: true,
    },
  )
  const ended = once(program, 'exit')
  const killAll = (): void => {
    try {
      process.kill(-(program.pid as number), 'SIGKILL')
    } catch {
      // All have ended.
    }
  }
  onTestFinished(killAll)
  if (killAfterMs !== undefined) await Promise.race([ended, sleep(killAfterMs)])
  if (killAfterMs !== undefined) killAll()
  await ended
  killAll()
}

/** What a run comes to. */
function outcome({ dir, repository, remote }: Scene): Record<string, unknown> {
  const tip = (where: string): string => git(where, ['rev-parse', '--verify', '--quiet', 'main'])
  return {
    tip: tip(repository),
    remote: git(remote, ['for-each-ref', '--format=%(refname) %(objectname)']),
    restored: readdirSync(dir).includes('out') ? allFacts(join(dir, 'out', 'app.db')) : [],
    names: readdirSync(dir).sort(),
    temporary: left(repository),
    guards: ['hooks/pre-push', 'info/attributes'].map((name) => readFileSync(join(repository, name), 'utf8')),
  }
}

/** Temporary files and locks in a repository; packs that nothing names are the upkeep's, when they are old. */
function left(repository: string): string[] {
  const names = readdirSync(repository, { recursive: true, encoding: 'utf8' })
  return names.filter((name) =>
    /\.lock$|^rowback\/(?:tmp|upkeep)\/|^rowback\/(?:lock|unfinished)|\.new-|in-place/.test(name),
  )
}

async function expectSound({ live }: Place, before: string | undefined, source: string[]): Promise<void> {
  const { dir, repository, remote } = live
  expect(contents(join(dir, 'data'))).toEqual(source)
  expect(git(remote, ['fsck', '--strict', '--no-dangling'])).toBe('')
  // With the mark it is none yet.
  const isUnfinished = existsSync(join(repository, 'rowback', 'unfinished'))
  if (existsSync(join(repository, 'HEAD')) && !isUnfinished)
    expect(git(repository, ['fsck', '--strict', '--no-dangling'])).toBe('')
  if (before === undefined) return
  git(repository, ['merge-base', '--is-ancestor', before, 'main'])
  const target = join(dir, 'last-good')
  await restore({ repository, rev: before, target })
  expect(readFileSync(join(target, 'asset'), 'utf8')).toBe('before')
  rmSync(target, { recursive: true })
}

describe('A run that is killed', () => {
  const verbs = [
    'first backup',
    'first backup into a directory',
    'first backup without git into a directory',
    'backup',
    'backup without git',
    'push',
    'upkeep',
    'restore',
  ] as const
  for (const verb of verbs)
    test(`harms nothing, and the next one comes to the same: ${verb}.`, async () => {
      const found = await place(verb)
      const { live, kept } = found
      const count = join(kept, '..', 'count')
      begin(found)
      const source = contents(join(live.dir, 'data'))
      const startedAt = performance.now()
      await run(live, { ROWBACK_COUNT_TO: count })
      const durationMs = performance.now() - startedAt
      const wanted = outcome(live)
      expect(wanted.temporary).toEqual([])
      const first = verb.startsWith('first backup')
        ? undefined
        : git(join(kept, 'repo.git'), ['rev-list', '--max-parents=0', 'main'])

      const steps = Number(readFileSync(count, 'utf8'))
      expect(steps).toBeGreaterThan(verb === 'push' ? 3 : 10)
      // The repository is made in the first thirty.
      const makes = verb.endsWith('into a directory') && !isLong
      const stride = isLong ? 1 : makes ? 8 : Math.ceil(steps / 2)
      const kills: [Record<string, string>, number?][] = []
      for (let at = 1; at <= (makes ? 30 : steps); at += stride) kills.push([{ ROWBACK_KILL_AT: String(at) }])
      for (let moment = 0; moment < (isLong ? 200 : 1); moment++) kills.push([{}, Math.random() * durationMs])
      for (const [env, afterMs] of kills) {
        begin(found)
        await run(live, env, afterMs)
        await expectSound(found, first, source)
        const { code, stderr } = await rowback(live.args, { cwd: live.dir })
        const isDone = code === 15 && /it is not empty/.test(stderr) && verb === 'restore'
        expect({ env, afterMs, code: isDone ? 0 : code, stderr: isDone ? '' : stderr }).toEqual({
          env,
          afterMs,
          code: 0,
          stderr: '',
        })
        expect({ env, afterMs, ...outcome(live) }).toEqual({ env, afterMs, ...wanted })
        expect(git(live.repository, ['fsck', '--strict', '--no-dangling'])).toBe('')
        expect(contents(join(live.dir, 'data'))).toEqual(source)
      }
    })
})
