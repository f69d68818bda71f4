/** Stock git on the repositories that tests make: reading them, and writing commits that Rowback would not. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gitEnv } from '../../src/git/env.ts'
import { tempDir } from './temp.ts'

/** What stock git prints, without the user's settings; throws if it fails. */
export function git(dir: string, args: readonly string[], env: Record<string, string> = {}): string {
  return gitBytes(dir, args, env).toString('utf8').trimEnd()
}

/** `git` for output that is no text. */
export function gitBytes(dir: string, args: readonly string[], env: Record<string, string> = {}): Buffer {
  return execFileSync('git', args, { cwd: dir, env: { ...gitEnv(), ...env }, maxBuffer: 1 << 28 })
}

const identity = {
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.org',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.org',
}

/** Makes an empty bare repository that pushes can go to. */
export function bareRepository(dir: string): string {
  execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', '--template=', dir], {
    env: gitEnv(),
  })
  return dir
}

/** Makes a repository of somebody else: one commit on that branch, in a work tree or bare. */
export function foreignRepository(dir: string, branch: string): string {
  execFileSync('git', ['init', '--quiet', `--initial-branch=${branch}`, '--template=', dir], {
    env: gitEnv(),
  })
  execFileSync('sh', ['-c', 'echo hello > hello.txt'], { cwd: dir })
  git(dir, ['add', 'hello.txt'])
  git(dir, ['commit', '--quiet', '--message=hello'], identity)
  return dir
}

/**
 * Puts a commit on top of the branch `main` in which files have the contents that `change` makes of theirs
 * (undefined: no such file), message and author as in the last one. Returns its id.
 */
export function craftCommit(
  repository: string,
  changes: Record<string, (content: string | undefined) => string | undefined>,
): string {
  const index = { GIT_DIR: repository, GIT_INDEX_FILE: join(tempDir(), 'index') }
  git(repository, ['read-tree', 'main'], index)
  for (const [path, change] of Object.entries(changes)) {
    const present = git(repository, ['ls-tree', '--name-only', 'main', path]) !== ''
    const content = change(present ? gitBytes(repository, ['show', `main:${path}`]).toString() : undefined)
    const blob = content === undefined ? '0'.repeat(40) : writeBlob(repository, content)
    const entry = `${content === undefined ? '0' : '100644'} ${blob}\t${path}\n`
    execFileSync('git', ['update-index', '--index-info'], {
      cwd: repository,
      env: { ...gitEnv(), ...index },
      input: entry,
    })
  }
  const tree = git(repository, ['write-tree'], index)
  const message = git(repository, ['log', '-1', '--format=%B', 'main'])
  const commit = git(repository, ['commit-tree', tree, '-p', 'main', '-m', message], identity)
  git(repository, ['update-ref', 'refs/heads/main', commit])
  return commit
}

function writeBlob(repository: string, content: string): string {
  const written = execFileSync('git', ['hash-object', '-w', '--stdin'], {
    cwd: repository,
    env: gitEnv(),
    input: content,
  })
  return written.toString().trim()
}

/** The files of a commit by path: the id of each. */
export function filesOf(repository: string, commit: string): Map<string, string> {
  const listed = git(repository, ['ls-tree', '-r', '-z', '--full-tree', commit])
  return new Map(
    listed
      .split('\0')
      .filter((line) => line !== '')
      .map((line) => [
        line.slice(line.indexOf('\t') + 1),
        line.slice(line.indexOf('\t') - 40, line.indexOf('\t')),
      ]),
  )
}

/** The paths whose files differ between two commits, or are only in one. */
export function changedPaths(repository: string, before: string, after: string): string[] {
  const [old, now] = [filesOf(repository, before), filesOf(repository, after)]
  return [...new Set([...old.keys(), ...now.keys()])].filter((path) => old.get(path) !== now.get(path)).sort()
}

/**
 * A home whose git settings change all they can, and the folder in which each of its hooks leaves a file before it
 * refuses; that folder must stay empty.
 */
export function hostileHome(): { home: string; marks: string } {
  const home = tempDir()
  const [marks, hooks, template] = ['marks', 'hooks', 'template/hooks'].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ]
  for (const dir of [marks, hooks, template]) mkdirSync(dir, { recursive: true })
  for (const hook of [
    'reference-transaction',
    'post-commit',
    'pre-commit',
    'commit-msg',
    'pre-push',
    'update',
  ])
    for (const dir of [hooks, template])
      writeFileSync(join(dir, hook), `#!/bin/sh\ntouch ${marks}/${hook}\nexit 1\n`, { mode: 0o755 })
  writeFileSync(join(home, 'attributes'), '* text eol=crlf\n*.json export-ignore\n')
  writeFileSync(
    join(home, '.gitconfig'),
    `[user]
	name = Mallory
	email = mallory@example.org
	signingKey = none
[commit]
	gpgSign = true
[tag]
	gpgSign = true
[push]
	gpgSign = true
	followTags = true
[core]
	autocrlf = true
	safecrlf = true
	hooksPath = ${hooks}
	attributesFile = ${home}/attributes
	ignoreCase = true
	quotePath = true
	abbrev = 4
[init]
	defaultBranch = hostile
	templateDir = ${home}/template
	defaultObjectFormat = sha256
[i18n]
	commitEncoding = latin1
	logOutputEncoding = latin1
[log]
	showSignature = true
[pack]
	packSizeLimit = 1m
[gc]
	auto = 1
`,
  )
  return { home, marks }
}
