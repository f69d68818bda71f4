/**
 * A disk fills up, becomes read-only, or loses its rights right before each step of a verb that needs it: the source and the
 * target are as they were, or it is said how to go on, and the next run comes to the same end. `npm run test:crash` tries all
 * steps, the ordinary suite a few of one fault a verb. The first of a disk with backups that fills up or is read-only: full-disk.test.ts.
 */

import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { exitCodes } from '../../src/errors.ts'
import { contents, type Ended } from '../support/cli.ts'
import { allFacts, databaseFrom } from '../support/database.ts'
import { type Fault, faultLibrary, isLong, onFailingDisk, stepsToTry } from '../support/failing-disk.ts'
import { bareRepository, git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'

/** The folders of a scene: what is backed up, where to, and where a verb writes. */
interface Scene {
  top: string
  dir: string
  /** What `dir` is before each run. */
  kept: string
  data: string
  repository: string
  remote: string
  out: string
  /** For what a proof replays. */
  tmp: string
}

/** A scene that is made once, and then prepared for a verb. */
async function scene(prepare?: (scene: Scene) => Promise<unknown>): Promise<Scene> {
  original ??= makeOriginal(mkdtempSync(join(tmpdir(), 'rowback-original-')))
  const made = await original
  // The repository names its source by a path, so all scenes are in the same place.
  begin({ ...made, kept: made.original })
  await prepare?.(made)
  rmSync(made.kept, { recursive: true, force: true })
  execFileSync('cp', ['-a', made.dir, made.kept])
  return made
}

let original: Promise<Scene & { original: string }> | undefined
afterAll(async () => rmSync((await original)?.top ?? '', { recursive: true, force: true }))

/** A data directory with two backups, and a remote that has none of them. */
async function makeOriginal(top: string): Promise<Scene & { original: string }> {
  const dir = join(top, 'live')
  const [data, repository, remote, out, tmp] = ['data', 'repo.git', 'remote.git', 'out', 'tmp'].map((name) =>
    join(dir, name),
  ) as [string, string, string, string, string]
  for (const folder of [join(data, 'up', 'deep'), join(data, 'empty'), out, tmp])
    mkdirSync(folder, { recursive: true })
  const database = databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200) INSERT INTO note SELECT i, hex(i) FROM n;`,
    join(data, 'app.db'),
  )
  for (const file of ['asset', join('up', 'deep', 'file')]) writeFileSync(join(data, file), 'one')
  symlinkSync('asset', join(data, 'link'))
  await backup({ source: data, repository })
  databaseFrom("UPDATE note SET text='changed' WHERE id=7", database)
  writeFileSync(join(data, 'asset'), 'two')
  rmSync(join(data, 'empty'), { recursive: true })
  writeFileSync(join(data, 'added'), 'two')
  await backup({ source: data, repository })
  bareRepository(remote)
  const kept = join(top, 'original')
  execFileSync('cp', ['-a', dir, kept])
  return { top, dir, kept: join(top, 'kept'), original: kept, data, repository, remote, out, tmp }
}

function begin({ kept, dir }: Scene): void {
  rmSync(dir, { recursive: true, force: true })
  execFileSync('cp', ['-a', kept, dir])
}

/** What a folder holds, whenever it was written: files by their content, databases by what is in them. */
function whole(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : []
  const files = names.map((entry) => {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(folder.length)
    // A draft that could not be removed is half made.
    if (name.includes('.rowback-')) return name
    if (entry.isFile() && name.endsWith('.db')) return [name, ...allFacts(path)].join('\n')
    return entry.isFile() ? `${name} ${readFileSync(path, 'latin1')}` : name
  })
  return files.sort()
}

/** What only a run that is not over may have. */
function left({ dir }: Scene): string[] {
  const unfinished =
    /\.rowback-|\.lock$|\.new(?:-|$)|\.tmp$|^tmp\/|^repo\.git\/rowback\/(?:lock|in-place|(?:tmp|upkeep)\/)/
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).filter((name) => unfinished.test(name))
}

function tip(repository: string): string {
  return existsSync(join(repository, 'HEAD'))
    ? git(repository, ['for-each-ref', '--format=%(objectname)', 'refs/heads/main'])
    : ''
}

/** Of a ref that it cannot write, git does not always say why. */
const said: Record<Fault, RegExp> = {
  ENOSPC: /no (?:space|room) left|unable to create|couldn't write|could not set|failed to write/i,
  EROFS:
    /read-?only|takes no writes|couldn't set|cannot be written|unable to (?:open|create)|could not set|failed to write/i,
  EACCES:
    /permission denied|this user may change nothing|cannot be (?:written|read)|no directory that can be read|unable to (?:open|create)|rejected index/i,
}

interface Verb {
  /** What it may meet; all without it. */
  faults?: readonly Fault[]
  /** The folder that fails. */
  below: (scene: Scene) => string
  args: (scene: Scene) => string[]
  /** The exit codes that a fault may have. */
  codes: number[]
  prepare?: (scene: Scene) => Promise<unknown>
  /** What the verb is about, which is as before after a fault, or as at the end. */
  state: (scene: Scene) => unknown
  /** Whether a failed run may have come to the end, or stopped where it says how to go on. */
  mayBeOver?: (scene: Scene, ended: Ended) => boolean
  /** How to go on; by the same arguments where it is left out. */
  next?: (scene: Scene, ended: Ended) => string[] | undefined
}

const { source, repository, target } = exitCodes

const verbs: Record<string, Verb> = {
  backup: {
    faults: ['EACCES'],
    below: (scene) => scene.repository,
    args: backupArgs,
    codes: [repository],
    prepare: goOn,
    state: (scene) => tree(scene.repository),
    mayBeOver: (_, { stderr }) => /whether branch main has moved to \w+ cannot be read/.test(stderr),
  },
  'backup by the embedded engine': {
    below: (scene) => scene.repository,
    args: ({ data, repository }) => byEmbedded(['backup', data, '--repo', repository, '--verify', 'always']),
    codes: [repository],
    prepare: goOn,
    state: (scene) => tree(scene.repository),
  },
  'backup, of a source,': {
    faults: ['EACCES'],
    below: ({ data }) => data,
    args: backupArgs,
    codes: [source],
    prepare: goOn,
    state: (scene) => tree(scene.repository),
    mayBeOver: (_, { stderr }) => stderr.includes('the rest is committed'),
  },
  restore: {
    below: ({ out }) => out,
    args: (scene) => [
      'restore',
      'latest',
      '--to',
      join(scene.out, 'deep', 'data'),
      '--repo',
      scene.repository,
    ],
    codes: [target],
    state: ({ out }) => whole(out).filter((name) => !name.includes('.rowback-') && name !== '/deep'),
    ...completed(),
  },
  'restore, from a repository,': {
    faults: ['EACCES'],
    below: (scene) => scene.repository,
    args: (scene) => ['restore', 'latest', '--to', join(scene.out, 'data'), '--repo', scene.repository],
    codes: [repository],
    state: ({ out }) => whole(out),
  },
  'restore by the embedded engine, from a repository,': {
    faults: ['EACCES'],
    below: (scene) => scene.repository,
    args: ({ out, repository }) =>
      byEmbedded(['restore', 'latest', '--to', join(out, 'data'), '--repo', repository]),
    codes: [repository],
    state: ({ out }) => whole(out),
  },
  'restore of a database': {
    below: ({ out }) => out,
    args: (scene) => fileArgs(scene, 'app.db'),
    codes: [target],
    state: ({ out }) => whole(out).filter((name) => !name.includes('.rowback-')),
    ...completed(),
  },
  'restore of an asset': {
    below: ({ out }) => out,
    args: (scene) => fileArgs(scene, 'asset'),
    codes: [target],
    state: ({ out }) => whole(out).filter((name) => !name.includes('.rowback-')),
    ...completed(),
  },
  'restore in place': {
    below: ({ dir }) => dir,
    args: (scene) => ['restore', 'latest~1', '--in-place', '--repo', scene.repository],
    codes: [source, repository, target],
    state: liveState,
    ...halfReplaced(),
  },
  undo: {
    below: ({ dir }) => dir,
    args: (scene) => ['undo', '--repo', scene.repository],
    codes: [source, repository, target],
    prepare: (scene) => rowbackJson(['restore', 'latest~1', '--in-place', '--repo', scene.repository]),
    state: liveState,
    ...halfReplaced(),
  },
  clone: {
    below: ({ out }) => out,
    args: (scene) => ['clone', scene.remote, join(scene.out, 'clone.git')],
    codes: [repository],
    prepare: (scene) => rowbackJson(['push', '--repo', scene.repository, '--remote', scene.remote]),
    state: ({ out }) => tip(join(out, 'clone.git')),
  },
  push: {
    below: (scene) => scene.repository,
    args: (scene) => ['push', '--repo', scene.repository, '--remote', scene.remote],
    codes: [repository],
    state: (scene) => tip(scene.remote),
    // What came behind, as to see that it is there, and to remember the address, could not be done.
    mayBeOver: (scene) => tip(scene.remote) === tip(scene.repository),
  },
  'push, and its proof,': {
    below: ({ tmp }) => tmp,
    args: (scene) => ['push', '--repo', scene.repository, '--remote', scene.remote],
    codes: [target],
    state: (scene) => tip(scene.remote),
  },
  'verify by the embedded engine': {
    below: ({ dir }) => dir,
    args: ({ repository }) => byEmbedded(['verify', '--repo', repository]),
    codes: [repository, target],
    state: (scene) => [contents(scene.data), contents(scene.repository, ['rowback'])],
  },
  verify: {
    below: ({ dir }) => dir,
    args: (scene) => ['verify', '--repo', scene.repository],
    codes: [repository, target],
    state: (scene) => [contents(scene.data), contents(scene.repository, ['rowback'])],
  },
}

function backupArgs({ data, repository }: Scene): string[] {
  return ['backup', data, '--repo', repository, '--full', '--verify', 'always', '--upkeep', 'always']
}

function byEmbedded(args: string[]): string[] {
  return [...args, '--engine', 'embedded']
}

async function goOn({ data }: Scene): Promise<void> {
  databaseFrom("UPDATE note SET text='again' WHERE id=9", join(data, 'app.db'))
  writeFileSync(join(data, 'asset'), 'three')
}

function tree(dir: string): string {
  return git(dir, ['rev-parse', 'main^{tree}'])
}

function fileArgs({ out, repository }: Scene, file: string): string[] {
  return ['restore', 'latest', '--file', file, '--output', join(out, 'file'), '--repo', repository]
}

/** The target is there, and what could not be done is said. */
function completed(): Pick<Verb, 'mayBeOver' | 'next'> {
  const isComplete = ({ stderr }: Ended): boolean => stderr.includes('it is complete, but')
  return {
    mayBeOver: (_, ended) => isComplete(ended),
    next: (scene, ended) => {
      if (!isComplete(ended)) return undefined
      rmSync(scene.out, { recursive: true })
      mkdirSync(scene.out)
      return undefined
    },
  }
}

function liveState({ data }: Scene): string[] {
  return whole(data).filter((name) => !name.startsWith('/.rowback-restore-'))
}

/** The journal leads on; the hint says which command ends what was begun. */
function halfReplaced(): Pick<Verb, 'mayBeOver' | 'next'> {
  const command = /try: rowback (restore \w+ --in-place)/
  return {
    mayBeOver: (scene, { stderr }) =>
      command.test(stderr) &&
      readFileSync(join(scene.repository, 'rowback', 'in-place.json'), 'utf8').includes('"steps"'),
    next: (scene, { stderr }) => {
      const found = command.exec(stderr)?.[1]
      return found === undefined ? undefined : [...found.split(' '), '--repo', scene.repository]
    },
  }
}

async function sweep(verb: Verb, error: Fault, library: string): Promise<void> {
  const made = await scene(verb.prepare)
  const { dir, tmp, repository } = made
  const [args, below] = [verb.args(made), verb.below(made)]
  const place = { cwd: dir, env: { TMPDIR: tmp } }
  begin(made)
  const before = verb.state(made)
  const none = await onFailingDisk(args, { library, error, below, at: 0 }, place)
  expect(none).toMatchObject({ code: 0, stderr: '' })
  const wanted = verb.state(made)
  let failed = 0
  for (const at of stepsToTry(none.steps, 2)) {
    begin(made)
    const ended = await onFailingDisk(args, { library, error, below, at }, place)
    const { code, stderr } = ended
    const told = { args, error, at, code, stderr }
    if (code === 0) expect({ ...told, state: verb.state(made) }).toEqual({ ...told, state: wanted })
    else {
      failed += 1
      expect({ ...told, isDocumented: verb.codes.includes(code ?? -1) }).toEqual({
        ...told,
        isDocumented: true,
      })
      expect(told).toEqual({ ...told, stderr: expect.stringMatching(said[error]) })
      expect(told).toEqual({ ...told, stderr: expect.stringMatching(/^(?:rowback: .*\n(?: {2}.*\n)*)+$/) })
      if (verb.mayBeOver?.(made, ended) !== true)
        expect({ ...told, state: verb.state(made) }).toEqual({ ...told, state: before })
    }
    // Where nothing can be removed, the next run does it.
    const isPending = /"commit"/.test(journalText(made))
    if (error === 'ENOSPC' && !isPending) expect({ ...told, left: left(made) }).toEqual({ ...told, left: [] })
    if (code === 0) continue
    const onward = verb.next?.(made, ended) ?? args
    const next = await rowback(onward, place)
    expect({ ...told, onward, next }).toEqual({ ...told, onward, next: { ...next, code: 0, stderr: '' } })
    expect({ ...told, state: verb.state(made) }).toEqual({ ...told, state: wanted })
    // The system clears its own temporary folder.
    const stays = left(made).filter((name) => !name.startsWith('tmp/rowback-verify-') || error === 'ENOSPC')
    expect({ ...told, stays }).toEqual({ ...told, stays: [] })
    expect(git(repository, ['fsck', '--strict', '--no-dangling'])).toBe('')
  }
  expect(failed).toBeGreaterThan(0)
}

/** The journal of a restore in place that is not over; empty where there is none. */
function journalText({ repository }: Scene): string {
  const file = join(repository, 'rowback', 'in-place.json')
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

const whats: Record<Fault, string> = {
  ENOSPC: 'that fills up',
  EROFS: 'that becomes read-only',
  EACCES: 'whose rights are taken away',
}

/** All that a verb may meet, or one of them: the next verb's is another. */
function faultsToTry({ faults = ['ENOSPC', 'EROFS', 'EACCES'] }: Verb, index: number): readonly Fault[] {
  return isLong ? faults : faults.filter((_, place) => place === index % faults.length)
}

describe('On a disk', () => {
  for (const [index, [name, verb]] of Object.entries(verbs).entries())
    for (const error of faultsToTry(verb, index))
      test(`${whats[error]} at any step, ${name} leaves all as it was or says how to go on, and does.`, async (context) => {
        const library = faultLibrary()
        if (library === undefined) return context.skip('it needs gcc and LD_PRELOAD')
        await sweep(verb, error, library)
      })
})
