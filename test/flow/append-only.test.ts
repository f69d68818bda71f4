/** The pre-receive hook: what a machine that was stolen, and the key with it, can do to a remote that has it. */

import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { push } from '../../src/push.ts'
import { type Ended, program, projectRoot } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { sshServer } from '../support/git-servers.ts'
import { rowback } from '../support/in-process.ts'

interface Place {
  dir: string
  source: string
  repository: string
  remote: string
  /** The commits of the remote, newest first. */
  commits: () => string[]
  refs: () => string
  /** Pushes by hand, as whoever has the repository can. */
  push: (...args: string[]) => Promise<Ended>
}

const identity = {
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.org',
}

/** A remote with our hook that holds two backups. */
async function place(): Promise<Place> {
  const dir = await madePlace()
  const remote = join(dir, 'remote.git')
  const repository = join(dir, 'repo.git')
  return {
    dir,
    source: join(dir, 'app.db'),
    repository,
    remote,
    commits: () => git(remote, ['rev-list', 'main']).split('\n'),
    refs: () => git(remote, ['for-each-ref', '--format=%(refname) %(objectname)']),
    push: (...args) =>
      program('git', ['push', ...args], { cwd: repository, env: { HOME: dir, TMPDIR: dir } }),
  }
}

const madePlace = copiedPlace(async (dir) => {
  const source = databaseFrom('CREATE TABLE t(a); INSERT INTO t VALUES (1)', join(dir, 'app.db'))
  const remote = bareRepository(join(dir, 'remote.git'))
  mkdirSync(join(remote, 'hooks'))
  copyFileSync(join(projectRoot, 'hooks', 'pre-receive'), join(remote, 'hooks', 'pre-receive'))
  const args = ['backup', 'app.db', '--repo', 'repo.git', '--no-hook', '--remote', remote]
  for (const value of [2, 3]) {
    execFileSync('sqlite3', [source, `INSERT INTO t VALUES (${value})`])
    const done = await rowback(args, { cwd: dir, env: { HOME: dir, TMPDIR: dir } })
    expect(done).toMatchObject({ code: 0, stderr: '' })
  }
})

test('a remote that is append-only takes backups, branches and tags that are new.', async () => {
  const { refs, commits, push, repository } = await place()
  expect(commits()).toHaveLength(2)
  const tip = commits()[0] as string
  git(repository, ['tag', 'monthly', tip])
  expect(await push('../remote.git', 'main:hosts/other', 'monthly')).toMatchObject({ code: 0 })
  expect(refs()).toBe(`refs/heads/hosts/other ${tip}\nrefs/heads/main ${tip}\nrefs/tags/monthly ${tip}`)
})

