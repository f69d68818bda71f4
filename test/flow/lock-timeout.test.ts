/** Two programs that back up to one repository: the second waits as long as the settings say. */

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type Ended, rowback } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { tempDir } from '../support/temp.ts'

interface Scene {
  dir: string
  repository: string
  /** The backup that has the lock until `letGo`, and how it ends. */
  first: Promise<Ended>
  letGo: () => void
  /** A backup whose settings have that `lock-timeout`. */
  second: (lockTimeout: string) => Promise<Ended>
}

/** A backup that is about to push: its remote takes nothing before it is told to. */
async function scene(): Promise<Scene> {
  const dir = tempDir()
  const source = databaseFrom('CREATE TABLE t(a); INSERT INTO t VALUES (1)', join(dir, 'app.db'))
  const remote = bareRepository(join(dir, 'remote.git'))
  mkdirSync(join(remote, 'hooks'))
  const [asked, go] = [join(dir, 'asked'), join(dir, 'go')]
  writeFileSync(
    join(remote, 'hooks', 'pre-receive'),
    `#!/bin/sh\ntouch ${asked}\nwhile [ ! -e ${go} ]; do sleep 0.1; done\n`,
    { mode: 0o755 },
  )
  const letGo = (): void => writeFileSync(go, '')
  onTestFinished(letGo)
  const options = { cwd: dir, env: { HOME: dir, TMPDIR: dir } }
  const first = rowback(['backup', source, '--repo', 'repo.git', '--remote', remote], options)
  while (!existsSync(asked)) await sleep(50)
  databaseFrom('INSERT INTO t VALUES (2)', source)
  const second = (lockTimeout: string): Promise<Ended> => {
    writeFileSync(
      join(dir, 'second.yaml'),
      `source: app.db\nrepository: repo.git\nlock-timeout: ${lockTimeout}\n`,
    )
    return rowback(['backup', '--config', 'second.yaml'], options)
  }
  return { dir, repository: join(dir, 'repo.git'), first, letGo, second }
}

test('A second backup waits for the first one, and then takes its turn.', async () => {
  const { repository, first, letGo, second } = await scene()
  const waiting = second('600')
  // Long enough for one that does not wait to end with its complaint.
  expect(await Promise.race([waiting, sleep(3000)])).toBeUndefined()
  expect(git(repository, ['rev-list', '--count', 'main'])).toBe('1')
  letGo()
  expect(await first).toMatchObject({ code: 0, stderr: '' })
  expect(await waiting).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining('1 row added') })
  expect(git(repository, ['rev-list', '--count', 'main'])).toBe('2')
})

test.each([
  ['0', ''],
  ['0.7', ', and was waited for 0.7 s'],
])(
  'A second backup with lock-timeout %s leaves with a clear line, and nothing is lost.',
  async (timeout, waited) => {
    const { repository, first, letGo, second } = await scene()
    const refused = await second(timeout)
    expect(refused).toMatchObject({ code: 11, stdout: '' })
    const [line, hint, ...more] = refused.stderr.split('\n')
    expect(line).toMatch(
      new RegExp(
        `^rowback: lock .*/repo\\.git: a backup by process \\d+ is running since \\S+Z${waited.replace('.', '\\.')}$`,
      ),
    )
    expect(hint).toMatch(/^rowback: try: ps -p \d+$/)
    expect(more).toEqual([''])
    letGo()
    expect(await first).toMatchObject({ code: 0, stderr: '' })
    expect(await second(timeout)).toMatchObject({ code: 0, stdout: expect.stringContaining('1 row added') })
    expect(git(repository, ['fsck', '--strict'])).toBe('')
  },
)
