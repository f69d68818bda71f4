/** Opens and makes repositories without git (gitrepository-layout(5)). */

import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { errorText, RowbackError } from '../../errors.ts'
import { makeFolders } from '../../folders.ts'
import { needsGit } from '../engine.ts'
import { packFolder } from '../session.ts'
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
  if (version > 1) return `its format is version ${version}`
  const index = (await packIndexes(store.gitDir)).find((file) => !isSecondVersion(file))
  return index === undefined ? undefined : `${index} is no index of version 2`
}

async function packIndexes(gitDir: string): Promise<string[]> {
  const folder = packFolder(gitDir)
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => name.endsWith('.idx')).map((name) => join(folder, name))
}

/** How an index of a pack begins (gitformat-pack(5)); one of version 1 begins with numbers. */
const secondVersion = Buffer.from('\xfftOc\0\0\0\x02', 'latin1')

/** Whether that is what a file begins with. One that cannot be read is for whoever needs it; it may be gone, joined with others. */
function isSecondVersion(file: string): boolean {
  const start = Buffer.alloc(secondVersion.length)
  try {
    const descriptor = openSync(file, 'r')
    readSync(descriptor, start)
    closeSync(descriptor)
    return start.equals(secondVersion)
  } catch {
    return true
  }
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
