/** Where git leads a remote: by its name, by its settings, from the work tree. A push goes there, and looks there. */

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Ended } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { rowback } from '../support/in-process.ts'

interface Place {
  dir: string
  repository: string
  env: Record<string, string>
  rowback: (...args: string[]) => Promise<Ended>
}

/** A repository with one backup; nothing of it was pushed. */
async function place(): Promise<Place> {
  const dir = await madePlace()
  const env = homeOf(dir)
  const run = (...args: string[]) => rowback(args, { cwd: dir, env })
  return { dir, repository: join(dir, 'repo.git'), env, rowback: run }
}

function homeOf(dir: string): Record<string, string> {
  return { HOME: dir, TMPDIR: dir, XDG_CONFIG_HOME: dir, no_proxy: '*' }
}

const madePlace = copiedPlace(async (dir) => {
  databaseFrom('CREATE TABLE note(id INTEGER PRIMARY KEY, text)', join(dir, 'app.db'))
  const made = await rowback(['backup', 'app.db', '--repo', 'repo.git'], { cwd: dir, env: homeOf(dir) })
  expect(made).toMatchObject({ code: 0, stderr: '' })
})

function tip(repository: string): string {
  return git(repository, ['for-each-ref', '--format=%(objectname)', 'refs/heads/main'])
}

describe('a remote of git with a relative address is where git leads it', () => {
  /** Each gives the directory that is named by `--repo`, and the one that git takes the address from. */
  const layouts = {
    'from a work tree': ({ dir }: Place) => {
      git(dir, ['clone', '--quiet', 'repo.git', 'work'])
      return ['work', 'work']
    },
    'from the .git of a work tree': ({ dir }: Place) => {
      git(dir, ['clone', '--quiet', 'repo.git', 'work'])
      return [join('work', '.git'), 'work']
    },
    'from a work tree whose git directory is elsewhere': ({ dir }: Place) => {
      mkdirSync(join(dir, 'elsewhere'))
      git(dir, ['clone', '--quiet', '--separate-git-dir=elsewhere/its.git', 'repo.git', 'work'])
      return ['work', 'work']
    },
    'from a linked work tree': ({ dir }: Place) => {
      git(dir, ['clone', '--quiet', 'repo.git', 'elsewhere/main'])
      git(join(dir, 'elsewhere', 'main'), ['worktree', 'add', '--quiet', '--detach', '../../work'])
      return ['work', 'work']
    },
    'from a bare repository': () => ['repo.git', 'repo.git'],
  }

  test.each(Object.entries(layouts))('%s.', async (_, lay) => {
    const found = await place()
    const [repository = '', base = ''] = lay(found)
    const remote = bareRepository(join(found.dir, base, '..', 'nas.git'))
    const [own, decoy] = [join(found.dir, repository), join(found.dir, base, 'nas.git')]
    bareRepository(decoy)
    git(own, ['remote', 'add', 'nas', '../nas.git'])
    expect(await found.rowback('push', '--repo', repository, '--remote', 'nas')).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('pushed 1 commit to nas'),
    })
    expect(tip(remote)).toBe(tip(own))
    expect(tip(decoy)).toBe('')
    git(join(found.dir, base), ['push', '--quiet', '--no-verify', 'nas', 'main:by-hand'])
    expect(git(remote, ['rev-parse', 'by-hand'])).toBe(tip(own))
  })
})
