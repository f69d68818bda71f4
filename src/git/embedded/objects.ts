/** Reads the objects of a repository by isomorphic-git, which keeps each pack that it has touched in memory. */

import { constants } from 'node:buffer'
import { existsSync, writeSync } from 'node:fs'
import * as isomorphic from 'isomorphic-git'
import { errorText, hasErrno, RowbackError } from '../../errors.ts'
import { accessFault } from '../access-fault.ts'
import { checkOid } from '../cat-file.ts'
import { installGit } from '../engine.ts'
import { looseFile } from '../loose-object.ts'
import type { ObjectType } from '../objects.ts'
import { packedFiles, readOnlyFiles } from './files.ts'

export interface GitObject {
  type: ObjectType
  content: Buffer
}

/** What is read whole becomes a string, and longer ones do not exist. */
const longestObject = constants.MAX_STRING_LENGTH

/**
 * The largest pack in bytes: Node.js reads no longer file at once (fs.readFile), and isomorphic-git knows no offset behind it. The
 * largest object, too, as the size in its header is read in 32 bits.
 */
export const largestPack = 2 ** 31 - 1

export class EmbeddedObjects {
  readonly #gitDir: string
  readonly #isStrict: boolean
  /** What isomorphic-git remembers of packs and their indexes. */
  #cache: object = {}

  /** Where it is strict, a loose object that is damaged counts as damage though a pack has it, too. */
  constructor(gitDir: string, { isStrict = false } = {}) {
    this.#gitDir = gitDir
    this.#isStrict = isStrict
  }

  /** An object of whatever type. Throws RowbackError('repository') if it is missing or damaged. */
  async readAny(oid: string): Promise<GitObject> {
    checkOid(oid)
    try {
      const { type, object } = await this.#read(oid)
      return { type: type as ObjectType, content: asBuffer(object as Uint8Array) }
    } catch (error) {
      throw this.#unreadable(oid, error)
    }
  }

  async #read(oid: string): Promise<isomorphic.ReadObjectResult> {
    const read = (fs: isomorphic.FsClient) =>
      isomorphic.readObject({ ...this.source, fs, oid, format: 'content' })
    return read(readOnlyFiles).catch((error) => {
      // Git may have joined the packs since they were listed: then there is another one.
      if (isGone(error)) return read(readOnlyFiles)
      if (this.#isStrict) throw error
      return read(packedFiles).catch(() => {
        throw error
      })
    })
  }

  /**
   * The content. Throws RowbackError('repository') if the object is missing, damaged or of another type,
   * RowbackError('dump') if it is too long.
   */
  async read(oid: string, type: ObjectType, limitBytes = longestObject): Promise<Buffer> {
    const found = await this.readAny(oid)
    if (found.type !== type)
      throw new RowbackError('repository', `read object ${oid}: it is a ${found.type}, not a ${type}`)
    if (found.content.length > limitBytes)
      throw new RowbackError(
        'dump',
        `read object ${oid}: ${found.content.length} bytes are more than a dump has in one`,
      )
    return found.content
  }

  /** Appends a blob to an open file; see `Store.copyBlob`. */
  async copy(oid: string, file: number): Promise<void> {
    const content = await this.read(oid, 'blob', Number.POSITIVE_INFINITY)
    for (let at = 0; at < content.length; ) at += writeSync(file, content, at)
  }

  /** Sizes of blobs, in bytes, for which each has to be read; see `Store.blobSizes`. */
  async sizes(oids: readonly string[]): Promise<Map<string, number>> {
    const sizes = new Map<string, number>()
    for (const oid of oids)
      if (!sizes.has(oid)) sizes.set(oid, (await this.read(oid, 'blob', Number.POSITIVE_INFINITY)).length)
    return sizes
  }

  /** Whether there is such an object, be it damaged. */
  async has(oid: string): Promise<boolean> {
    return this.readAny(oid).then(
      () => true,
      ({ cause }: RowbackError) => !isCode(cause, 'NotFoundError'),
    )
  }

  /** The ids that begin with those digits, in lower case. */
  async startingWith(digits: string): Promise<string[]> {
    try {
      return [await isomorphic.expandOid({ ...this.source, oid: digits })]
    } catch (error) {
      if (error instanceof isomorphic.Errors.AmbiguousError) return error.data.matches
      if (isCode(error, 'NotFoundError')) return []
      throw this.#unreadable(digits, error)
    }
  }

  /** Forgets what is in memory. */
  async close(): Promise<void> {
    this.#cache = {}
  }

  /** What the functions of isomorphic-git take to read this repository and no other. */
  get source(): { fs: typeof readOnlyFiles; gitdir: string; cache: object } {
    return { fs: readOnlyFiles, gitdir: this.#gitDir, cache: this.#cache }
  }

  #unreadable(oid: string, error: unknown): RowbackError {
    if (!existsSync(this.#gitDir)) return goneRepository(this.#gitDir)
    const cause = isCode(error, 'NotFoundError')
      ? (accessFault(this.#gitDir, [looseFile(oid)]) ?? 'it is missing from the repository')
      : hasErrno(error, 'ERR_FS_FILE_TOO_LARGE')
        ? 'its pack has more than 2 GiB, which the embedded engine cannot read'
        : ownText(error)
    const hint = hasErrno(error, 'ERR_FS_FILE_TOO_LARGE') ? installGit : 'rowback verify'
    return new RowbackError('repository', `read object ${oid}: ${cause}`, { hint, cause: error })
  }
}

/** The error for a repository that was removed while it was open. */
export function goneRepository(gitDir: string): RowbackError {
  return new RowbackError('repository', `open repository ${gitDir}: it does not exist`)
}

/** Whether an object, or the pack it was in, is not there. */
function isGone(error: unknown): boolean {
  return isCode(error, 'NotFoundError', 'ENOENT') || /Could not read packfile/.test(errorText(error))
}

/** What isomorphic-git says, without the request to report it to its developers: a pack that is damaged is no bug of theirs. */
function ownText(error: unknown): string {
  return errorText(error instanceof isomorphic.Errors.InternalError ? error.data.message : error)
}

/** Whether isomorphic-git has thrown an error of that kind. */
export function isCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as { code?: string }).code ?? '')
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
