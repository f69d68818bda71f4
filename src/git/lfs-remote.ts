/**
 * Sends contents of Git LFS to a remote and fetches them, by git-lfs itself. It runs in a repository of its own, which has
 * the contents of the real one and nothing else of it: so no `.lfsconfig` of a commit says where they go, and what git-lfs
 * notes in the settings of a repository is gone with it.
 */

import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type LfsObject, lfsPointer } from '../assets/lfs.ts'
import { noteChild } from '../child-processes.ts'
import { errorText, RowbackError } from '../errors.ts'
import { makeFolders } from '../folders.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { needsGit } from './engine.ts'
import { lfsAddresses, lfsReceiver } from './lfs-address.ts'
import { setDamagedAside, syncLfsObjects } from './lfs-objects.ts'
import { addOwnRemote, ownRemote, quotedValue } from './own-remote.ts'
import type { SettledRemote } from './remote-address.ts'
import { remoteEnv } from './remote-env.ts'
import type { RemoteOutput } from './remote-failure.ts'
import { canHeal, RemoteGitError, remoteError } from './remote-git.ts'
import { checkRemoteUrl, redactUrl } from './remote-url.ts'
import { type Retries, withRetries } from './retry.ts'
import { type GitEnd, git, gitCause } from './run.ts'
import type { Store } from './store.ts'

/** How often a fault of the network is tried again, and what a failure leaves as it is. */
interface LfsAccess extends Retries {
  left?: string | undefined
}

/** An id has 64 digits; an argument list may have at least 128 KiB. */
const idsAtOnce = 1000

/**
 * Sends contents that are here; what the remote has is not sent again. Throws RowbackError('remote') if the remote does not
 * take them all, or there is no git-lfs.
 */
export async function sendLfsObjects(
  store: Pick<Store, 'engine' | 'gitDir'>,
  remote: SettledRemote,
  objects: readonly LfsObject[],
  access: LfsAccess = {},
): Promise<void> {
  const what = `push to the Git LFS of ${redactUrl(remote.url)}`
  await withLfs(store, remote, what, access, async (run) => {
    for (let start = 0; start < objects.length; start += idsAtOnce) {
      const ids = objects.slice(start, start + idsAtOnce).map(({ sha256 }) => sha256)
      await run('push', '--object-id', ownRemote, ...ids)
    }
  })
  // git-lfs does not sync what it copies to a directory.
  const receiver = await lfsReceiver(store.gitDir, remote)
  if (receiver !== undefined) await syncLfsObjects(receiver, objects)
}

/**
 * Moves contents that are damaged out of the way where the remote is a directory, and returns them and those that are not there:
 * git-lfs sends none where a file of its name is there. A server is trusted. Throws RowbackError('remote').
 */
export async function setRemoteObjectsAside<T extends LfsObject>(
  { engine, gitDir }: Pick<Store, 'engine' | 'gitDir'>,
  remote: SettledRemote,
  objects: readonly T[],
  left: string,
): Promise<{ missing: T[]; damaged: T[] }> {
  const receiver = engine === 'embedded' ? undefined : await lfsReceiver(gitDir, remote)
  if (receiver === undefined) return { missing: [], damaged: [] }
  try {
    return await setDamagedAside(receiver, objects)
  } catch (error) {
    const message = `read the Git LFS of ${redactUrl(remote.url)}: ${errorText(error)}; ${left}`
    throw new RowbackError('remote', message, { cause: error })
  }
}

/**
 * Fetches contents, each of which git-lfs checks by its SHA-256, durably. Throws RowbackError('remote') if the remote does not give
 * them all, or there is no git-lfs; those that have come stay.
 */
export async function fetchLfsObjects(
  store: Pick<Store, 'engine' | 'gitDir'>,
  remote: SettledRemote,
  objects: readonly LfsObject[],
  access: LfsAccess = {},
): Promise<void> {
  const what = `fetch from the Git LFS of ${redactUrl(remote.url)}`
  try {
    await withLfs(store, remote, what, access, async (run, gitDir) => {
      await commitPointers(gitDir, objects)
      // Settings of the user that would leave out some of them do not count.
      await run('fetch', '--include=', '--exclude=', ownRemote, pointersRef)
    })
  } finally {
    await syncFetched(store.gitDir, objects)
  }
}

/** A proof is remembered of what has come, and what was damaged is out of the way: git-lfs does not sync it. */
async function syncFetched(gitDir: string, objects: readonly LfsObject[]): Promise<void> {
  await syncLfsObjects(gitDir, objects).catch((error: unknown) => {
    throw new RowbackError('repository', `write ${join(gitDir, 'lfs')}: ${errorText(error)}`, {
      cause: error,
    })
  })
}

