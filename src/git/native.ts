/** The `Store` of the git binary. Each job is a module of its own; this is where they meet. */

import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { draftBeside } from '../drafts.ts'
import { syncDirectory, syncFile } from '../durable.ts'
import { errorText, RowbackError } from '../errors.ts'
import { branchTip, deleteRef, listRefs, moveBranch, setRef } from './branch.ts'
import { ByteReader } from './byte-reader.ts'
import { CatFile } from './cat-file.ts'
import { type Commit, parseCommit } from './commit.ts'
import { diffTrees } from './diff-tree.ts'
import { importCommit } from './fast-import.ts'
import { listTree } from './ls-tree.ts'
import type { Remote } from './remote-url.ts'
import { resolveRevision } from './revision.ts'
import { type GitEnd, git, gitCause, startGit } from './run.ts'
import type { LogBounds, NewCommit, Store, TreeDifference, Writer } from './store.ts'
import type { TreeEntry } from './tree.ts'
import { PackWriter } from './writer.ts'

/** The longest commit that is read, in bytes: a line for each of a hundred thousand tables. */
const longestCommit = 2 ** 24

export class NativeStore implements Store {
  readonly engine = 'native'
  readonly dir: string
  readonly gitDir: string
  readonly branch: string
  readonly remotes: readonly Remote[]
  readonly #objects: CatFile

  /** Use `openStore` or `createStore`, which check what they are given. */
  constructor(dir: string, gitDir: string, branch: string, remotes: readonly Remote[] = []) {
    this.dir = dir
    this.gitDir = gitDir
    this.branch = branch
    this.remotes = remotes
    this.#objects = new CatFile(gitDir, remotes)
  }

  tip(): Promise<string | undefined> {
    return branchTip(this)
  }

  async branches(): Promise<string[]> {
    const listed = await git(this.gitDir, ['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/heads'])
    if (listed.code !== 0) throw this.#error(`read branches of ${this.dir}: ${gitCause(listed)}`)
    return listed.stdout.toString().split('\n').slice(0, -1)
  }

  resolve(rev: string): Promise<string> {
    return resolveRevision(this, rev)
  }

  async readCommit(oid: string): Promise<Commit> {
    return parseCommit(oid, await this.#objects.read(oid, 'commit', longestCommit))
  }

  async *log(from: string, { limit, known }: LogBounds = {}): AsyncGenerator<Commit> {
    const limits = limit === undefined ? [] : [`--max-count=${limit}`]
    const range = known === undefined ? [from] : [from, `^${known}`]
    const list = startGit(this.gitDir, ['rev-list', ...limits, '--end-of-options', ...range, '--'])
    try {
      const lines = new ByteReader(list.stdout)
      for (let oid = await lines.line(); oid !== undefined; oid = await lines.line())
        yield await this.readCommit(oid)
      const end = await list.ended
      if (end.code !== 0) throw this.#error(`read log of ${this.dir}: ${gitCause(end)}`)
    } finally {
      list.kill()
    }
  }

  listTree(treeish: string, under?: string): Promise<Map<string, TreeEntry>> {
    return listTree(this.gitDir, treeish, under)
  }

  diffTrees(from: string, to: string): Promise<TreeDifference> {
    return diffTrees(this.gitDir, from, to)
  }

  prefetch(oids: readonly string[]): Promise<void> {
    return this.#objects.prefetch(oids)
  }

  blobSizes(oids: readonly string[]): Promise<Map<string, number>> {
    return this.#objects.sizes(oids)
  }

  readBlob(oid: string, limitBytes?: number): Promise<Buffer> {
    return this.#objects.read(oid, 'blob', limitBytes)
  }

  copyBlob(oid: string, file: number): Promise<void> {
    return this.#objects.copy(oid, file)
  }

  begin(): Writer {
    return new PackWriter(this, {
      importCommit: writeCommit,
      moveBranch: (oid, commit) => moveBranch(this, oid, commit),
    })
  }

  async config(key: string): Promise<string | undefined> {
    const found = await git(this.gitDir, ['config', '--local', '--null', '--get', key])
    if (found.code === 0) return found.stdout.toString().slice(0, -1)
    // Of a file that it may not read, git warns, and takes it for one without settings.
    if (found.code === 1 && found.stderr === '') return undefined
    throw this.#error(`read setting ${key} of ${this.dir}: ${gitCause(found)}`)
  }

  async setConfig(key: string, value: string): Promise<void> {
    const set = await setDurably(this.gitDir, key, value)
    if (set.code !== 0) throw this.#error(`write setting ${key} of ${this.dir}: ${gitCause(set)}`)
  }

  setRef(ref: string, oid: string): Promise<void> {
    return setRef(this, ref, oid)
  }

  refs(folder: string): Promise<Map<string, string>> {
    return listRefs(this, folder)
  }

  deleteRef(ref: string): Promise<void> {
    return deleteRef(this, ref)
  }

  close(): Promise<void> {
    return this.#objects.close()
  }

  #error(message: string): RowbackError {
    return new RowbackError('repository', message, { hint: 'rowback verify' })
  }
}

/** `git config` renames a file that is not synced over the old one: a power cut may leave an empty one. */
async function setDurably(gitDir: string, key: string, value: string): Promise<GitEnd> {
  const file = join(gitDir, 'config')
  // A folder, as git makes a lock beside the file.
  const folder = draftBeside(file, 'new')
  const draft = join(folder, 'config')
  try {
    await mkdir(folder, { mode: 0o700 })
    await copyFile(file, draft)
    const set = await git(gitDir, ['config', '--file', draft, key, value])
    if (set.code !== 0) return set
    await syncFile(draft)
    await rename(draft, file)
    await syncDirectory(gitDir)
    return set
  } catch (error) {
    return { code: 1, stderr: errorText(error) }
  } finally {
    // Where that cannot be done, whoever takes the lock next does it.
    await rm(folder, { recursive: true, force: true }).catch(() => {})
  }
}

/** Loads what signs only where that is asked for. */
async function writeCommit(session: string, commit: NewCommit): Promise<string> {
  const unsigned = await importCommit(session, commit)
  if (commit.sign === undefined) return unsigned
  const { signCommit } = await import('./sign-commit.ts')
  return signCommit(session, unsigned, commit.sign)
}
