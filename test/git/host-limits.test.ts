import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { hostLimits, overLimitText, pushSize } from '../../src/git/host-limits.ts'
import { isGitHub, isServer } from '../../src/git/remote-url.ts'
import { commitFiles, testStore } from './testdir.ts'

const limits = { fileBytes: 1000, pushBytes: 5000, entries: 30 }

test('files, directories and pushes over a limit are found, each at its largest', async () => {
  const store = await testStore()
  const many = Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`many/file ${i}`, String(i)]))
  const few = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`few/file ${i}`, String(i)]))
  const files = { ...many, ...few, 'a b/large': 'x'.repeat(1001), 'just right': 'x'.repeat(1000) }
  const parent = await commitFiles(store, files)
  const tip = await commitFiles(store, { 'a b/large': 'x'.repeat(3000) }, { parent })
  const { bytes, over } = await pushSize(store, tip, 1_000_000, limits)
  expect(over.sort((a, b) => a.size - b.size)).toEqual([
    { kind: 'directory', path: 'many', size: 31 },
    { kind: 'file', path: 'a b/large', size: 3000 },
  ])
  expect(bytes).toBeGreaterThan(1000)

  const random = randomBytes(6000).toString('latin1')
  const large = await commitFiles(store, { random }, { parent: tip })
  const kinds = async (partBytes: number) =>
    (await pushSize(store, large, partBytes, { ...limits, fileBytes: 1e6 })).over.map(({ kind }) => kind)
  expect(await kinds(1_000_000)).toContain('push')
  // A file does not fit into a part that is smaller than itself.
  expect(await kinds(1000)).toContain('push')
  expect((await pushSize(store, tip, 1000, limits)).over.map(({ kind }) => kind)).not.toContain('push')
})

test('what is over a limit is put into words', () => {
  expect(overLimitText({ kind: 'file', path: 'assets/a.mp4', size: hostLimits.fileBytes + 1 })).toBe(
    'file "assets/a.mp4" has 101 MiB, and hosts like GitHub refuse more than 100 MiB',
  )
  expect(overLimitText({ kind: 'push', path: undefined, size: 3 * 2 ** 30 })).toBe(
    '3,072 MiB go at once, and hosts like GitHub refuse more than 2,048 MiB',
  )
  expect(overLimitText({ kind: 'directory', path: 'assets', size: 3001 })).toBe(
    'directory "assets" has 3,001 entries, more than the 3,000 that hosts like GitHub advise',
  )
})

test.each([
  ['https://github.com/me/x.git', true, true],
  ['git@github.com:me/x.git', true, true],
  ['ssh://git@ssh.github.com:443/me/x.git', true, true],
  ['https://github.com.example/me/x.git', true, false],
  ['https://example.org/github.com/x.git', true, false],
  ['backup@nas:app.git', true, false],
  ['/srv/app.git', false, false],
  ['../github.com/x.git', false, false],
  ['file:///srv/app.git', false, false],
])('%s is a server: %s, GitHub: %s', (url, server, gitHub) => {
  expect([isServer(url), isGitHub(url)]).toEqual([server, gitHub])
})
