/** The clone flow: a new repository that has what a remote has, and goes on from there. */

import { existsSync, rmSync } from 'node:fs'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { lfsAttributes } from './assets/lfs.ts'
import { type CommitTree, readAssetEntries, readCommitTree } from './commit-tree.ts'
import { draftBeside } from './drafts.ts'
import { syncDirectory } from './durable.ts'
import { diskErrnos, errorText, hasErrno, RowbackError } from './errors.ts'
import { makeFolders } from './folders.ts'
import { pointHead } from './git/branch.ts'
import { createStore } from './git/create-store.ts'
import type { EngineChoice } from './git/engine.ts'
import { fetchAll } from './git/fetch.ts'
import { openStore } from './git/open-store.ts'
import { existingPath } from './git/remote-address.ts'
import { checkRemoteUrl, type Remote, redactUrl } from './git/remote-url.ts'
import type { Retries } from './git/retry.ts'
import type { Store } from './git/store.ts'
import { installHook } from './hook.ts'
import { onInterrupt } from './interrupt.ts'
import { type OnProgress, Phases } from './progress.ts'
import { setLastRemotes } from './repository.ts'
import { isFixed } from './restore-target.ts'
import { shellWord } from './shell.ts'

export interface CloneOptions extends Retries {
  remote: Remote
  /** The directory of the new repository, which must be missing or empty. */
  repository: string
  /**
   * The branch that holds the backups: that `latest` names, and that backups go on. Without it `main`, or the only one that
   * the remote has.
   */
  branch?: string | undefined
  /** What makes the repository; it takes the git binary, and is refused without. */
  engine?: EngineChoice | undefined
  /** Whether files stay at the remote until they are needed. */
  partial?: boolean | undefined
  /** Whether the repository gets the pre-push hook; it does without it. */
  hook?: boolean | undefined
  onProgress?: OnProgress | undefined
}

export interface CloneResult {
  remote: string
  repository: string
  /** The latest commit of the branch. */
  commit: string
  /** How many lead up to it. */
  commits: number
  /** Whether files were left at the remote; a server that cannot do that has sent all. */
  partial: boolean
  /** What is not here: commits that the remote itself lacks, and contents in Git LFS of the latest commit that could not be fetched. */
  warnings: string[]
  timesMs: Record<string, number>
}

/**
 * Makes a repository with every branch and tag of the remote. It appears complete or not at all. Throws a `remote` error
 * where the remote does not give it, or has no such branch, and a `repository` error where that holds no backups.
 */
export async function clone(options: CloneOptions): Promise<CloneResult> {
  const phases = new Phases(options.onProgress)
  const remote = remoteOf(options)
  const target = resolve(options.repository)
  await refuseOccupied(options.repository)
  const draft = draftBeside(target, 'new')
  const discard = () => rmSync(draft, { recursive: true, force: true })
  const forget = onInterrupt(discard)
  try {
    phases.begin('fetch')
    await makeFolders(dirname(target))
    await mkdir(draft, { mode: 0o700 })
    const cloned = await cloneInto(draft, remote, options)
    if (options.hook ?? true) await installHook(draft)
    await rename(draft, target)
    await syncDirectory(dirname(target))
    phases.end()
    const { url } = remote
    return {
      remote: redactUrl(url),
      repository: options.repository,
      ...cloned,
      timesMs: phases.timesMs,
    }
  } catch (error) {
    throw cloneError(options, draft, error)
  } finally {
    // Where that cannot be done, the next clone to there does it.
    try {
      discard()
    } catch {}
    forget()
  }
}

/** What is said of the draft is meant of the repository that was to be. */
function cloneError({ remote, repository }: CloneOptions, draft: string, error: unknown): unknown {
  const verb = `clone ${redactUrl(remote.url)}`
  if (!(error instanceof RowbackError))
    return hasErrno(error, ...diskErrnos)
      ? new RowbackError('repository', `${verb}: write ${repository}: ${errorText(error)}${untouched}`, {
          cause: error,
        })
      : error
  const { code, hint } = error
  const message = error.message.replaceAll(draft, repository)
  return new RowbackError(code, `${message.startsWith(verb) ? '' : `${verb}: `}${message}${untouched}`, {
    // What could be done with the draft cannot be done with what is not there.
    hint: hint?.includes(draft) ? undefined : hint,
    cause: error,
  })
}

const untouched = '; nothing was made'

