/** The branch that holds the backups, and other refs. */

import { existsSync } from 'node:fs'
import { devNull } from 'node:os'
import { dirname, join } from 'node:path'
import { syncDirectory, syncFile } from '../durable.ts'
import { RowbackError } from '../errors.ts'
import { branchMoved, movedUnsynced } from './branch-moved.ts'
import { type Identity, subjectOf } from './commit.ts'
import { gitEnv } from './env.ts'
import { type GitEnd, git, gitCause } from './run.ts'
import type { NewCommit, Store } from './store.ts'

/** How long a lock of another git is waited for. Git's own 100 ms are too short while that joins refs. */
const patience = ['core.filesRefLockTimeout=10000', 'core.packedRefsTimeout=10000']

const noCommit = '0'.repeat(40)

/**
 * The commit that a branch points at, or undefined if there is no such branch. Throws RowbackError('repository') if
 * the branch is broken, as it may be after a power cut: that must not pass for a branch without commits.
 */
export async function branchTip({ gitDir, dir, branch }: Store): Promise<string | undefined> {
  const ref = `refs/heads/${branch}`
  const listed = await git(gitDir, ['for-each-ref', '--format=%(refname) %(objectname) %(objecttype)', ref])
  // Git also lists the branches below a folder of that name.
  const lines = listed.stdout.toString().split('\n')
  const [, oid, type] = lines.find((line) => line.startsWith(`${ref} `))?.split(' ') ?? []
  if (listed.code === 0 && listed.stderr === '' && !oid) return undefined
  if (listed.code === 0 && type === 'commit') return oid
  throw new RowbackError('repository', `read branch ${branch} of ${dir}: ${gitCause(listed)}`, {
    hint: 'rowback verify',
  })
}

/**
 * Moves the branch from the commit's parent to `oid`, in one step. Throws RowbackError('repository') if it is
 * anywhere else by now, or cannot be moved; where it has moved all the same, or that cannot be read any more, the error
 * says so.
 */
export async function moveBranch(
  store: Store,
  oid: string,
  { parent, author, message }: NewCommit,
): Promise<void> {
  const log = ['-m', `backup: ${subjectOf(message)}`]
  const move = [...log, `refs/heads/${store.branch}`, oid, parent ?? noCommit]
  const moved = await updateRef(store, move, author)
  if (moved.code === 0) return syncBranch(store, oid)
  const tip = await branchTip(store).catch((cause) => {
    throw new RowbackError(
      'repository',
      `write ${store.dir}: ${gitCause(moved)}; whether branch ${store.branch} has moved to ${oid.slice(0, 12)} cannot be read`,
      { hint: 'run the backup again when the repository can be read', cause },
    )
  })
  // The branch comes before the reflog of HEAD, for which there may be no room left.
  if (tip === oid) return syncBranch(store, oid)
  if (tip !== parent) throw branchMoved(store, tip, parent)
  const isLocked = /Unable to create '.+\.lock': File exists/.test(moved.stderr)
  throw new RowbackError('repository', `write ${store.dir}: ${gitCause(moved)}; the last commit is intact`, {
    hint: isLocked ? 'run the backup again when no other git is at work there' : undefined,
  })
}

/** Git syncs the content of a ref, not its name. A repository may keep its refs elsewhere than in files. */
async function syncBranch(store: Store, oid: string): Promise<void> {
  const folder = dirname(join(store.gitDir, 'refs', 'heads', store.branch))
  if (!existsSync(folder)) return
  try {
    await syncDirectory(folder)
  } catch (cause) {
    throw movedUnsynced(store, oid, cause)
  }
}

/** Makes a branch the one that HEAD names, durably: git does not sync that file, and without it there is no repository. */
export async function pointHead({ gitDir, dir }: Store, branch: string): Promise<void> {
  const pointed = await git(gitDir, ['symbolic-ref', 'HEAD', `refs/heads/${branch}`])
  if (pointed.code !== 0) throw new RowbackError('repository', `write HEAD of ${dir}: ${gitCause(pointed)}`)
  await syncFile(join(gitDir, 'HEAD'))
}

/** Points a ref at a commit; see `Store.setRef`. */
export async function setRef(store: Store, ref: string, oid: string): Promise<void> {
  const set = await updateRef(store, [ref, oid], { name: 'Rowback', email: 'rowback@localhost' })
  if (set.code === 0) return
  throw new RowbackError('repository', `write ${ref} of ${store.dir}: ${gitCause(set)}`)
}

/** The refs below a folder; see `Store.refs`. */
export async function listRefs({ gitDir, dir }: Store, folder: string): Promise<Map<string, string>> {
  const listed = await git(gitDir, ['for-each-ref', '--format=%(refname) %(objectname)', folder])
  if (listed.code !== 0)
    throw new RowbackError('repository', `read ${folder} of ${dir}: ${gitCause(listed)}`, {
      hint: 'rowback verify',
    })
  const lines = listed.stdout.toString().split('\n').slice(0, -1)
  return new Map(lines.map((line) => line.split(' ') as [string, string]))
}

/** The refs whose files hold no id, as after a power cut. Symbolic ones that lead nowhere are none of them. */
export async function brokenRefs(gitDir: string): Promise<string[]> {
  const { stderr } = await git(gitDir, ['for-each-ref', '--format=%(refname)'])
  return [...stderr.matchAll(/^warning: ignoring broken ref (\S+)$/gm)].map(([, ref]) => ref as string)
}

/** Removes a ref; see `Store.deleteRef`. */
export async function deleteRef(store: Store, ref: string): Promise<void> {
  const deleted = await updateRef(store, ['-d', ref], { name: 'Rowback', email: 'rowback@localhost' })
  if (deleted.code === 0) return
  throw new RowbackError('repository', `write ${ref} of ${store.dir}: ${gitCause(deleted)}`)
}

function updateRef({ gitDir }: Store, args: readonly string[], { name, email }: Identity): Promise<GitEnd> {
  // The identity is for the reflog: without one, git fails where the user has no name, as in containers.
  const env = { ...gitEnv(), GIT_COMMITTER_NAME: name, GIT_COMMITTER_EMAIL: email }
  const settings = ['core.fsync=all', `core.hooksPath=${devNull}`, ...patience].flatMap((each) => [
    '-c',
    each,
  ])
  return git(gitDir, [...settings, 'update-ref', ...args], { env })
}
