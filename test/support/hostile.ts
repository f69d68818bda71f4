/** Commits that Rowback would never write: a good backup, changed by stock git behind its back. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { type ErrorCode, exitCodes, RowbackError } from '../../src/errors.ts'
import { gitEnv } from '../../src/git/env.ts'
import { restore } from '../../src/restore.ts'
import { contents, rowback } from './cli.ts'
import { copiedPlace } from './copied-place.ts'
import { databaseFrom } from './database.ts'
import { git, gitBytes } from './git.ts'
import { tempDir } from './temp.ts'

/** Where an attack takes place: nothing in `dir` may change. */
export interface Scene {
  dir: string
  repository: string
}

/** The folder of the scene's database in a commit. */
export const dump = 'databases/app.db'

/** A data directory with a database that has something of each kind, two assets, and its repository with one backup. */
export async function hostileScene(): Promise<Scene> {
  const dir = await madeScene()
  return { dir, repository: join(dir, 'repo.git') }
}

const madeScene = copiedPlace(async (dir) => {
  for (const name of ['tmp', 'data', 'data/files']) mkdirSync(join(dir, name))
  databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, title TEXT, body TEXT DEFAULT 'none'); CREATE TABLE plain(a);
     INSERT INTO note VALUES (1,'one','first'),(2,'two','second'); INSERT INTO plain VALUES (1),(2.5),('x');
     CREATE INDEX note_title ON note(title); CREATE VIEW titles AS SELECT title FROM note;
     CREATE VIRTUAL TABLE own USING fts5(words); INSERT INTO own VALUES ('hello'),('world');
     CREATE VIRTUAL TABLE ft USING fts5(title, body, content='note', content_rowid='id');
     INSERT INTO ft(ft) VALUES ('rebuild');`,
    join(dir, 'data', 'app.db'),
  )
  writeFileSync(join(dir, 'data', 'settings.json'), '{}')
  writeFileSync(join(dir, 'data', 'files', 'a.txt'), 'a\n')
  writeFileSync(join(dir, 'sentinel'), 'as it was\n')
  await backup({ source: join(dir, 'data'), repository: join(dir, 'repo.git') })
})

/** What becomes of a file: a new content, made of the old one (empty where there is none), or undefined for none. */
export type Change = (content: string, scene: Scene) => string | Buffer | undefined

export interface Hostile {
  /** By path. */
  changes?: Record<string, Change>
  /** The mode of the changed files. */
  mode?: string
  /** Made of the changed tree. */
  tree?: (repository: string, tree: string) => string
  /** The whole message of the commit; that of the backup without it. */
  commitMessage?: string
}

const identity = Object.fromEntries(
  ['AUTHOR', 'COMMITTER'].flatMap((who) => [
    [`GIT_${who}_NAME`, 'Mallory'],
    [`GIT_${who}_EMAIL`, 'mallory@example.org'],
  ]),
)

/** Puts a changed copy of the last backup on top of the branch and returns its id. */
export function hostileCommit(
  scene: Scene,
  { changes = {}, mode = '100644', tree, commitMessage }: Hostile,
): string {
  const { repository } = scene
  const index = { GIT_DIR: repository, GIT_INDEX_FILE: join(tempDir(), 'index') }
  git(repository, ['read-tree', 'main'], index)
  const entries = Object.entries(changes).map(([path, change]) => {
    const content = change(contentOf(repository, path), scene)
    if (content === undefined) return `0 ${'0'.repeat(40)}\t${path}\0`
    return `${mode} ${writeObject(repository, 'blob', content)}\t${path}\0`
  })
  execFileSync('git', ['update-index', '-z', '--index-info'], {
    cwd: repository,
    env: { ...gitEnv(), ...index },
    input: entries.join(''),
  })
  const changed = git(repository, ['write-tree'], index)
  const made = tree ? tree(repository, changed) : changed
  const text = commitMessage ?? git(repository, ['log', '-1', '--format=%B', 'main'])
  const commit = git(repository, ['commit-tree', made, '-p', 'main', '-m', text], identity)
  git(repository, ['update-ref', 'refs/heads/main', commit])
  return commit
}

/** Writes an object as it is given, however malformed, and returns its id. */
export function writeObject(
  repository: string,
  type: 'blob' | 'tree' | 'commit',
  content: string | Buffer,
): string {
  const args = ['hash-object', '-w', '--literally', '-t', type, '--stdin']
  return execFileSync('git', args, { cwd: repository, env: gitEnv(), input: content }).toString().trim()
}

/** The raw entry of a tree object. */
export function treeEntry(mode: string, name: string, oid: string): Buffer {
  return Buffer.concat([Buffer.from(`${mode} ${name}\0`), Buffer.from(oid, 'hex')])
}

function contentOf(repository: string, path: string): string {
  const present =
    git(repository, ['--literal-pathspecs', 'ls-tree', '--name-only', 'main', '--', path]) !== ''
  return present ? gitBytes(repository, ['show', `main:${path}`]).toString() : ''
}

export interface Refusal {
  code?: ErrorCode
  message: string | RegExp
}

export interface Attack extends Refusal, Hostile {
  name: string
}

/** A test for each attack: no restore of its commit begins. Every fourth is tried with the program. */
export function testRefusals(attacks: readonly Attack[]): void {
  for (const [index, { name, code, message, ...hostile }] of attacks.entries())
    test(`${name}.`, async () => {
      const scene = await hostileScene()
      const expectRefused = index % 4 === 0 ? expectProgramRefused : expectRestoreRefused
      await expectRefused(scene, hostileCommit(scene, hostile), { code: code ?? 'dump', message })
    })
}

/** Expects that a restore of the commit is refused, and that nothing has changed. */
async function expectRestoreRefused(
  { dir, repository }: Scene,
  commit: string,
  { code, message }: Required<Refusal>,
): Promise<void> {
  const before = contents(dir)
  const target = join(dir, 'out')
  const error: unknown = await restore({ repository, rev: commit, target }).then(
    () => 'it was restored',
    (thrown) => thrown,
  )
  expect(error).toBeInstanceOf(RowbackError)
  const refused = error as RowbackError
  expect(refused.message).toMatch(message)
  expect(refused.code).toBe(code)
  expect(contents(dir)).toEqual(before)
}

/** `expectRestoreRefused` with the program. */
export async function expectProgramRefused(
  { dir, repository }: Scene,
  commit: string,
  { code, message }: Required<Refusal>,
): Promise<void> {
  const before = contents(dir)
  const target = join(dir, 'out')
  const options = { cwd: dir, env: { TMPDIR: join(dir, 'tmp') } }
  const ended = await rowback(['restore', commit, '--to', target, '--repo', repository], options)
  expect(ended.stderr).toMatch(message)
  expect(ended.stderr).not.toMatch(/^ {4}at /m)
  expect(ended.code).toBe(exitCodes[code])
  expect(contents(dir)).toEqual(before)
}
