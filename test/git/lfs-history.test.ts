/** Which contents of Git LFS a history needs. */

import { describe, expect, test } from 'vitest'
import { lfsFilesSince } from '../../src/git/lfs-history.ts'
import { commitFiles, stockGit, testStore } from './testdir.ts'

const [here, there, side] = ['a', 'b', 'c'].map((digit) => digit.repeat(64)) as [string, string, string]

function pointer(sha256: string): string {
  return `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize 3\n`
}

describe.each(['native', 'embedded'] as const)('lfsFilesSince of the %s engine', (engine) => {
  test('finds what a side branch needs that is older than what is known', async () => {
    const store = await testStore({ engine })
    const first = await commitFiles(store, { 'assets-lfs/x': pointer(there) }, { time: 100 })
    const older = { time: 150, parent: first, ref: 'refs/test/side' }
    const branch = await commitFiles(store, { 'assets-lfs/y': pointer(side) }, older)
    const known = await commitFiles(store, { a: '1' }, { time: 300, parent: first })
    const left = await commitFiles(store, { 'assets-lfs/z': pointer(here) }, { time: 400, parent: known })
    const author = '-c user.name=A -c user.email=a@example.org'.split(' ')
    const merge = ['commit-tree', `${left}^{tree}`, '-p', left, '-p', branch, '-m', 'm']
    const tip = await stockGit(store.dir, ...author, ...merge)
    const since = await lfsFilesSince(store, tip, known)
    const found = since.filter(({ sha256 }) => sha256 !== there)
    expect(found.map(({ path, sha256, size }) => [path, sha256, size]).sort()).toEqual([
      ['y', side, 3],
      ['z', here, 3],
    ])
    expect(await lfsFilesSince(store, known, known)).toEqual([])
  })
})
