/**
 * Looks at the commits of a remote that a repository lacks: it must not be pushed over them, and whoever reads that
 * wants to know whose they are. Nothing of them gets into the repository.
 */

import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RowbackError } from '../errors.ts'
import { shellWord } from '../shell.ts'
import { withTemporaryFolder } from '../temporary-folder.ts'
import { fromFirst } from './fetch.ts'
import { addOwnRemote, ownRemote } from './own-remote.ts'
import type { SettledRemote } from './remote-address.ts'
import { remoteEnv } from './remote-env.ts'
import { redactUrl } from './remote-url.ts'
import { git, startGit } from './run.ts'
import { packFolder } from './session.ts'
import type { Store } from './store.ts'

export interface ForeignCommit {
  commit: string
  author: string
  /** When it was made, in seconds since 1970. */
  time: number
  subject: string
}

/** What a remote has beyond a repository. */
export interface Foreign {
  /** Newest first; undefined where they could not be read. */
  commits: ForeignCommit[] | undefined
  /** Whether the histories have a commit in common. */
  related: boolean
}

/** Commits alone are small, but a server that cannot leave out files (`uploadpack.allowFilter`) sends these, too. */
const mostBytes = 2 ** 26

/** More than these are not looked at. */
const mostCommits = 1000

/**
 * What the remote's branch, which points at `theirs`, has beyond `ours`; undefined if that is nothing.
 * Throws RowbackError('usage') for a password variable that is not set.
 */
export async function foreignCommits(
  store: Store,
  remote: SettledRemote,
  branch: string,
  { ours, theirs }: { ours: string; theirs: string },
): Promise<Foreign | undefined> {
  if (store.engine === 'embedded') return readForeignHere(store, ours, theirs)
  const { code } = await git(store.gitDir, ['merge-base', '--is-ancestor', theirs, ours])
  if (code === 0) return undefined
  // It is here, as where a branch was moved back.
  if (code === 1) return readForeign(store.gitDir, ours, theirs)
  const unread = { commits: undefined, related: false }
  try {
    return await withTemporaryFolder('remote', async (dir) => {
      const fetched = await fetchCommits(dir, store, remote, branch)
      return fetched ? readForeign(dir, ours, theirs) : unread
    })
  } catch (error) {
    if (error instanceof RowbackError && error.code === 'target') return unread
    throw error
  }
}

/** Without git only commits that are here are looked at. */
async function readForeignHere(store: Store, ours: string, theirs: string): Promise<Foreign | undefined> {
  const own = new Set<string>()
  for await (const { oid } of store.log(ours)) own.add(oid)
  if (own.has(theirs)) return undefined
  const foreign: Foreign = { commits: [], related: false }
  try {
    for await (const { oid, author, subject } of store.log(theirs)) {
      if (own.has(oid)) foreign.related = true
      else if ((foreign.commits?.length ?? 0) < mostCommits)
        foreign.commits?.push({
          commit: oid,
          author: `${author.name} <${author.email}>`,
          time: author.time,
          subject,
        })
    }
  } catch (error) {
    if (!(error instanceof RowbackError)) throw error
    return { commits: undefined, related: false }
  }
  return foreign
}

/** Fetches the branch into a new repository at `dir` that borrows the store's objects; false if that did not work. */
async function fetchCommits(
  dir: string,
  store: Store,
  remote: SettledRemote,
  branch: string,
): Promise<boolean> {
  const made = await git(dir, ['init', '--quiet', '--bare', '--template=', dir])
  if (made.code !== 0) return false
  await writeFile(join(dir, 'objects', 'info', 'alternates'), `${join(store.gitDir, 'objects')}\n`)
  const only = ['--quiet', '--no-tags', '--no-auto-maintenance', '--filter=tree:0', fromFirst]
  const refs = `+refs/heads/${branch}:refs/heads/theirs`
  // By a name, as git takes no path for the remote that files are left at.
  await addOwnRemote(dir, remote)
  const fetch = startGit(dir, ['fetch', ...only, ownRemote, refs], await remoteEnv(dir, remote))
  fetch.stdout.resume()
  const watch = setInterval(async () => {
    if ((await packBytes(dir)) > mostBytes) fetch.kill()
  }, 200)
  const { code } = await fetch.ended.finally(() => clearInterval(watch))
  return code === 0
}

async function packBytes(dir: string): Promise<number> {
  const files = await readdir(packFolder(dir)).catch(() => [])
  const sizes = files.map(async (file) => {
    const stats = await stat(join(packFolder(dir), file)).catch(() => undefined)
    return stats?.size ?? 0
  })
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

async function readForeign(gitDir: string, ours: string, theirs: string): Promise<Foreign> {
  const format = '--format=%H%x00%an <%ae>%x00%ct%x00%s%x00'
  const only = [`--max-count=${mostCommits}`, '--no-show-signature', '--encoding=UTF-8']
  const log = await git(gitDir, ['log', ...only, format, theirs, `^${ours}`, '--'])
  const related = (await git(gitDir, ['merge-base', ours, theirs])).code === 0
  if (log.code !== 0) return { commits: undefined, related }
  const fields = log.stdout.toString().split('\0')
  const commits: ForeignCommit[] = []
  for (let i = 0; i + 3 < fields.length; i += 4) {
    const [commit = '', author = '', time, subject = ''] = fields.slice(i, i + 4)
    commits.push({ commit: commit.trim(), author, time: Number(time), subject })
  }
  return { commits, related }
}

/** Which commits they are, by whom and since when, as the cause of a message. */
export function foreignCause({ commits, related }: Foreign): string {
  const what = 'that this repository lacks'
  const [last] = commits ?? []
  const first = commits?.at(-1)
  if (!commits || !last || !first) return `the remote has commits ${what}`
  const named = `${last.commit.slice(0, 10)} ${JSON.stringify(last.subject)} by ${last.author}`
  const apart = related ? '' : ', in a history of its own'
  if (commits.length === 1)
    return `the remote has a commit ${what}${apart}: ${named}, of ${utcTime(last.time)}`
  const count = commits.length < mostCommits ? String(commits.length) : `${mostCommits} or more`
  const times = `the first of ${utcTime(first.time)}, the last of ${utcTime(last.time)}`
  return `the remote has ${count} commits ${what}${apart}, ${times}: ${named}`
}

function utcTime(time: number): string {
  return `${new Date(time * 1000).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

/** What helps where a remote has such commits. */
export function foreignHint(url: string): string {
  return `rowback clone ${shellWord(redactUrl(url))} DIR goes on from there; else give this machine a branch of its own by the setting "branch"`
}
