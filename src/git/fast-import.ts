/** Makes trees and commits by `git fast-import` (git-fast-import(1)). */

import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { RowbackError } from '../errors.ts'
import { identityLine } from './commit.ts'
import { gitCause, startGit } from './run.ts'
import type { NewCommit } from './store.ts'
import { treePathParts } from './tree.ts'

/**
 * Writes a commit of blobs that a session's repository can read, as a pack of its own, and returns its id; the trees
 * come from the parent's. Throws an Error of git's words.
 */
export async function importCommit(session: string, commit: NewCommit): Promise<string> {
  const git = startGit(session, ['fast-import', '--quiet', '--done', '--date-format=raw'])
  const [fed, printed, ended] = await Promise.allSettled([
    pipeline(Readable.from(commands(commit)), git.stdin),
    text(git.stdout),
    git.ended,
  ])
  if (ended.status === 'rejected') throw ended.reason
  // Of a pipe that git has closed, git says why.
  if (fed.status === 'rejected' && fed.reason instanceof RowbackError) throw fed.reason
  if (ended.value.code !== 0) throw new Error(gitCause(ended.value))
  if (printed.status === 'rejected') throw printed.reason
  return printed.value.trim()
}

function* commands(commit: NewCommit): Generator<string> {
  yield commitHead(commit)
  yield* inPieces(commit.remove, removal)
  yield* inPieces(commit.add, addition)
  yield '\nget-mark :1\ndone\n'
}

/** So many changes are a text at a time: those of 50,000 files took 30 MB. */
const pieceLength = 1000

function* inPieces<T>(changes: readonly T[], command: (change: T) => string): Generator<string> {
  for (let at = 0; at < changes.length; at += pieceLength)
    yield changes
      .slice(at, at + pieceLength)
      .map(command)
      .join('')
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