/** Runs `git lfs`; throws RemoteGitError where it fails. */
type RunLfs = (...args: string[]) => Promise<void>

/** The branch that git-lfs fetches for. */
const pointersRef = 'refs/heads/pointers'

async function withLfs(
  { engine, gitDir }: Pick<Store, 'engine' | 'gitDir'>,
  remote: SettledRemote,
  what: string,
  { left, ...retries }: LfsAccess,
  use: (run: RunLfs, gitDir: string) => Promise<void>,
): Promise<void> {
  checkRemoteUrl(remote.address)
  if (engine === 'embedded') throw needsGit('remote', what, 'contents go by git-lfs')
  await withTemporaryFolder('lfs', async (folder) => {
    try {
      const own = join(folder, '.git')
      await makeRepository(own, gitDir, remote)
      // git-lfs would take GIT_DIR for the repository at the other end, too, where that is a directory.
      const env = { ...(await remoteEnv(own, remote)), GIT_DIR: undefined }
      const run: RunLfs = async (...args) => {
        const output = await runLfs(folder, args, env)
        if (output.code !== 0) throw new RemoteGitError({ ...output, stderr: ownWords(output.stderr) })
      }
      const version = await runLfs(folder, ['version'], env)
      if (version.code !== 0) throw noGitLfs(what, version, left)
      await withRetries(retries, canHeal, () => use(run, own))
    } catch (error) {
      throw remoteError(what, remote, error, left)
    }
  })
}

/** Without the lines that only say that something failed, or where more is to be read. */
function ownWords(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((line) => !/^error: failed to (?:fetch|push) some|lfs.logs/.test(line))
  return lines.join('\n')
}

function noGitLfs(what: string, end: GitEnd, left: string | undefined): RowbackError {
  const cause = `there is no git-lfs (${gitCause(end)})`
  return new RowbackError('remote', `${what}: ${cause}${left === undefined ? '' : `; ${left}`}`, {
    hint: 'install git-lfs, for example: apt-get install git-lfs',
  })
}

/** Makes a repository with the settings of the real one, whose contents of Git LFS are its own. */
async function makeRepository(own: string, gitDir: string, remote: SettledRemote): Promise<void> {
  await makeFolders(join(own, 'refs'))
  await mkdir(join(own, 'objects'))
  await writeFile(join(own, 'HEAD'), 'ref: refs/heads/none\n')
  const settings = await readFile(join(gitDir, 'config'), 'utf8')
  const storage = resolve(gitDir, 'lfs')
  await makeFolders(storage).catch((error: unknown) => {
    throw new RowbackError('repository', `write ${storage}: ${errorText(error)}`, { cause: error })
  })
  // The real one may have its work tree elsewhere, by a path from there, as that of a submodule has.
  const core = `[core]\n\tbare = false\n\tworktree = ${quotedValue(dirname(own))}\n`
  const added = `${core}[lfs]\n\tstorage = ${quotedValue(storage)}\n`
  await writeFile(join(own, 'config'), `${settings}\n${added}`, { mode: 0o600 })
  await addOwnRemote(own, remote, await lfsAddresses(gitDir, remote))
}

/** Commits pointers and nothing else: `git lfs fetch` fetches for a commit. */
async function commitPointers(gitDir: string, objects: readonly LfsObject[]): Promise<void> {
  const files = objects.map((object) => {
    const content = lfsPointer(object)
    return `M 100644 inline ${object.sha256}\ndata ${content.length}\n${content}\n`
  })
  const head = `commit ${pointersRef}\ncommitter Rowback <rowback@localhost> 0 +0000\ndata 0\n`
  const input = [head, ...files, 'done\n'].join('')
  const made = await git(gitDir, ['fast-import', '--quiet', '--done', '--force'], { input })
  if (made.code !== 0) throw new RowbackError('fault', `list contents of Git LFS: ${gitCause(made)}`)
}

/** More of its messages than this is no help to anyone. */
const maxOutputChars = 65_536

/** Runs `git lfs` with `folder` as its working directory, and returns how that ended. */
function runLfs(folder: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<RemoteOutput> {
  const child = spawn('git', ['lfs', ...args], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  noteChild(child)
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-maxOutputChars)
    })
  return new Promise<RemoteOutput>((done, reject) => {
    child.once('error', (error) => {
      reject(new RowbackError('repository', `run git: ${errorText(error)}`, { cause: error }))
    })
    child.once('close', (code) => done({ code: code ?? 128, ...output }))
  })
}