describe('a remote that is append-only refuses', () => {
  /** What somebody may try, and what the hook answers. */
  const attempts: Record<string, { args: (place: Place) => string[]; says: string }> = {
    'to delete a branch': {
      args: () => ['../remote.git', ':main'],
      says: 'refs/heads/main is append-only here: it cannot be deleted',
    },
    'to delete all with a mirror': {
      args: ({ repository }) => {
        git(repository, ['update-ref', '-d', 'refs/heads/main'])
        return ['--mirror', '../remote.git']
      },
      says: 'refs/heads/main is append-only here: it cannot be deleted',
    },
    'to move a branch back': {
      args: () => ['--force', '../remote.git', 'main~1:main'],
      says: 'does not come after',
    },
    'to put another history in its place': {
      args: ({ repository }) => {
        const root = git(repository, ['commit-tree', 'main^{tree}', '-m', 'x'], identity)
        return ['--force', '../remote.git', `${root}:refs/heads/main`]
      },
      says: 'does not come after',
    },
    'to replace what a commit is': {
      args: ({ repository }) => {
        const root = git(repository, ['commit-tree', 'main^{tree}', '-m', 'x'], identity)
        return ['../remote.git', `${root}:refs/replace/${git(repository, ['rev-parse', 'main'])}`]
      },
      says: 'it is no branch and no tag',
    },
    'to move a tag': {
      args: ({ repository, remote }) => {
        git(remote, ['update-ref', 'refs/tags/monthly', git(repository, ['rev-parse', 'main~1'])])
        return ['--force', '../remote.git', 'main:refs/tags/monthly']
      },
      says: 'a tag cannot be moved',
    },
    'to delete a tag': {
      args: ({ repository, remote }) => {
        git(remote, ['update-ref', 'refs/tags/monthly', git(repository, ['rev-parse', 'main'])])
        return ['../remote.git', ':refs/tags/monthly']
      },
      says: 'refs/tags/monthly is append-only here: it cannot be deleted',
    },
    'a commit among the parts of a push': {
      args: () => ['../remote.git', 'main:refs/rowback/parts/main/x'],
      says: 'it takes new trees only',
    },
    'all of a push that does one of these': {
      args: () => ['--force', '../remote.git', 'main:new', 'main~1:main'],
      says: 'does not come after',
    },
  }

  test.each(Object.keys(attempts))('%s.', async (name) => {
    const found = await place()
    const { args, says } = attempts[name] as (typeof attempts)[string]
    const given = args(found)
    const before = found.refs()
    const refused = await found.push(...given)
    expect(refused.code).not.toBe(0)
    expect(refused.stderr).toContain('remote: rowback: ')
    expect(refused.stderr).toContain(says)
    expect(found.refs()).toBe(before)
  })

  test('a history that a replacement on the server makes look like a later one.', async () => {
    const found = await place()
    const { repository, remote } = found
    const tip = git(repository, ['rev-parse', 'main'])
    const forged = git(repository, ['commit-tree', 'main^{tree}', '-m', 'x'], identity)
    const disguise = git(repository, ['commit-tree', 'main^{tree}', '-p', tip, '-m', 'x'], identity)
    // It got there before the hook did.
    git(repository, ['push', '--quiet', remote, `${forged}:refs/heads/a`, `${disguise}:refs/heads/b`])
    git(remote, ['update-ref', `refs/replace/${forged}`, disguise])
    const refused = await found.push('--force', '../remote.git', `${forged}:refs/heads/main`)
    expect(refused.stderr).toContain('does not come after')
    expect(git(remote, ['rev-parse', 'main'])).toBe(tip)
  })

  test('the same over ssh, where the key can do nothing but push and fetch.', async (context) => {
    const server = await sshServer('command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"",restrict')
    if (!server) return context.skip('there is no sshd')
    const { refs, remote, repository, dir } = await place()
    const env = { HOME: dir, GIT_SSH_COMMAND: server.sshCommand }
    const url = `ssh://127.0.0.1:${server.port}${remote}`
    const before = refs()
    const byHand = (...args: string[]) => program('git', ['push', ...args], { cwd: repository, env })
    expect((await byHand('--force', url, 'main~1:main')).stderr).toContain('does not come after')
    expect((await byHand(url, ':main')).stderr).toContain('it cannot be deleted')
    const [ssh = '', ...options] = server.sshCommand.split(' ')
    const at = ['-p', String(server.port), '127.0.0.1']
    expect((await program(ssh, [...options, ...at, `rm -rf ${remote}`])).code).not.toBe(0)
    expect(refs()).toBe(before)
    execFileSync('sqlite3', [join(dir, 'app.db'), 'INSERT INTO t VALUES (9)'])
    const args = ['backup', 'app.db', '--repo', 'repo.git', '--remote', url]
    expect(await rowback(args, { cwd: dir, env: { ...env, TMPDIR: dir } })).toMatchObject({
      code: 0,
      stderr: '',
    })
    expect(refs()).toBe(`refs/heads/main ${git(repository, ['rev-parse', 'main'])}`)
  })
})

test('a remote that is append-only takes a push in parts, and what is left of them is removed.', async () => {
  const { source, repository, remote, refs, dir } = await place()
  execFileSync('sqlite3', [
    source,
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000)
     INSERT INTO t SELECT hex(randomblob(1000)) FROM n`,
  ])
  const args = ['backup', 'app.db', '--repo', 'repo.git']
  expect(await rowback(args, { cwd: dir, env: { HOME: dir } })).toMatchObject({ code: 0 })
  const [pushed] = await push({ repository, remotes: [{ url: remote }], partBytes: 250_000 })
  expect(pushed?.parts).toBeGreaterThan(3)
  expect(refs()).toBe(`refs/heads/main ${git(repository, ['rev-parse', 'main'])}`)
})
