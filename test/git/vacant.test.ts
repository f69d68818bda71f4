/** Repositories that are made, and taken away again, in directories that were there. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createIfVacant, createStore } from '../../src/git/create-store.ts'
import { lockNewRepository } from '../../src/git/lock.ts'
import { openStore } from '../../src/git/open-store.ts'
import { openOrCreateStore } from '../../src/repository.ts'
import { commitFiles, stockGit, testdir } from './testdir.ts'

test('a repository that another process has made meanwhile is left as it is', async () => {
  const dir = await testdir()
  const made = join(await testdir(), 'made.git')
  await createStore(made)
  await stockGit(made, 'config', 'rowback.source', '/elsewhere')
  const unlock = await lockNewRepository(dir)
  const waiting = createIfVacant(dir, { lockTimeoutMs: 60_000 })
  await cp(made, dir, { recursive: true })
  await unlock()
  expect(await waiting).toBeUndefined()
  expect(await stockGit(dir, 'config', 'rowback.source')).toBe('/elsewhere')
})

test('a repository that has a ref by now is not taken away', async () => {
  const dir = await testdir()
  const { discard } = await openOrCreateStore(dir, { hook: false })
  const commit = await commitFiles(await openStore(dir, { branch: 'other' }), { a: '1' })
  await discard()
  expect(await stockGit(dir, 'rev-parse', 'other')).toBe(commit)
})

test('what is not of a repository stays when that is taken away, and when it is made', async () => {
  const dir = await testdir()
  const { discard } = await openOrCreateStore(dir, {})
  expect(existsSync(join(dir, 'hooks', 'pre-push'))).toBe(true)
  writeFileSync(join(dir, 'precious'), 'x')
  mkdirSync(join(dir, 'rowback', 'tmp'), { recursive: true })
  writeFileSync(join(dir, 'rowback', 'lock'), 'ours')
  await discard()
  expect(readdirSync(dir)).toEqual(['precious'])
})

test.each([['lock.md'], ['unfinished.doc'], ['state']])(
  "a folder of somebody's that is called rowback and holds %s is no repository",
  async (name) => {
    const dir = await testdir()
    mkdirSync(join(dir, 'rowback'))
    writeFileSync(join(dir, 'rowback', name), 'precious')
    await expect(createStore(dir)).rejects.toMatchObject({ code: 'repository' })
    expect(readFileSync(join(dir, 'rowback', name), 'utf8')).toBe('precious')
  },
)

test.each([
  ['nothing but its folder', []],
  ['a lock', ['lock']],
  ['a lock that was being made', ['lock.new-310305-8172-1b91a3fb']],
  ['the mark, with what a backup has left', ['unfinished', 'tmp/', 'state']],
])('what is left of a repository is made anew: %s', async (_, names) => {
  const dir = await testdir()
  mkdirSync(join(dir, 'rowback'))
  for (const name of names)
    if (name.endsWith('/')) mkdirSync(join(dir, 'rowback', name))
    else writeFileSync(join(dir, 'rowback', name), '')
  await createStore(dir, { lockTimeoutMs: 20_000 })
  expect(await stockGit(dir, 'rev-parse', '--is-bare-repository')).toBe('true')
  expect(existsSync(join(dir, 'rowback', 'unfinished'))).toBe(false)
})
