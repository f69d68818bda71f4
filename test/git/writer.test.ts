import { execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { expect, test } from 'vitest'
import { author, commitFiles, setEnv, testdir, testStore, traces } from './testdir.ts'

const commit = { add: [], remove: [], message: 'm\n', author, time: 1 }

/** Puts a shell script in front of the real git; `$git` is the real one. */
async function wrapGit(script: string): Promise<void> {
  const dir = await testdir()
  const real = execFileSync('sh', ['-c', 'command -v git']).toString().trim()
  await writeFile(join(dir, 'git'), `#!/bin/sh\ngit=${real}\n${script}\nexec "$git" "$@"\n`, { mode: 0o755 })
  setEnv({ PATH: `${dir}${delimiter}${process.env.PATH}` })
}

test('a fast-import that is killed is one clear error', async () => {
  const store = await testStore()
  await wrapGit('[ "$1" = fast-import ] && kill -KILL $$')
  await expect(commitFiles(store, { a: '1' })).rejects.toMatchObject({
    code: 'repository',
    message: `write ${store.dir}: git was ended by SIGKILL; the last commit is intact`,
  })
  expect(await traces(store)).toEqual([])
})

test('without git there is one clear error', async () => {
  const store = await testStore()
  setEnv({ PATH: await testdir() })
  const error = { code: 'repository', message: 'run git: there is no program of that name in PATH' }
  await expect(store.tip()).rejects.toMatchObject(error)
  await expect(store.readBlob('0'.repeat(40))).rejects.toMatchObject(error)
  await expect(store.begin().commit(commit)).rejects.toMatchObject(error)
  await store.close()
})
