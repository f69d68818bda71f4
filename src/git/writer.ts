/** Writes one commit: blobs go to a private session, and nothing reaches the repository before all is complete. */

import { type FileHandle, open, rm } from 'node:fs/promises'
import { errorText, RowbackError } from '../errors.ts'
import { branchMoved, moveBranch } from './branch.ts'
import { FastImport } from './fast-import.ts'
import { GitClosed, gitCause } from './run.ts'
import { makeSession, publishObjects } from './session.ts'
import type { NewCommit, Store, Writer } from './store.ts'

/** The `Writer` of the git binary. fast-import starts with the first write. */
export class NativeWriter implements Writer {
  readonly #store: Store
  /** Ids of the blobs of this session. */
  readonly #written = new Set<string>()
  #session: string | undefined
  #import: FastImport | undefined
  /** Settles when all calls so far are done. */
  #idle: Promise<unknown> = Promise.resolve()
  /** Why there are no more writes. */
  #over: RowbackError | undefined

  constructor(store: Store) {
    this.#store = store
  }

  writeBlob(oid: string, content: Buffer): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#written.has(oid)) return
      await (await this.#fastImport()).writeBlob(content)
      this.#written.add(oid)
    })
  }

  async writeFile(oid: string, path: string, size: number): Promise<void> {
    const isSame = await this.#inOrder(async () => {
      if (this.#written.has(oid)) return true
      const file = await open(path).catch(() => undefined)
      if (!file) return false
      const found = await this.#importFile(file, size)
      this.#written.add(found)
      return found === oid
    })
    if (!isSame) throw new RowbackError('source', `read ${path}: it changed while it was read, or it is gone`)
  }

  async readBlob(oid: string): Promise<Buffer> {
    const own = await this.#inOrder(async () =>
      this.#written.has(oid) ? (await this.#fastImport()).readBlob(oid) : undefined,
    )
    return own ?? (await this.#store.readBlob(oid))
  }

  async commit(commit: NewCommit, accept?: (oid: string) => Promise<void>): Promise<string> {
    const oid = await this.#inOrder(async () => {
      await this.#expectTip(commit.parent)
      const fastImport = await this.#fastImport()
      const written = await fastImport.commit(commit)
      await fastImport.finish()
      await publishObjects(this.#session as string, this.#store.gitDir)
      this.#over = this.#overBecause('it has ended with a commit')
      await this.#clear()
      return written
    })
    await accept?.(oid)
    await moveBranch(this.#store, oid, commit)
    return oid
  }

  async abort(): Promise<void> {
    if (this.#over) return
    this.#over = this.#overBecause('it was aborted')
    this.#import?.process.kill()
    await this.#idle
    await this.#clear()
  }

  async #fastImport(): Promise<FastImport> {
    this.#session ??= await makeSession(this.#store.gitDir)
    this.#import ??= new FastImport(this.#session)
    return this.#import
  }

  async #importFile(file: FileHandle, size: number): Promise<string> {
    try {
      return await (await this.#fastImport()).writeFile(file, size)
    } finally {
      await file.close()
    }
  }

  /** Runs one step when those before are done; calls that overlapped would mix their data on git's input. */
  #inOrder<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#idle.then(() => this.#orEnd(step))
    this.#idle = result.catch(() => {})
    return result
  }

  async #orEnd<T>(step: () => Promise<T>): Promise<T> {
    if (this.#over) throw this.#over
    try {
      return await step()
    } catch (error) {
      this.#over ??= await this.#failure(error)
      await this.#clear()
      throw this.#over
    }
  }

  async #failure(error: unknown): Promise<RowbackError> {
    if (error instanceof RowbackError) return error
    const end = error instanceof GitClosed ? await this.#import?.process.ended : undefined
    const cause = end ? gitCause(end) : errorText(error)
    return new RowbackError('repository', `write ${this.#store.dir}: ${cause}; the last commit is intact`, {
      cause: error,
    })
  }

  #overBecause(cause: string): RowbackError {
    return new RowbackError('fault', `write ${this.#store.dir}: the session is over, ${cause}`)
  }

  async #clear(): Promise<void> {
    this.#import?.process.kill()
    await this.#import?.process.ended.catch(() => {})
    if (this.#session) await rm(this.#session, { recursive: true, force: true })
  }

  async #expectTip(parent: string | undefined): Promise<void> {
    const tip = await this.#store.tip()
    if (tip !== parent) throw branchMoved(this.#store, tip, parent)
  }
}
