/** What is told of a host's limits before anything is sent. */

import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { httpServer } from '../support/git-servers.ts'
import { rowback } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

const file = 'file "assets/video.mp4" has 101 MiB, and hosts like GitHub refuse more than 100 MiB'
const folder = 'directory "assets/icons" has 3,001 entries, more than the 3,000 that hosts like GitHub advise'

test('a dry run and a first push to a server tell it, and GitHub is not sent what it refuses.', async () => {
  const dir = tempDir()
  const root = tempDir()
  const remote = bareRepository(join(root, 'app.git'))
  mkdirSync(join(dir, 'data', 'icons'), { recursive: true })
  databaseFrom('CREATE TABLE t(a)', join(dir, 'data', 'app.db'))
  writeFileSync(join(dir, 'data', 'video.mp4'), '')
  truncateSync(join(dir, 'data', 'video.mp4'), 101 * 2 ** 20)
  for (let i = 0; i < 3001; i++) writeFileSync(join(dir, 'data', 'icons', String(i)), '')
  const url = `http://127.0.0.1:${await httpServer(root)}/app.git`
  // GitHub by the user's own settings, and the ssh to it leads here.
  const ssh = join(dir, 'ssh')
  writeFileSync(ssh, `#!/bin/sh\nfor command; do :; done\nexec \${command%% *} ${remote}\n`, { mode: 0o755 })
  const led = '[url "git@github.com:me/"]\n\tinsteadOf = gh:\n'
  writeFileSync(join(dir, '.gitconfig'), `${led}[core]\n\tsshCommand = ${ssh}\n`)
  const options = { cwd: dir, env: { HOME: dir, TMPDIR: dir, XDG_CONFIG_HOME: dir, no_proxy: '*' } }
  const run = (...args: string[]) => rowback([...args, '--repo', 'repo.git'], options)
  expect(await run('backup', 'data')).toMatchObject({ code: 0, stderr: '' })

  const dry = await run('push', '--dry-run', '--remote', url)
  expect(dry.code).toBe(0)
  expect(dry.stderr.trimEnd().split('\n').sort()).toEqual([
    `rowback: ${url}: ${folder}`,
    `rowback: ${url}: ${file}`,
  ])
  expect(dry.stdout).toMatch(new RegExp(`^would push 1 commit to ${url}, all of the branch is [\\d.]+ kB\n$`))
  expect(git(remote, ['for-each-ref'])).toBe('')

  const gitHub = await run('push', '--remote', 'gh:app.git')
  expect(gitHub).toMatchObject({ code: 12, stdout: '' })
  expect(gitHub.stderr).toContain(
    `push to gh:app.git: ${file}; nothing was pushed, the commit is safe in repo.git`,
  )
  expect(git(remote, ['for-each-ref'])).toBe('')

  mkdirSync(join(remote, 'hooks'))
  writeFileSync(join(remote, 'hooks', 'pre-receive'), '#!/bin/sh\necho "too large" >&2; exit 1\n', {
    mode: 0o755,
  })
  const refused = await run('push', '--remote', url)
  expect(refused.code).toBe(12)
  expect(refused.stderr).toMatch(
    /\(pre-receive hook declined\) \(too large\); the commit is safe in repo\.git; /,
  )
  expect(refused.stderr).toContain(file)

  git(remote, ['config', 'core.hooksPath', '/dev/null'])
  const first = await run('push', '--remote', url)
  expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining(`pushed 1 commit to ${url}`) })
  expect(first.stderr).toContain(`rowback: ${url}: ${file}`)
  expect(await run('push')).toEqual({ code: 0, stdout: `${url} is up to date\n`, stderr: '' })
})