/** Where the files of a partial clone stay must have an address that begins with a scheme: git takes no path for it. */
function remoteOf({ remote, partial }: CloneOptions): Remote {
  checkRemoteUrl(remote.url)
  const url = existingPath(remote.url)
  return { ...remote, url: partial && isAbsolute(url) ? pathToFileURL(url).href : url }
}

async function refuseOccupied(dir: string): Promise<void> {
  const present = await readdir(dir).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined
    throw new RowbackError('repository', `clone to ${dir}: it is no directory that can be read`, {
      cause: error,
    })
  })
  if (present === undefined) return
  if (present.length === 0) return refuseFixed(dir)
  throw new RowbackError('repository', `clone to ${dir}: it is not empty; it was left untouched`, {
    hint: 'name a directory that is missing or empty',
  })
}

async function refuseFixed(dir: string): Promise<void> {
  if (!(await isFixed(resolve(dir)))) return
  throw new RowbackError(
    'repository',
    `clone to ${dir}: it is a mount point or a symlink, which cannot be replaced; it was left untouched`,
    { hint: `rowback clone URL ${shellWord(join(dir, 'repo.git'))}` },
  )
}

async function cloneInto(
  draft: string,
  remote: Remote,
  options: CloneOptions,
): Promise<Pick<CloneResult, 'commit' | 'commits' | 'partial' | 'warnings'>> {
  const made = await createStore(draft, options)
  await fetchAll(made, remote, options)
  await setLastRemotes(made, [remote.url])
  if (options.branch === undefined) await takeOnlyBranch(made)
  await made.close()
  const store = await openStore(draft, { ...options, remotes: [remote] })
  try {
    const commit = await store.tip()
    if (commit === undefined) throw await noBranch(store, remote)
    // Asked before the manifest is read, which is fetched for that.
    const partial = options.partial === true && (await lacksFiles(store, commit))
    const tree = await readCommitTree(store, commit)
    let commits = 0
    for await (const _ of store.log(commit)) commits += 1
    const lacking = options.partial ? [] : await fetchLatest(store, tree, remote, options)
    return { commit, commits, partial, warnings: [...shallowWarning(store), ...lacking] }
  } finally {
    await store.close()
  }
}

/** Has the only branch of a repository be its own, where that is another one. */
async function takeOnlyBranch(store: Store): Promise<void> {
  const [branch, ...others] = await store.branches()
  if (branch !== undefined && others.length === 0 && branch !== store.branch) await pointHead(store, branch)
}

/** Of a shallow repository (gitrepository-layout(5)) git notes what its history begins with. */
function shallowWarning({ gitDir }: Store): string[] {
  if (!existsSync(join(gitDir, 'shallow'))) return []
  return ['the remote is a shallow repository: what is before its first commits is not here either']
}

async function lacksFiles(store: Store, commit: string): Promise<boolean> {
  const { missingObjects } = await import('./git/partial-clone.ts')
  const entries = [...(await store.listTree(commit)).values()]
  const missing = await missingObjects(
    store.gitDir,
    entries.map(({ oid }) => oid),
  )
  return missing.length > 0
}

/**
 * Fetches the contents in Git LFS of the latest commit; those of others come when they are needed. Without them the clone is
 * still one that restores its databases, and that fetches them when the remote, or git-lfs, is there.
 */
async function fetchLatest(
  store: Store,
  tree: CommitTree,
  remote: Remote,
  { retries, retryDelayMs }: Retries,
): Promise<string[]> {
  if (!tree.entries.has(lfsAttributes.path)) return []
  const { fetchContents, lfsAssets } = await import('./lfs-contents.ts')
  const files = lfsAssets(await readAssetEntries(store, tree))
  const need = { what: 'clone', left: 'the clone is made without', remotes: [remote] }
  try {
    await fetchContents(store, files, { ...need, retries, retryDelayMs })
    return []
  } catch (error) {
    if (error instanceof RowbackError && error.code === 'remote') return [error.message]
    throw error
  }
}

async function noBranch(store: Store, { url }: Remote): Promise<RowbackError> {
  const branches = await store.branches()
  const there = branches.length > 0 ? `its branches are ${branches.join(', ')}` : 'it has no branch at all'
  const message = `clone ${redactUrl(url)}: it has no branch ${store.branch}, ${there}`
  return new RowbackError('remote', message, { hint: 'name the branch by the setting "branch"' })
}
