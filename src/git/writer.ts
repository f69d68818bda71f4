/** Writes one commit: blobs go to a private session, and nothing reaches the repository before all is complete. */

import { type FileHandle, open } from 'node:fs/promises'
import { errorText, RowbackError } from '../errors.ts'
import { BlobPack, type SizeCheck } from './blob-pack.ts'
import { branchMoved } from './branch-moved.ts'
import { makeSession, packFolder, publishObjects } from './session.ts'
import type { NewCommit, Store, Writer } from './store.ts'
import { removeWorkDir } from './work-dir.ts'

/** What the engines do each in their own way. */
export interface CommitSteps {
  /**
   * Writes the trees and the commit as a pack of a session's repository, and returns the commit's id; `isWritten` says
   * whether a blob is one of the session. Throws an Error whose text is the cause.
   */
  importCommit(session: string, commit: NewCommit, isWritten: (oid: string) => boolean): Promise<string>
  /**
   * Moves the branch from the commit's parent to `oid`, in one step. Throws RowbackError('repository') if it is anywhere
   * else by now, or cannot be moved.
   */
  moveBranch(oid: string, commit: NewCommit): Promise<void>
  /** Throws RowbackError('repository') for a pack or blob that the engine could not read. */
  checkSize?: SizeCheck
}

/** The `Writer` of both engines: a pack of blobs, and one of trees and the commit. */
export class PackWriter implements Writer {
  readonly #store: Store
  readonly #steps: CommitSteps
  /** Ids of the blobs of this session. */
  readonly #written = new Set<string>()
  #session: string | undefined
  #blobs: BlobPack | undefined
  /** Settles when all writes so far are done. */
  #wrote: Promise<unknown> = Promise.resolve()
  /** Settles when all calls so far are done. */
  #idle: Promise<unknown> = Promise.resolve()
  /** Why there are no more writes. */
  #over: RowbackError | undefined

  constructor(store: Store, steps: CommitSteps) {
    this.#store = store
    this.#steps = steps
  }

  writeBlob(oid: string, content: Buffer): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#written.has(oid)) return
      await (await this.#blobPack()).add(oid, content)
      this.#written.add(oid)
    })
  }

  async writeFile(oid: string, path: string, size: number): Promise<void> {
    const isSame = await this.#inOrder(async () => {
      if (this.#written.has(oid)) return true
      const file = await open(path).catch(() => undefined)
      if (!file) return false
      const isSame = await this.#addFile(oid, file, size)
      if (isSame) this.#written.add(oid)
      return isSame
    })
    if (!isSame) throw new RowbackError('source', `read ${path}: it changed while it was read, or it is gone`)
  }

  async readBlob(oid: string): Promise<Buffer> {
    const read = this.#wrote.then(() => this.#orEnd(async () => this.#blobs?.read(oid)))
    // Without what they give: each would hold all that were read before it.
    this.#idle = Promise.allSettled([this.#idle, read]).then(() => {})
    return (await read) ?? (await this.#store.readBlob(oid))
  }

  async commit(commit: NewCommit, accept?: (oid: string) => Promise<void>): Promise<string> {
    const oid = await this.#inOrder(async () => {
      if (commit.ref === undefined) await this.#expectTip(commit.parent)
      const session = await this.#openSession()
      await this.#blobs?.finish()
      const written = await this.#steps.importCommit(session, commit, (oid) => this.#written.has(oid))
      await publishObjects(session, this.#store.gitDir)
      this.#over = this.#overBecause('it has ended with a commit')
      await this.#clear()
      return written
    })
    await accept?.(oid)
    if (commit.ref === undefined) await this.#steps.moveBranch(oid, commit)
    else await this.#store.setRef(commit.ref, oid)
    return oid
  }

  async abort(): Promise<void> {
    if (this.#over) return
    this.#over = this.#overBecause('it was aborted')
    await this.#idle
    await this.#clear()
  }

  async #openSession(): Promise<string> {
    this.#session ??= await makeSession(this.#store.gitDir)
    return this.#session
  }

  async #blobPack(): Promise<BlobPack> {
    this.#blobs ??= await BlobPack.create(packFolder(await this.#openSession()), this.#steps.checkSize)
    return this.#blobs
  }

  async #addFile(oid: string, file: FileHandle, size: number): Promise<boolean> {
    try {
      return await (await this.#blobPack()).addFile(oid, file, size)
    } finally {
      await file.close()
    }
  }

  /** Runs a step that writes when all before are done; a pack takes one blob after another. */
  #inOrder<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#idle.then(() => this.#orEnd(step))
    this.#wrote = result.catch(() => {})
    this.#idle = this.#wrote
    return result
  }

  async #orEnd<T>(step: () => Promise<T>): Promise<T> {
    if (this.#over) throw this.#over
    try {
      return await step()
    } catch (error) {
      this.#over ??= this.#failure(error)
      await this.#clear()
      throw this.#over
    }
  }

  #failure(error: unknown): RowbackError {
    if (error instanceof RowbackError) return error
    return new RowbackError(
      'repository',
      `write ${this.#store.dir}: ${errorText(error)}; the last commit is intact`,
      { cause: error },
    )
  }

  #overBecause(cause: string): RowbackError {
    return new RowbackError('fault', `write ${this.#store.dir}: the session is over, ${cause}`)
  }

  async #clear(): Promise<void> {
    await this.#blobs?.close()
    if (this.#session) await removeWorkDir(this.#session)
  }

  async #expectTip(parent: string | undefined): Promise<void> {
    const tip = await this.#store.tip()
    if (tip !== parent) throw branchMoved(this.#store, tip, parent)
  }
}
