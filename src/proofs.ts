/**
 * What was proved in a repository, so that it is not proved again: `rowback/proved` in its git directory, a claim a
 * line. It is a cache and may be deleted at any time. A claim is about ids, which name content, so it stays true for
 * ever; that git still holds that content intact is trusted here, and checked by `src/sound.ts`.
 */

import { createHash } from 'node:crypto'
import { appendFile, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { FileEntry } from './assets/manifest.ts'
import type { ManifestDatabase } from './dump/manifest.ts'
import { diskErrnos, errorText, hasErrno, RowbackError } from './errors.ts'
import { makeFolders } from './folders.ts'
import type { Store } from './git/store.ts'
import type { TreeEntry } from './git/tree.ts'

/** The claim that the root tree of a commit restores. */
export function treeClaim(tree: string): string {
  return `tree ${tree}`
}

/**
 * The claim that a database with these files, dumped with the settings of its manifest entry, comes back as it is, with
 * the tables of that entry. The name of its folder is no part of it.
 */
export function databaseClaim(
  folder: string,
  files: Iterable<TreeEntry>,
  { fullText, excludedTables, tables }: ManifestDatabase,
): string {
  const listed = [...files].map(({ path, mode, oid }) => [path.slice(folder.length), mode, oid])
  const facts = JSON.stringify([fullText, excludedTables, tables, listed])
  return `database ${createHash('sha256').update(facts).digest('hex')}`
}

/** The claim that a blob has that size and that SHA-256. */
export function assetClaim(oid: string, { size, sha256 }: Pick<FileEntry, 'size' | 'sha256'>): string {
  return `asset ${oid} ${size} ${sha256}`
}

/** The claims of one repository. */
export class Proofs {
  private readonly file: string
  private readonly claims: Set<string>
  private readonly trusted: boolean

  private constructor(file: string, claims: Set<string>, trusted: boolean) {
    this.file = file
    this.claims = claims
    this.trusted = trusted
  }

  /** Reads the claims so far; without `trusted` none of them counts, and new ones are noted all the same. */
  static async read({ gitDir }: Store, { trusted }: { trusted: boolean }): Promise<Proofs> {
    const file = join(gitDir, 'rowback', 'proved')
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if (hasErrno(error, 'ENOENT')) return ''
      throw new RowbackError('repository', `read ${file}: ${errorText(error)}`, { cause: error })
    })
    return new Proofs(file, new Set(text.split('\n')), trusted)
  }

  has(claim: string): boolean {
    return this.trusted && this.claims.has(claim)
  }

  /** Remembers claims that were proved, where the repository can be written. */
  async note(...claims: readonly string[]): Promise<void> {
    const fresh = claims.filter((claim) => !this.claims.has(claim))
    for (const claim of fresh) this.claims.add(claim)
    if (fresh.length === 0) return
    try {
      await makeFolders(dirname(this.file))
      await appendFile(this.file, fresh.map((claim) => `${claim}\n`).join(''))
    } catch (error) {
      if (!hasErrno(error, ...diskErrnos)) throw error
    }
  }
}
