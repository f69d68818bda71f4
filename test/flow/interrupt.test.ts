/** What becomes of processes that a run has started, and of what they write, when the run is told to stop or dies. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { projectRoot, program as run } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { dump, hostileCommit, hostileScene } from '../support/hostile.ts'
import { tempDir } from '../support/temp.ts'

/** Computes for ever and gives no row. */
const endlessView = `CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n)
 SELECT i AS rowid, i AS x FROM n WHERE i<0;
CREATE VIRTUAL TABLE found USING fts5(x, content='endless');
INSERT INTO "found"("found") VALUES('rebuild');
`

/** The process that replays, found by its parent. */
function childOf({ pid }: ChildProcess): number | undefined {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      const isReplay = readFileSync(`/proc/${name}/cmdline`, 'latin1').includes('replay-child')
      if (Number(parent) === pid && state !== 'Z' && isReplay) return Number(name)
    } catch {
      // It has ended meanwhile.
    }
  }
  return undefined
}

function isAlive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z'
  } catch {
    return false
  }
}

function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / Number(execFileSync('getconf', ['CLK_TCK']))
}

/** Starts a verb on a commit whose replay never ends, and returns when SQLite is at it. */
async function stuck(verb: 'restore' | 'verify'): Promise<{
  program: ChildProcess
  ended: Promise<unknown[]>
  child: number
  work: string
}> {
  const scene = await hostileScene()
  const commit = hostileCommit(scene, {
    changes: { [`${dump}/40-schema.sql`]: (content) => content + endlessView },
  })
  const work = tempDir()
  mkdirSync(join(work, 'tmp'))
  const target = verb === 'restore' ? ['--to', join(work, 'deep', 'out')] : []
  const args = [join(projectRoot, 'bin', 'rowback.js'), verb, commit, ...target, '--repo', scene.repository]
  const program = spawn(process.execPath, args, {
    env: { ...process.env, TMPDIR: join(work, 'tmp') },
    stdio: 'ignore',
    detached: true,
  })
  const ended = once(program, 'exit')
  onTestFinished(() => {
    program.kill('SIGKILL')
  })
  for (;;) {
    const child = childOf(program)
    // Starting takes less than half of this.
    if (child !== undefined && cpuSeconds(child) > 1) return { program, ended, child, work }
    expect(program.exitCode).toBeNull()
    await sleep(50)
  }
}

/** Waits for a process that nobody is the parent of any more. */
async function gone(pid: number): Promise<boolean> {
  for (let waited = 0; waited < 10_000; waited += 50) {
    if (!isAlive(pid)) return true
    await sleep(50)
  }
  return false
}

describe.skipIf(process.platform !== 'linux')('while SQLite computes without end', () => {
  for (const verb of ['restore', 'verify'] as const) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      it(`${signal} ends ${verb} with 130, and nothing is left`, async () => {
        const { program, ended, child, work } = await stuck(verb)
        // As a terminal does: every process of the group gets it.
        process.kill(-(program.pid as number), signal)
        expect(await ended).toEqual([130, null])
        expect(await gone(child)).toBe(true)
        expect(readdirSync(work, { recursive: true })).toEqual(['tmp'])
      })
    }

    it(`the process that replays ends when ${verb} is killed`, async () => {
      const { program, ended, child } = await stuck(verb)
      program.kill('SIGKILL')
      await ended
      expect(await gone(child)).toBe(true)
    })
  }
})

describe.skipIf(process.platform !== 'linux')('while git writes', () => {
  // As git fast-import: when nobody talks to it any more, it still ends its pack, and makes the folders of that again.
  const lateGit = (heeds: string, found: string) => `#!/bin/sh
case " $* " in *" fast-import "*)
  trap ${heeds} TERM
  echo $$ > "$STARTED"
  cat > "$STARTED.in"
  for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.3; done
  mkdir -p "$GIT_DIR/objects/pack"
  echo late > "$GIT_DIR/objects/pack/late.keep"
  exit 128
esac
exec '${found}' "$@"
`
  for (const [what, heeds] of [
    ['it ends', '-'],
    ['it ends though it does not heed that', "''"],
  ] as const)
    it(`${what}, and nothing that it writes is left`, async () => {
      const dir = tempDir()
      const source = databaseFrom('CREATE TABLE t(x); INSERT INTO t VALUES(1)', join(dir, 'app.db'))
      const [repository, started, bin] = [join(dir, 'repo.git'), join(dir, 'started'), join(dir, 'bin')]
      mkdirSync(bin)
      const found = (await run('sh', ['-c', 'command -v git'])).stdout.trim()
      writeFileSync(join(bin, 'git'), lateGit(heeds, found), { mode: 0o755 })
      const args = [join(projectRoot, 'bin', 'rowback.js'), 'backup', source, '--repo', repository]
      const program = spawn(process.execPath, args, {
        env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, STARTED: started },
        stdio: 'ignore',
      })
      const ended = once(program, 'exit')
      onTestFinished(() => void program.kill('SIGKILL'))
      while (!existsSync(`${started}.in`)) {
        expect(program.exitCode).toBeNull()
        await sleep(10)
      }
      program.kill('SIGTERM')
      expect(await ended).toEqual([130, null])
      expect(await gone(Number(readFileSync(started, 'latin1')))).toBe(true)
      const left = existsSync(repository)
        ? readdirSync(repository, { recursive: true, encoding: 'utf8' })
        : []
      expect(left.filter((name) => /^rowback\/tmp|\.lock$|^rowback\/lock/.test(name))).toEqual([])
    })
})
