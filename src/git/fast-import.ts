/** The conversation with `git fast-import` (git-fast-import(1)): what is said to it, and what it replies. */

import type { FileHandle } from 'node:fs/promises'
import { ByteReader } from './byte-reader.ts'
import { identityLine } from './commit.ts'
import { readObject } from './objects.ts'
import { feed, GitClosed, type GitProcess, startGit } from './run.ts'
import type { NewCommit } from './store.ts'
import { treePathParts } from './tree.ts'

/** As many changes of paths go to git in one piece. */
const changesPerWrite = 1000

/** One fast-import in a session's repository. Calls must not overlap; each throws GitClosed once git has died. */
export class FastImport {
  readonly process: GitProcess
  readonly #replies: ByteReader

  constructor(session: string) {
    this.process = startGit(session, ['fast-import', '--quiet', '--done', '--date-format=raw'])
    this.#replies = new ByteReader(this.process.stdout)
  }

  async writeBlob(content: Buffer): Promise<void> {
    await feed(this.process, `blob\ndata ${content.length}\n`, content, '\n')
  }

  /**
   * Writes `size` bytes of an open file as a blob and returns its id. A file that has become shorter is filled up with
   * zeros, since git has been told the size; then it is another blob than the caller expects.
   */
  async writeFile(file: FileHandle, size: number): Promise<string> {
    await feed(this.process, `blob\nmark :1\ndata ${size}\n`)
    let left = size
    while (left > 0) {
      const buffer = Buffer.alloc(Math.min(left, 1 << 18))
      const { bytesRead } = await file.read(buffer, 0, buffer.length)
      const chunk = bytesRead > 0 ? buffer.subarray(0, bytesRead) : buffer
      left -= chunk.length
      await feed(this.process, chunk)
    }
    await feed(this.process, '\nget-mark :1\n')
    return await this.#replyLine()
  }

  async readBlob(oid: string): Promise<Buffer> {
    await feed(this.process, `cat-blob ${oid}\n`)
    return await readObject(this.#replies, oid, 'blob')
  }

  /** Writes the commit and returns its id; the trees come from the parent's, which is not read from the branch. */
  async commit(commit: NewCommit): Promise<string> {
    await feed(this.process, commitHead(commit))
    const changes = [...commit.remove.map(removal), ...commit.add.map(addition)]
    for (let at = 0; at < changes.length; at += changesPerWrite)
      await feed(this.process, changes.slice(at, at + changesPerWrite).join(''))
    await feed(this.process, '\nget-mark :1\n')
    return await this.#replyLine()
  }

  /** Lets git complete its pack and end. Throws GitClosed if it could not. */
  async finish(): Promise<void> {
    // Not by `feed`: git may be gone, and its input closed, as soon as it has read this.
    this.process.stdin.end('done\n')
    const { code } = await this.process.ended
    if (code !== 0) throw new GitClosed('git could not complete its pack')
  }

  async #replyLine(): Promise<string> {
    const line = await this.#replies.line()
    if (line === undefined) throw new GitClosed('git closed its output')
    return line
  }
}

function commitHead({ parent, message, author, time }: NewCommit): string {
  const identity = identityLine(author, time)
  return [
    'commit refs/heads/session\nmark :1\n',
    `author ${identity}\ncommitter ${identity}\n`,
    `data ${Buffer.byteLength(message)}\n${message}\n`,
    parent === undefined ? '' : `from ${parent}\n`,
  ].join('')
}

function removal(path: string): string {
  return `D ${quotedPath(path)}\n`
}

function addition({ mode, oid, path }: NewCommit['add'][number]): string {
  return `M ${mode} ${oid} ${quotedPath(path)}\n`
}

/** The path in C-style quotes; every byte but these three stands for itself. */
function quotedPath(path: string): string {
  treePathParts(path) // refuses what git would
  return `"${path.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n')}"`
}
