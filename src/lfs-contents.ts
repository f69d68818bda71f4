/** The contents of Git LFS that a step needs: those that are missing or damaged come from a remote. */

import { type AssetEntry, type FileEntry, fileEntries } from './assets/manifest.ts'
import { shownPath } from './assets/paths.ts'
import { RowbackError } from './errors.ts'
import type { LfsFile } from './git/lfs-history.ts'
import { hasLfsObject, lfsDigest, setDamagedAside } from './git/lfs-objects.ts'
import { isOfOneRemote } from './git/remote-git.ts'
import type { Remote } from './git/remote-url.ts'
import { type Retries, readRetries } from './git/retry.ts'
import type { Store } from './git/store.ts'
import { remotesToAsk } from './repository.ts'

interface Need extends Retries {
  /** The step, such as `restore latest`, and what it leaves as it is. */
  what: string
  left?: string | undefined
  /** Asked before those of the last push. */
  remotes?: readonly Remote[] | undefined
}

/** What was not as it should be, by path, and is now. */
export interface LfsFindings {
  /** Was not here, and came from a remote. */
  fetched: string[]
  /** Was damaged, and came back from a remote. */
  healed: string[]
}

/** The assets whose contents are in Git LFS. */
export function lfsAssets(assets: readonly AssetEntry[]): FileEntry[] {
  return fileEntries(assets).filter(({ lfs }) => lfs)
}

/**
 * Fetches those of the contents that are not here, and returns which. Throws RowbackError that names the files: `remote` where
 * no remote gives them, `repository` where none is known.
 */
export async function fetchContents(store: Store, files: readonly LfsFile[], need: Need): Promise<LfsFile[]> {
  const missing = () => files.filter((file) => !hasLfsObject(store.gitDir, file))
  const before = missing()
  if (before.length === 0) return []
  const { fetchLfsObjects } = await import('./git/lfs-remote.ts')
  const { retries, retryDelayMs } = { ...readRetries, ...need }
  const failures: RowbackError[] = []
  for (const remote of await remotesToAsk(store, need.remotes ?? [])) {
    try {
      await fetchLfsObjects(store, remote, missing(), { retries, retryDelayMs })
    } catch (error) {
      if (!isOfOneRemote(error)) throw error
      failures.push(error)
    }
    if (missing().length === 0) return before
  }
  throw contentsError(missing(), need, failures)
}

/** How many files a message names. */
const mostNamed = 10

function contentsError(
  missing: readonly LfsFile[],
  { what, left }: Need,
  failures: readonly RowbackError[],
): RowbackError {
  const names = missing.slice(0, mostNamed).map(({ path }) => shownPath(path))
  if (missing.length > names.length) names.push(`${missing.length - names.length} more`)
  const head = `${what}: contents in Git LFS are not here: ${names.join(', ')}`
  const causes = failures.map(({ message }) => message)
  const asked = causes.length === 0 ? ['no remote is known that could have them'] : causes
  const message = [head, ...asked, ...(left === undefined ? [] : [left])].join('; ')
  const copy = 'copy the folder lfs/objects of a repository that has them'
  const [first] = failures
  const hint = first?.hint === undefined ? copy : `${first.hint}; or ${copy}`
  return new RowbackError(first === undefined ? 'repository' : 'remote', message, { hint, cause: first })
}

/**
 * Reads and hashes contents. Those that are damaged are moved to `lfs/bad`, and they come from a remote as those do that
 * are missing. Throws as `fetchContents` does where some cannot be had.
 */
export async function intactContents(
  store: Store,
  files: readonly LfsFile[],
  need: Need,
): Promise<LfsFindings> {
  const { missing, damaged: bad } = await setDamagedAside(store.gitDir, files)
  const lost = [...missing, ...bad]
  await fetchContents(store, lost, need)
  for (const file of lost) {
    if ((await lfsDigest(store.gitDir, file)) !== file.sha256) throw damaged(store, file, need.what)
  }
  const paths = (found: readonly LfsFile[]) => found.map(({ path }) => path)
  return { fetched: paths(missing), healed: paths(bad) }
}

/** `intactContents` for a proof: throws a `repository` error that names those that cannot be had. */
export async function checkLfsContents(
  store: Store,
  files: readonly LfsFile[],
  need: Need,
): Promise<LfsFindings> {
  return await intactContents(store, files, need).catch((error: unknown) => {
    if (!(error instanceof RowbackError) || error.code !== 'remote') throw error
    throw new RowbackError('repository', error.message, { hint: error.hint, cause: error })
  })
}

/** The error for a content that is not what its name says. */
export function damaged({ dir }: Store, { path }: Pick<LfsFile, 'path'>, what: string): RowbackError {
  return new RowbackError(
    'repository',
    `${what}: the Git LFS of ${dir} has damaged content of ${shownPath(path)}`,
    {
      hint: 'rowback verify, which brings it back from a remote',
    },
  )
}
