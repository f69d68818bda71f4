/** The seam between Rowback and the engine that reads and writes a git repository; types only. */

import type { Commit, Identity } from './commit.ts'
import type { Engine } from './engine.ts'
import type { Remote } from './remote-url.ts'
import type { SigningKey } from './sign.ts'
import type { TreeEntry } from './tree.ts'

/** What one tree has, and another has not or differently: each by path. */
export interface TreeDifference {
  before: Map<string, TreeEntry>
  after: Map<string, TreeEntry>
}

/** What a log is made of, beyond where it begins. */
export interface LogBounds {
  /** At most so many commits. */
  limit?: number | undefined
  /** A commit that is left out, with all that it reaches. */
  known?: string | undefined
}

/**
 * A git repository that is open, and the one branch of it that holds backups. Object ids are 40 hexadecimal digits.
 * Every method throws RowbackError('repository') when the repository cannot be read or written.
 */
export interface Store {
  readonly engine: Engine
  /** The repository as the user named it, for messages. */
  readonly dir: string
  /** The git directory itself (shared by all work trees); Rowback's own files are in its folder `rowback`. */
  readonly gitDir: string
  /** Name of the branch without `refs/heads/`. */
  readonly branch: string
  /** Those whose password variables let a partial clone fetch what it lacks. */
  readonly remotes: readonly Remote[]

  /** The commit that the branch points at; undefined if there is no such branch yet. A broken branch throws. */
  tip(): Promise<string | undefined>
  /** The names of all branches, without `refs/heads/`. */
  branches(): Promise<string[]>
  /**
   * The full id of the commit that `rev` names: any revision of gitrevisions(7), and `latest` for the tip of the
   * branch (`latest~2` too). Throws RowbackError('usage') if it names none.
   */
  resolve(rev: string): Promise<string>
  /** Throws RowbackError('repository') if there is no such commit. */
  readCommit(oid: string): Promise<Commit>
  /** Commits that `from` (a commit id) reaches, newest first. Throws if one is missing. */
  log(from: string, bounds?: LogBounds): AsyncGenerator<Commit>
  /**
   * Every file of a tree or commit, by path and in git's order: at every depth, and only below the path `under` (or
   * that one file) if given; empty if there is no such path. Throws RowbackError('repository') if there is no such
   * tree, RowbackError('dump') for what a dump never holds: submodules, unknown modes, paths that are not UTF-8, that stand
   * there twice or in no order, or take more than 256 MiB.
   */
  listTree(treeish: string, under?: string): Promise<Map<string, TreeEntry>>
  /** The files of two commits that are not the same in both. Throws as `listTree` does. */
  diffTrees(from: string, to: string): Promise<TreeDifference>
  /**
   * Fetches those of the objects that a partial clone lacks, at once; does nothing in a repository that is complete.
   * Throws RowbackError('remote') if the remote does not give them, RowbackError('usage') if its password variable is not
   * set. What reads blobs does the same.
   */
  prefetch(oids: readonly string[]): Promise<void>
  /** Sizes of blobs in bytes. Throws RowbackError('repository') if one is missing or is no blob. */
  blobSizes(oids: readonly string[]): Promise<Map<string, number>>
  /**
   * The whole content; calls may overlap. Throws RowbackError('repository') if it is missing or is no blob,
   * RowbackError('dump') if it has more than `limitBytes`, or than fit into a string.
   */
  readBlob(oid: string, limitBytes?: number): Promise<Buffer>
  /**
   * Streams a blob to the end of an open file, given by its descriptor. Throws as `readBlob` does, and Node's system
   * error if the file cannot be written.
   */
  copyBlob(oid: string, file: number): Promise<void>
  /** A session that writes one commit. To be used by the holder of the repository's lock only. */
  begin(): Writer
  /** A setting of this repository, never of the user; undefined if it is not set. */
  config(key: string): Promise<string | undefined>
  setConfig(key: string, value: string): Promise<void>
  /** Points a ref, given by its full name and not the branch, at a commit, wherever it pointed before. */
  setRef(ref: string, oid: string): Promise<void>
  /** The refs below a folder such as `refs/rowback/safety/`, by full name, with what they point at. */
  refs(folder: string): Promise<Map<string, string>>
  /** Removes a ref that is not the branch; nothing happens where there is none. */
  deleteRef(ref: string): Promise<void>
  /** Ends what the store runs in the background. */
  close(): Promise<void>
}

/** What a commit is made of: the parent's tree without `remove`, then with `add`. */
export interface NewCommit {
  /** The commit the branch must still point at; without it the branch must not exist. */
  parent?: string | undefined
  /** A full name of a ref that is pointed at the commit; the branch then stays where it is, wherever that is. */
  ref?: string | undefined
  add: readonly TreeEntry[]
  remove: readonly string[]
  message: string
  /** Also the committer. */
  author: Identity
  /** Seconds since 1970; the time zone is +0000. */
  time: number
  /** What the commit is signed with; it is not without it. A key that cannot be used throws RowbackError('usage'). */
  sign?: SigningKey | undefined
}

/**
 * Writes blobs and then one commit. Nothing is visible before `commit` returns. Calls may overlap, they act in order.
 * The first failure is a RowbackError('repository') `write <dir>: <cause>` and ends the session as `abort` does.
 */
export interface Writer {
  /** `oid` is `blobOid(content)`. The content is released in the end. Waits while much is under way. */
  writeBlob(oid: string, content: Buffer): Promise<void>
  /**
   * Writes the first `size` bytes of a file as the blob `oid`. Throws RowbackError('source') if the file cannot be
   * read or is not that blob any more; the session goes on.
   */
  writeFile(oid: string, file: string, size: number): Promise<void>
  /** A blob of this session or of the repository. Throws RowbackError('repository') if it is missing. */
  readBlob(oid: string): Promise<Buffer>
  /**
   * Writes the commit, moves the branch from `parent` to it (or sets `ref`), and returns its id. The session is over. In between,
   * `accept` may read the commit from the store; what it throws is thrown, and the branch stays where it is.
   */
  commit(commit: NewCommit, accept?: (oid: string) => Promise<void>): Promise<string>
  /** Drops the session; does nothing if it is over. */
  abort(): Promise<void>
}
