/** Remotes that are shallow repositories: what is before their first commits is nowhere to be had. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Ended } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom, facts } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { httpServer } from '../support/git-servers.ts'
import { rowback } from '../support/in-process.ts'

interface Place {
  dir: string
  remote: string
  rowback: (...args: string[]) => Promise<Ended>
  /** Whether git has started itself again and again. */
  isEndless: () => boolean
}

function homeOf(dir: string): Record<string, string> {
  return { HOME: dir, TMPDIR: dir, XDG_CONFIG_HOME: dir, no_proxy: '*' }
}

/** Two sources with three backups each, and of each a repository that has the last two of them. */
const madePlace = copiedPlace(async (dir) => {
  for (const name of ['app', 'other']) {
    const source = join(dir, `${name}.db`)
    databaseFrom('CREATE TABLE note(id INTEGER PRIMARY KEY, text)', source)
    for (const text of ['one', 'two', 'three']) {
      execFileSync('sqlite3', [source, `INSERT INTO note(text) VALUES ('${text}')`])
      const args = ['backup', `${name}.db`, '--repo', `${name}.git`]
      expect(await rowback(args, { cwd: dir, env: homeOf(dir) })).toMatchObject({ code: 0, stderr: '' })
    }
    git(dir, ['clone', '--quiet', '--bare', '--depth=2', `file://${dir}/${name}.git`, `server/${name}.git`])
    git(join(dir, 'server', `${name}.git`), ['config', 'uploadpack.allowFilter', 'true'])
  }
})

async function place(): Promise<Place> {
  const dir = await madePlace()
  const endless = join(dir, 'endless')
  const env = { ...homeOf(dir), GIT_EXEC_PATH: boundedGit(dir, endless) }
  return {
    dir,
    remote: join(dir, 'server', 'app.git'),
    rowback: (...args) => rowback(args, { cwd: dir, env }),
    isEndless: () => existsSync(endless),
  }
}

/** A folder of git's programs whose git, started by itself six times over, starts nothing any more and leaves that file. */
function boundedGit(dir: string, endless: string): string {
  const programs = join(dir, 'programs')
  const real = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()
  mkdirSync(programs)
  for (const name of readdirSync(real)) symlinkSync(join(real, name), join(programs, name))
  rmSync(join(programs, 'git'))
  const bound = `[ "\${DEPTH_OF_TEST:-0}" -lt 6 ] || { touch ${endless}; exit 1; }`
  const script = `#!/bin/sh\n${bound}\nDEPTH_OF_TEST=$((\${DEPTH_OF_TEST:-0} + 1)) exec ${join(real, 'git')} "$@"\n`
  writeFileSync(join(programs, 'git'), script, { mode: 0o755 })
  return programs
}

const ways = {
  'a directory': ({ remote }: Place) => remote,
  'a server': async ({ dir }: Place) => `http://127.0.0.1:${await httpServer(join(dir, 'server'))}/app.git`,
}

describe.each(Object.entries(ways))('a clone of a shallow repository in %s', (_, serve) => {
  test.each(['whole', 'partial'])('has what that has, and goes on: %s.', async (kind) => {
    const flags = kind === 'partial' ? ['--partial'] : []
    const found = await place()
    const { dir, remote } = found
    const url = await serve(found)
    expect(await found.rowback('clone', url, 'new.git', ...flags)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('cloned 2 commits'),
      stderr:
        'rowback: the remote is a shallow repository: what is before its first commits is not here either\n',
    })
    expect(found.isEndless()).toBe(false)
    const begin = (repository: string) => readFileSync(join(repository, 'shallow'), 'utf8')
    expect(begin(join(dir, 'new.git'))).toBe(begin(remote))
    const log = await found.rowback('log', '--repo', 'new.git')
    expect(log.stdout.trim().split('\n')).toHaveLength(2)
    expect(await found.rowback('verify', '--all', '--repo', 'new.git')).toMatchObject({ code: 0, stderr: '' })
    expect(await found.rowback('restore', 'latest', '--to', 'out', '--repo', 'new.git')).toMatchObject({
      code: 0,
    })
    const restored = join(dir, 'out', 'app.db')
    expect(facts(restored)).toEqual(facts(join(dir, 'app.db')))
    execFileSync('sqlite3', [restored, `INSERT INTO note(text) VALUES ('four')`])
    expect(await found.rowback('backup', 'out/app.db', '--repo', 'new.git')).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect(await found.rowback('push', '--repo', 'new.git')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('pushed 1 commit'),
    })
    expect(git(remote, ['rev-parse', 'main'])).toBe(git(join(dir, 'new.git'), ['rev-parse', 'main']))
    expect(found.isEndless()).toBe(false)

    const empty = bareRepository(join(dir, 'empty.git'))
    expect(await found.rowback('push', '--repo', 'new.git', '--remote', empty)).toMatchObject({
      code: 12,
      stderr: expect.stringContaining('receive.shallowUpdate true'),
    })
  })
})

test('a push to a shallow repository of somebody else says whose commits it has, and ends', async () => {
  const found = await place()
  const refused = await found.rowback('push', '--repo', 'app.git', '--remote', 'server/other.git')
  expect(refused).toMatchObject({
    code: 12,
    stderr: expect.stringMatching(
      /has 2 commits that this repository lacks, in a history of its own, .*"other: 1 row added"/,
    ),
  })
  expect(found.isEndless()).toBe(false)
})
