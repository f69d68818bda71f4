/** The `Store` of isomorphic-git, for machines without git. Each job is a module of its own; this is where they meet. */

import { existsSync } from 'node:fs'
import * as isomorphic from 'isomorphic-git'
import { errorText, RowbackError } from '../../errors.ts'
import { branchMoved, movedUnsynced } from '../branch-moved.ts'
import { type Commit, parseCommit, subjectOf } from '../commit.ts'
import { needsGit } from '../engine.ts'
import type { LogBounds, NewCommit, Store, TreeDifference, Writer } from '../store.ts'
import type { TreeEntry } from '../tree.ts'
import { PackWriter } from '../writer.ts'
import { durableFiles, settingFiles } from './files.ts'
import { importCommit } from './import-commit.ts'
import { EmbeddedObjects, goneRepository, largestPack } from './objects.ts'
import { listRefs, moveRef, RefMoved, readRef, removeRef } from './refs.ts'
import { resolveRevision } from './revision.ts'
import { diffTrees, listTree } from './trees.ts'
import { commitsFrom, longestCommit } from './walk.ts'

export class EmbeddedStore implements Store {
  readonly engine = 'embedded'
  readonly dir: string
  readonly gitDir: string
  readonly branch: string
  readonly remotes = []
  readonly objects: EmbeddedObjects

  /** Use `openStore` or `createStore`, which check what they are given. */
  constructor(dir: string, gitDir: string, branch: string) {
    this.dir = dir
    this.gitDir = gitDir
    this.branch = branch
    this.objects = new EmbeddedObjects(gitDir)
  }

  async tip(): Promise<string | undefined> {
    if (!existsSync(this.gitDir)) throw goneRepository(this.gitDir)
    try {
      const oid = await readRef(this.gitDir, `refs/heads/${this.branch}`)
      if (oid !== undefined) await this.objects.read(oid, 'commit', longestCommit)
      return oid
    } catch (error) {
      throw this.#error(`read branch ${this.branch} of ${this.dir}`, error)
    }
  }

  async branches(): Promise<string[]> {
    const refs = await this.refs('refs/heads/')
    return [...refs.keys()].map((name) => name.slice('refs/heads/'.length))
  }

  resolve(rev: string): Promise<string> {
    return resolveRevision(this, this.objects, rev)
  }

  async readCommit(oid: string): Promise<Commit> {
    return parseCommit(oid, await this.objects.read(oid, 'commit', longestCommit))
  }

  async *log(from: string, { limit, known }: LogBounds = {}): AsyncGenerator<Commit> {
    let left = limit ?? Number.POSITIVE_INFINITY
    if (left <= 0 || from === known) return
    const reached = known === undefined ? undefined : await this.#reachedBy(known)
    for await (const commit of commitsFrom(this.objects, from, (oid) => reached?.has(oid) ?? false)) {
      yield commit
      left -= 1
      if (left <= 0) return
    }
  }

  async listTree(treeish: string, under?: string): Promise<Map<string, TreeEntry>> {
    const oid = /^[0-9a-f]{40}$/.test(treeish) ? treeish : await this.resolve(treeish)
    return listTree(this.objects, oid, under)
  }

  diffTrees(from: string, to: string): Promise<TreeDifference> {
    return diffTrees(this.objects, from, to)
  }

  /** A partial clone is not opened by this engine. */
  async prefetch(): Promise<void> {}

  blobSizes(oids: readonly string[]): Promise<Map<string, number>> {
    return this.objects.sizes(oids)
  }

  readBlob(oid: string, limitBytes?: number): Promise<Buffer> {
    return this.objects.read(oid, 'blob', limitBytes)
  }

  copyBlob(oid: string, file: number): Promise<void> {
    return this.objects.copy(oid, file)
  }

  begin(): Writer {
    return new PackWriter(this, {
      importCommit: (session, commit, isWritten) => importCommit(this.objects, session, commit, isWritten),
      moveBranch: (oid, commit) => this.#moveBranch(oid, commit),
      checkSize: (bytes) => this.#checkSize(bytes),
    })
  }

  async config(key: string): Promise<string | undefined> {
    try {
      const value = await isomorphic.getConfig({ fs: settingFiles, gitdir: this.gitDir, path: key })
      return value === undefined ? undefined : String(value)
    } catch (error) {
      throw this.#error(`read setting ${key} of ${this.dir}`, error)
    }
  }

  async setConfig(key: string, value: string): Promise<void> {
    try {
      if (!/^[a-z][a-z0-9-]*\.(?:.+\.)?[a-z][a-z0-9-]*$/i.test(key))
        throw new Error('key does not contain a section')
      await isomorphic.setConfig({ fs: durableFiles, gitdir: this.gitDir, path: key, value })
    } catch (error) {
      throw this.#error(`write setting ${key} of ${this.dir}`, error)
    }
  }

  async setRef(ref: string, oid: string): Promise<void> {
    await moveRef(this.gitDir, { ref, oid }).catch((error) => {
      throw this.#error(`write ${ref} of ${this.dir}`, error)
    })
  }

  async refs(folder: string): Promise<Map<string, string>> {
    return await listRefs(this.gitDir, folder).catch((error) => {
      throw this.#error(`read ${folder} of ${this.dir}`, error)
    })
  }

  async deleteRef(ref: string): Promise<void> {
    await removeRef(this.gitDir, ref).catch((error) => {
      throw this.#error(`write ${ref} of ${this.dir}`, error)
    })
  }

  close(): Promise<void> {
    return this.objects.close()
  }

  async #reachedBy(from: string): Promise<Set<string>> {
    const reached = new Set<string>()
    for await (const { oid } of commitsFrom(this.objects, from)) reached.add(oid)
    return reached
  }

  async #moveBranch(oid: string, { parent, author, message }: NewCommit): Promise<void> {
    const ref = `refs/heads/${this.branch}`
    const setting = await this.config('core.logAllRefUpdates')
    const log = { message: `backup: ${subjectOf(message)}`, by: author, setting }
    try {
      await moveRef(this.gitDir, { ref, oid, expected: parent ?? null, log })
    } catch (error) {
      if (error instanceof RefMoved) throw branchMoved(this, error.tip, parent)
      if ((await this.tip().catch(() => undefined)) === oid) throw movedUnsynced(this, oid, error)
      const isLocked = /File exists/.test(errorText(error))
      throw new RowbackError(
        'repository',
        `write ${this.dir}: ${errorText(error)}; the last commit is intact`,
        {
          hint: isLocked ? 'run the backup again when no other git is at work there' : undefined,
          cause: error,
        },
      )
    }
  }

  #checkSize(bytes: number): void {
    if (bytes <= largestPack) return
    const why = 'the commit has more than 2 GiB in one pack or file'
    throw needsGit('repository', `write ${this.dir}`, why)
  }

  #error(what: string, error: unknown): RowbackError {
    return new RowbackError('repository', `${what}: ${errorText(error)}`, {
      hint: 'rowback verify',
      cause: error,
    })
  }
}
