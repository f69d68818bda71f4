/** Opens and makes repositories without git (gitrepository-layout(5)). */

import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorText, RowbackError } from '../../errors.ts'
import { makeFolders } from '../../folders.ts'
import { needsGit } from '../engine.ts'
import { EmbeddedStore } from './store.ts'

/**
 * Opens a repository. Throws RowbackError('repository') for one that keeps objects or refs in a way that only git
 * knows.
 */
export async function openEmbedded(dir: string, gitDir: string, branch: string): Promise<EmbeddedStore> {
  const store = new EmbeddedStore(dir, gitDir, branch)
  const format = await store.config('extensions.objectFormat')
  if (format !== undefined && format !== 'sha1')
    throw new RowbackError(
      'repository',
      `open repository ${dir}: its object ids are ${format}, only sha1 is supported`,
    )
  const why = await peculiarity(store)
  if (why !== undefined) throw needsGit('repository', `open repository ${dir}`, why)
  return store
}

/** What of a repository isomorphic-git does not read; undefined where it reads all. */
async function peculiarity(store: EmbeddedStore): Promise<string | undefined> {
  const has = (...path: string[]) => existsSync(join(store.gitDir, ...path))
  if (has('shallow')) return 'it is a shallow clone'
  if (has('objects', 'info', 'alternates')) return 'it borrows the objects of another repository'
  if (has('reftable') || (await store.config('extensions.refStorage')) !== undefined)
    return 'its refs are no files'
  const config = await readFile(join(store.gitDir, 'config'), 'utf8').catch((error: unknown) => {
    const text = `open repository ${store.dir}: ${errorText(error)}`
    throw new RowbackError('repository', text, { cause: error })
  })
  if (/^\s*promisor\b/im.test(config)) return 'it is a partial clone'
  const version = Number((await store.config('core.repositoryFormatVersion')) ?? 0)
  return version > 1 ? `its format is version ${version}` : undefined
}

/** Makes the files of an empty bare repository, but for what both engines add. */
export async function initializeEmbedded(gitDir: string, branch: string): Promise<void> {
  for (const folder of ['objects/info', 'objects/pack', 'refs/heads', 'refs/tags'])
    await makeFolders(join(gitDir, folder))
  const core = { repositoryformatversion: 0, filemode: true, bare: true, logAllRefUpdates: true }
  const lines = Object.entries(core).map(([key, value]) => `\t${key} = ${value}\n`)
  await writeFile(join(gitDir, 'config'), `[core]\n${lines.join('')}`)
  await writeFile(join(gitDir, 'HEAD'), `ref: refs/heads/${branch}\n`)
}
