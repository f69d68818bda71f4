/** Reads objects through one long-lived `git cat-file --batch`: requests are pipelined, replies come in order. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RowbackError } from '../errors.ts'
import { accessFault } from './access-fault.ts'
import { ByteReader } from './byte-reader.ts'
import { looseFile } from './loose-object.ts'
import { copyObject, type ObjectType, readObject } from './objects.ts'
import type { Remote } from './remote-url.ts'
import { GitClosed, type GitProcess, git, gitCause, mapsLittle, startGit } from './run.ts'

/** A setting with which git hands a large blob on piece by piece. */
const streamsLarge = ['-c', 'core.bigFileThreshold=16m']

interface Batch {
  process: GitProcess
  bytes: ByteReader
  /** Settles when every reply requested so far has been read. */
  idle: Promise<unknown>
}

/** Git starts with the first request, and again if a damaged object has ended it. */
export class CatFile {
  readonly #gitDir: string
  readonly #remotes: readonly Remote[]
  #batch: Batch | undefined
  /** Of a partial clone: where missing objects come from, and those that were seen to be here. */
  #promisor: Promise<Remote | undefined> | undefined
  readonly #present = new Set<string>()

  /** `remotes` are those whose password variables are known. */
  constructor(gitDir: string, remotes: readonly Remote[]) {
    this.#gitDir = gitDir
    this.#remotes = remotes
  }

  /**
   * The content. Throws RowbackError('repository') if the object is missing, damaged or of another type,
   * RowbackError('dump') if it is too long.
   */
  read(oid: string, type: ObjectType, limitBytes?: number): Promise<Buffer> {
    return this.#request(oid, (bytes) => readObject(bytes, oid, type, limitBytes))
  }

  /** Appends a blob to an open file; see `Store.copyBlob`. */
  copy(oid: string, file: number): Promise<void> {
    return this.#request(oid, (bytes) => copyObject(bytes, oid, 'blob', file))
  }

  /** Sizes of blobs, in bytes; see `Store.blobSizes`. */
  async sizes(oids: readonly string[]): Promise<Map<string, number>> {
    for (const oid of oids) checkOid(oid)
    await this.prefetch(oids)
    const args = [
      ...mapsLittle,
      'cat-file',
      '--buffer',
      '--batch-check=%(objectname) %(objecttype) %(objectsize)',
    ]
    const found = await git(this.#gitDir, args, { input: oids.map((oid) => `${oid}\n`).join('') })
    if (found.code !== 0) throw this.#unreadable('read object sizes', gitCause(found))
    const lines = found.stdout.toString().split('\n').slice(0, -1)
    return new Map(lines.map((line) => this.#blobSize(line)))
  }

  /** Fetches what a partial clone lacks of those objects; see `Store.prefetch`. */
  async prefetch(oids: readonly string[]): Promise<void> {
    this.#promisor ??= readPromisor(this.#gitDir, this.#remotes)
    const promisor = await this.#promisor
    if (promisor === undefined) return
    const unseen = oids.filter((oid) => !this.#present.has(oid))
    if (unseen.length === 0) return
    const { fetchMissing } = await import('./partial-clone.ts')
    await fetchMissing(this.#gitDir, promisor, unseen)
    for (const oid of unseen) this.#present.add(oid)
  }

  async close(): Promise<void> {
    const batch = this.#batch
    this.#batch = undefined
    if (!batch) return
    await batch.idle
    batch.process.stdin.end()
    await batch.process.ended
  }

  async #request<T>(oid: string, readReply: (bytes: ByteReader) => Promise<T>): Promise<T> {
    checkOid(oid)
    await this.prefetch([oid])
    this.#batch ??= this.#start()
    const batch = this.#batch
    batch.process.stdin.write(`${oid}\n`)
    const reply = batch.idle.then(() => readReply(batch.bytes))
    batch.idle = reply.catch(() => {})
    try {
      return await reply
    } catch (error) {
      if (error instanceof GitClosed) throw await this.#closed(oid, batch)
      if (error instanceof RowbackError) throw this.#explained(error, oid)
      throw error
    }
  }

  #start(): Batch {
    const child = startGit(this.#gitDir, [...mapsLittle, ...streamsLarge, 'cat-file', '--batch'])
    const batch = { process: child, bytes: new ByteReader(child.stdout), idle: Promise.resolve() }
    const forget = () => {
      if (this.#batch === batch) this.#batch = undefined
    }
    child.ended.then(forget, forget)
    return batch
  }

  async #closed(oid: string, batch: Batch): Promise<RowbackError> {
    return this.#unreadable(`read object ${oid}`, gitCause(await batch.process.ended))
  }

  #blobSize(line: string): [oid: string, size: number] {
    const [oid = '', type, size] = line.split(' ')
    if (type === 'blob') return [oid, Number(size)]
    throw this.#unreadable(
      `read object ${oid}`,
      type === 'missing'
        ? (accessFault(this.#gitDir, [looseFile(oid)]) ?? 'it is missing')
        : `it is a ${type}, not a blob`,
    )
  }

  #explained(error: RowbackError, oid: string): RowbackError {
    const fault = error.code === 'repository' ? accessFault(this.#gitDir, [looseFile(oid)]) : undefined
    return fault === undefined ? this.#withHint(error) : this.#unreadable(`read object ${oid}`, fault)
  }

  #unreadable(what: string, cause: string): RowbackError {
    return this.#withHint(new RowbackError('repository', `${what}: ${cause}`))
  }

  #withHint({ code, message, cause }: RowbackError): RowbackError {
    return new RowbackError(code, message, { hint: 'rowback verify', cause })
  }
}

/** Most repositories are complete, and git is not started to learn that. */
async function readPromisor(gitDir: string, remotes: readonly Remote[]): Promise<Remote | undefined> {
  const settings = await readFile(join(gitDir, 'config'), 'utf8').catch(() => '')
  if (!/^\s*promisor\b/im.test(settings)) return undefined
  const { promisorOf } = await import('./partial-clone.ts')
  const promisor = await promisorOf(gitDir)
  if (promisor === undefined) return undefined
  return remotes.find(({ url }) => url === promisor) ?? { url: promisor }
}

/** Anything else would be another question to git, or the path of another file. */
export function checkOid(oid: string): void {
  if (!/^[0-9a-f]{40}$/.test(oid))
    throw new RowbackError('fault', `read object ${JSON.stringify(oid)}: it is no object id`)
}
