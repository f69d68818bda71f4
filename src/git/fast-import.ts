/** Makes trees and commits by `git fast-import` (git-fast-import(1)). */

import { identityLine } from './commit.ts'
import { git, gitCause } from './run.ts'
import type { NewCommit } from './store.ts'
import { treePathParts } from './tree.ts'

/**
 * Writes a commit of blobs that a session's repository can read, as a pack of its own, and returns its id; the trees
 * come from the parent's. Throws an Error of git's words.
 */
export async function importCommit(session: string, commit: NewCommit): Promise<string> {
  const input = [
    commitHead(commit),
    ...commit.remove.map(removal),
    ...commit.add.map(addition),
    '\nget-mark :1\ndone\n',
  ]
  const args = ['fast-import', '--quiet', '--done', '--date-format=raw']
  const { code, stdout, stderr } = await git(session, args, { input: input.join('') })
  if (code !== 0) throw new Error(gitCause({ code, stderr }))
  return stdout.toString('latin1').trim()
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
