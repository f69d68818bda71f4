/** Flags of the command line as users combine them. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { rowback } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { filesOf } from '../support/git.ts'
import { tempDir } from '../support/temp.ts'

test('a flag that may be given again takes one value, and what follows is the source.', async () => {
  const dir = tempDir()
  mkdirSync(join(dir, 'data'))
  databaseFrom('CREATE TABLE t(a); INSERT INTO t VALUES (1)', join(dir, 'data', 'app.db'))
  for (const name of ['a.log', 'b.tmp', 'c.txt']) writeFileSync(join(dir, 'data', name), name)
  const flags = ['--repo', 'repo.git', '--exclude-table', 't', '--exclude', '*.log', '--exclude', '*.tmp']
  const done = await rowback(['backup', ...flags, 'data'], { cwd: dir })
  expect(done).toMatchObject({ code: 0, stderr: '' })
  const files = [...filesOf(join(dir, 'repo.git'), 'main').keys()]
  expect(files.filter((path) => path.startsWith('assets/'))).toEqual(['assets/c.txt'])
  expect(files.filter((path) => path.includes('30-rows'))).toEqual([])
})

test('log shows a time that no calendar has as git would.', async () => {
  const dir = tempDir()
  const source = databaseFrom('CREATE TABLE t(a)', join(dir, 'app.db'))
  await backup({ source, repository: join(dir, 'repo.git'), time: 99_999_999_999_999 })
  const { stdout } = await rowback(['log', '--repo', 'repo.git'], { cwd: dir })
  expect(stdout).toMatch(/^[0-9a-f]{10} {2}@99999999999999 {2}app: /)
})

test('--quiet prints nothing of a success and all of a failure.', async () => {
  const dir = tempDir()
  databaseFrom('CREATE TABLE t(a)', join(dir, 'app.db'))
  const silent = { code: 0, stdout: '', stderr: '' }
  for (const args of [
    ['backup', 'app.db'],
    ['backup', 'app.db'],
    ['log'],
    ['show', 'latest'],
    ['verify'],
    ['restore', 'latest', '--to', 'out'],
  ])
    expect(await rowback([...args, '--quiet', '--repo', 'repo.git'], { cwd: dir })).toEqual(silent)
  expect(await rowback(['show', 'none', '-q', '--repo', 'repo.git'], { cwd: dir })).toEqual({
    code: 2,
    stdout: '',
    stderr: 'rowback: resolve "none": no such commit in repo.git\nrowback: try: rowback log\n',
  })
})

test('--verbose adds where an error comes from.', async () => {
  const { code, stderr } = await rowback(['log', '--repo', 'none.git', '--verbose'], { cwd: tempDir() })
  expect(code).toBe(11)
  expect(stderr).toMatch(
    /^rowback: open repository none\.git: it does not exist\nrowback: try: .*\n.*\n {4}at /,
  )
})

test('help and version go to stdout, and help without a verb to stderr.', async () => {
  for (const args of [['--help'], ['help', 'backup'], ['restore', '--help'], ['--version']]) {
    const done = await rowback(args)
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).not.toBe('')
  }
  expect(await rowback([])).toMatchObject({
    code: 2,
    stdout: '',
    stderr: expect.stringContaining('Usage: rowback'),
  })
})
