/** Temporary directories and stock git for the tests of this folder; whatever is made here is removed after the test. */

import { execFile, execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { createStore } from '../../src/git/create-store.ts'
import { gitEnv } from '../../src/git/env.ts'
import type { StoreOptions } from '../../src/git/open-store.ts'
import type { NewCommit, Store } from '../../src/git/store.ts'
import { blobOid, type TreeEntry } from '../../src/git/tree.ts'

/** A new empty directory. */
export async function testdir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'rowback-git-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** A new store in a directory of its own, or in `dir`, closed after the test. */
export async function testStore({ dir, ...options }: StoreOptions & { dir?: string } = {}): Promise<Store> {
  const store = await createStore(join(dir ?? (await testdir()), 'repo.git'), options)
  onTestFinished(() => store.close())
  return store
}

/** What stock git prints; rejects if it fails, and then with all that it printed, as fsck says on stdout what is missing. */
export async function stockGit(dir: string, ...args: string[]): Promise<string> {
  const options = { cwd: dir, env: gitEnv(), maxBuffer: 1 << 26 }
  const { stdout } = await promisify(execFile)('git', args, options).catch((error) => {
    throw new Error(`${error.message}${error.stdout}`, { cause: error })
  })
  return stdout.trimEnd()
}

/** Sets variables of this process until the test has ended, or what it returns is called. */
export function setEnv(variables: Record<string, string>): () => void {
  const before = Object.keys(variables).map((name) => [name, process.env[name]] as const)
  const giveBack = (): void => {
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
  }
  Object.assign(process.env, variables)
  onTestFinished(giveBack)
  return giveBack
}

/** Puts a shell script in front of the real git, until the test has ended or what it returns is called; `$git` is the real one. */
export async function wrapGit(script: string): Promise<() => void> {
  const dir = await testdir()
  const real = execFileSync('sh', ['-c', 'command -v git']).toString().trim()
  await writeFile(join(dir, 'git'), `#!/bin/sh\ngit=${real}\n${script}\nexec "$git" "$@"\n`, { mode: 0o755 })
  return setEnv({ PATH: `${dir}${delimiter}${process.env.PATH}` })
}

export const author = { name: 'Ada Lovelace', email: 'ada@example.org' }

/** Commits files (path to text) on top of `parent`, and returns the new commit. */
export async function commitFiles(
  store: Store,
  files: Record<string, string>,
  commit: Partial<NewCommit> = {},
): Promise<string> {
  const writer = store.begin()
  const add: TreeEntry[] = []
  for (const [path, text] of Object.entries(files)) {
    const oid = blobOid(Buffer.from(text))
    await writer.writeBlob(oid, Buffer.from(text))
    add.push({ path, mode: '100644', oid })
  }
  return await writer.commit({ add, remove: [], message: 'test\n', author, time: 1_700_000_000, ...commit })
}

/** Everything below the git directory that a dropped session could have left. */
export async function traces(store: Store): Promise<string[]> {
  const files = await readdir(store.gitDir, { recursive: true })
  return files.filter((file) =>
    /tmp\/.|fast_import_crash|pack-|tmp_pack|\.lock$|refs\/heads\/.|objects\/[0-9a-f]{2}\//.test(file),
  )
}
