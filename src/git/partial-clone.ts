/**
 * Fetches what a partial clone (gitrepository-layout(5), partial-clone in git's documentation) lacks, all that a step
 * needs at once: git itself would fetch object by object, and without the user's credentials where settings are off.
 */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { counted } from '../number.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { gitEnv } from './env.ts'
import { settledRemote } from './remote-address.ts'
import { fetchWanted, remoteError } from './remote-git.ts'
import { checkRemoteUrl, type Remote, redactUrl } from './remote-url.ts'
import { git } from './run.ts'

/** The remote that a partial clone's missing objects come from; undefined for any other repository. */
export async function promisorOf(gitDir: string): Promise<string | undefined> {
  const asked = ['config', '--local', '--null', '--name-only', '--get-regexp', '^remote\\..*\\.promisor$']
  const [key = ''] = (await git(gitDir, asked)).stdout.toString().split('\0')
  return /^remote\.(.+)\.promisor$/s.exec(key)?.[1]
}

/**
 * Fetches those of the objects that are not here. Throws RowbackError('remote') if the remote does not give them,
 * RowbackError('usage') if its password variable is not set, or its address is not used.
 */
export async function fetchMissing(gitDir: string, remote: Remote, oids: readonly string[]): Promise<void> {
  const missing = await missingObjects(gitDir, oids)
  if (missing.length === 0) return
  const { url } = remote
  checkRemoteUrl((await settledRemote({ dir: gitDir, gitDir, engine: 'native' }, remote)).address)
  const settings = ['-c', 'fetch.negotiationAlgorithm=noop', '-c', `core.hooksPath=${join(gitDir, 'hooks')}`]
  const only = ['--quiet', '--no-tags', '--no-write-fetch-head', '--no-auto-maintenance']
  const args = [...settings, 'fetch', ...only, '--filter=blob:none', '--stdin', '--', url]
  await fetchWanted(gitDir, args, remote, missing).catch((error: unknown) => {
    const what = `fetch ${counted(missing.length, 'file')} from ${redactUrl(url)}`
    throw remoteError(what, remote, error, 'this partial clone does not have them yet')
  })
}

/**
 * Which of the objects are not here. Asked of a repository that knows no remote: in the partial clone itself git would fetch
 * each before it answers.
 */
export async function missingObjects(gitDir: string, oids: readonly string[]): Promise<string[]> {
  return withTemporaryFolder('partial', async (stub) => {
    await mkdir(join(stub, 'refs'))
    await mkdir(join(stub, 'objects'))
    await writeFile(join(stub, 'HEAD'), 'ref: refs/heads/stub\n')
    const found = await git(stub, ['cat-file', '--buffer', '--batch-check=%(objectname)'], {
      env: { ...gitEnv(), GIT_OBJECT_DIRECTORY: join(gitDir, 'objects') },
      input: [...new Set(oids)].map((oid) => `${oid}\n`).join(''),
    })
    const lines = found.stdout.toString().split('\n')
    return lines.filter((line) => line.endsWith(' missing')).map((line) => line.slice(0, 40))
  })
}
