/** Pushing: what a remote gets, what happens where it cannot be reached, and what never leaves. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { push } from '../../src/push.ts'
import { type Ended, program, projectRoot } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom, facts } from '../support/database.ts'
import { bareRepository, craftCommit, foreignRepository, git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

interface Place {
  dir: string
  source: string
  repository: string
  remote: string
  options: { cwd: string; env: Record<string, string> }
}

/** A database, and an empty bare repository to push to; `add` adds a row. */
function place(dir = tempDir()): Place {
  databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     INSERT INTO note VALUES (1,'one'),(2,'two'),(3,'three');`,
    join(dir, 'app.db'),
  )
  bareRepository(join(dir, 'remote.git'))
  return placeIn(dir)
}

function placeIn(dir: string): Place {
  return {
    dir,
    source: join(dir, 'app.db'),
    repository: join(dir, 'repo.git'),
    remote: join(dir, 'remote.git'),
    options: { cwd: dir, env: { HOME: dir, TMPDIR: dir } },
  }
}

/** What a backup says of its commit, whatever becomes of the push. */
const saysCommit = expect.stringMatching(/^[0-9a-f]{10} app: /)

/** A place whose remote has its only commit. */
const pushedPlace = copiedPlace(async (dir) => {
  const found = place(dir)
  expect(await backup(found, '--remote', found.remote)).toMatchObject({ code: 0, stderr: '' })
})

function addNote({ source }: Place, text: string): void {
  execFileSync('sqlite3', [source, `INSERT INTO note(text) VALUES ('${text}')`])
}

function backup({ options }: Place, ...flags: string[]): Promise<Ended> {
  return rowback(['backup', 'app.db', '--repo', 'repo.git', ...flags], options)
}

/** The commits of a repository's branch, oldest first; none where it has no such branch. */
function commits(repository: string): string[] {
  if (git(repository, ['for-each-ref', 'refs/heads/main']) === '') return []
  return git(repository, ['rev-list', '--reverse', 'main']).split('\n')
}

/** `git push` as a user types it. */
function pushByHand({ repository, remote, options }: Place): Promise<Ended> {
  return program('git', ['push', remote, 'main'], { ...options, cwd: repository })
}

function writeHook(repository: string, name: string, script: string): void {
  mkdirSync(join(repository, 'hooks'), { recursive: true })
  writeFileSync(join(repository, 'hooks', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

/** Makes a commit of 2001, of a tree that is there. */
function sideCommit(repository: string, tree: string, parents: readonly string[]): string {
  const message = git(repository, ['log', '-1', '--format=%B', 'main'])
  const given = parents.flatMap((parent) => ['-p', parent])
  const date = '2001-01-01T00:00:00Z'
  const who = { NAME: 'A', EMAIL: 'a@example.org', DATE: date }
  const env = Object.entries(who).flatMap(([key, value]) =>
    ['AUTHOR', 'COMMITTER'].map((role) => [`GIT_${role}_${key}`, value]),
  )
  return git(repository, ['commit-tree', tree, ...given, '-m', message], Object.fromEntries(env))
}

describe('a backup with a remote', () => {
  test('pushes its commit, and a clone of the remote restores it.', async () => {
    const found = place()
    const { dir, source, repository, remote, options } = found
    const done = await backup(found, '--remote', remote)
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout.trimEnd().split('\n').at(-1)).toBe(`pushed 1 commit to ${remote}`)
    expect(commits(remote)).toEqual(commits(repository))

    addNote(found, 'four')
    const again = await rowbackJson(
      ['backup', 'app.db', '--repo', 'repo.git', '--remote', 'remote.git'],
      options,
    )
    expect(again).toMatchObject({ pushes: [{ commits: 1, verified: 1, remote }] })
    expect(commits(remote)).toEqual(commits(repository))
    expect(git(remote, ['for-each-ref', '--format=%(refname)'])).toBe('refs/heads/main')
    expect(git(remote, ['fsck', '--strict'])).toBe('')

    git(dir, ['clone', '--quiet', '--bare', remote, 'clone.git'])
    await rowbackJson(['restore', 'latest', '--to', 'out', '--repo', 'clone.git'], options)
    expect(facts(join(dir, 'out', 'app.db'))).toEqual(facts(source))
  })

  test('and a relative path is one from its own directory, wherever the next run starts.', async () => {
    const found = place()
    const { dir, source, repository, remote, options } = found
    expect((await backup(found, '--remote', 'remote.git')).stdout).toContain(`pushed 1 commit to ${remote}`)
    addNote(found, 'four')
    const elsewhere = { ...options, cwd: tempDir() }
    expect(await rowback(['backup', source, '--repo', repository], elsewhere)).toMatchObject({ code: 0 })
    expect((await rowback(['push', '--repo', repository], elsewhere)).stdout).toContain('pushed 1 commit')

    git(repository, ['remote', 'add', 'copy', '../copy.git'])
    const copy = bareRepository(join(dir, 'copy.git'))
    const named = await rowback(['push', '--repo', repository, '--remote', 'copy'], elsewhere)
    expect(named).toMatchObject({ code: 0, stdout: expect.stringContaining('pushed 2 commits to copy') })
    expect(commits(copy)).toEqual(commits(remote))

    const settings = join(dir, 'rowback.yaml')
    writeFileSync(settings, 'source: app.db\nrepository: repo.git\nremote: remote.git\n')
    git(dir, ['clone', '--quiet', '--bare', remote, 'other.git'])
    addNote(found, 'theirs')
    const other = ['backup', 'app.db', '--repo', 'other.git', '--remote', 'remote.git']
    expect(await rowback(other, options)).toMatchObject({ code: 0 })
    addNote(found, 'ours')
    const refused = await rowback(['backup', '--config', settings], elsewhere)
    expect(refused.code).toBe(12)
    expect(refused.stderr).toContain('the remote has a commit that this repository lacks: ')
    expect(refused.stderr).toContain('"app: 1 row added" by Rowback <rowback@localhost>, of ')
  })

  test('goes on, on the branch that it began on, where nobody names it any more.', async () => {
    const found = place()
    const { dir, repository, remote, options } = found
    const settings = join(dir, 'rowback.yaml')
    writeFileSync(settings, 'branch: hosts/nas\n')
    expect(await backup(found)).toMatchObject({ code: 0 })
    rmSync(settings)
    addNote(found, 'four')
    expect(await backup(found, '--remote', remote)).toMatchObject({ code: 0, stderr: '' })
    const log = await rowbackJson<{ commits: object[] }>(['log', '--repo', 'repo.git'], options)
    expect(log.commits).toHaveLength(2)
    expect(git(remote, ['for-each-ref', '--format=%(refname)'])).toBe('refs/heads/hosts/nas')
    // HEAD may name a branch that nobody has begun.
    git(repository, ['symbolic-ref', 'HEAD', 'refs/heads/none'])
    git(repository, ['branch', '-m', 'hosts/nas', 'main'])
    addNote(found, 'five')
    expect(await backup(found)).toMatchObject({ code: 0, stderr: '' })
    expect(commits(repository)).toHaveLength(3)
  })

  test('that finds nothing changed pushes nothing and says so.', async () => {
    const found = placeIn(await pushedPlace())
    const done = await backup(found, '--remote', found.remote)
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toMatch(/^nothing changed since [0-9a-f]{10}\n.*remote\.git is up to date\n$/)
  })

  test('keeps its commit where the remote is gone, and the next run pushes all.', async () => {
    const found = place()
    const { dir, repository, remote, options } = found
    renameSync(remote, join(dir, 'away.git'))
    const failed = await backup(found, '--remote', remote)
    expect(failed).toEqual({
      code: 12,
      stdout: expect.stringContaining(' app: first backup, 3 rows, 0 assets\n  note: 3 added\n'),
      stderr: `rowback: read remote ${remote}: there is no such repository ('${remote}' does not appear to be a git repository); the commit is safe in repo.git
rowback: try: git ls-remote ${remote}
`,
    })
    expect(commits(repository)).toHaveLength(1)

    addNote(found, 'four')
    const json = await backup(found, '--remote', remote, '--json')
    expect(json.code).toBe(12)
    const [, commit] = commits(repository)
    expect(JSON.parse(json.stdout)).toMatchObject({ commit, pushes: [], error: { code: 'remote' } })
    // With nothing new to commit the failure must not be forgotten.
    expect(await backup(found, '--remote', remote)).toMatchObject({ code: 12 })

    renameSync(join(dir, 'away.git'), remote)
    const done = await backup(found, '--remote', remote)
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toMatch(/^nothing changed since [0-9a-f]{10}\npushed 2 commits to .*, 1 verified\n$/)
    expect(commits(remote)).toEqual(commits(repository))

    addNote(found, 'five')
    await backup(found)
    expect(commits(remote)).toHaveLength(2)
    expect(await rowback(['push', '--repo', 'repo.git'], options)).toEqual({
      code: 0,
      stdout: `pushed 1 commit to ${remote}, 1 verified\n`,
      stderr: '',
    })
    expect(await rowback(['push', '--repo', 'repo.git'], options)).toMatchObject({
      stdout: `${remote} is up to date\n`,
    })
    expect(commits(remote)).toEqual(commits(repository))
  })

  test('says in one line that an address does not answer.', async () => {
    const found = place()
    const failed = await backup(found, '--remote', 'http://127.0.0.1:1/x.git', '--retries', '0')
    expect(failed).toEqual({
      code: 12,
      stdout: saysCommit,
      stderr: expect.stringMatching(
        /^rowback: read remote http:\/\/127\.0\.0\.1:1\/x\.git: it is unreachable \([^\n]+\); the commit is safe in repo\.git\nrowback: try: [^\n]+\n$/,
      ),
    })
    expect(commits(found.repository)).toHaveLength(1)
  })

  test('keeps its commit where the remote refuses it.', async () => {
    const found = place()
    const { repository, remote } = found
    writeHook(remote, 'pre-receive', 'echo "append only, please" >&2; exit 1')
    const failed = await backup(found, '--remote', remote)
    expect(failed).toEqual({
      code: 12,
      stdout: saysCommit,
      stderr: expect.stringMatching(
        /^rowback: push to [^\n]+: the remote refused it: [^\n]*\(pre-receive hook declined\) \(append only, please\); the commit is safe in repo\.git\nrowback: try: [^\n]+\n$/,
      ),
    })
    expect(commits(remote)).toEqual([])
    expect(commits(repository)).toHaveLength(1)
    rmSync(join(remote, 'hooks'), { recursive: true })
    expect(await backup(found, '--remote', remote)).toMatchObject({ code: 0 })
    expect(commits(remote)).toEqual(commits(repository))
  })

  test('removes the lock that a push that was killed has left in a directory, and none that is held.', async (context) => {
    if (process.platform !== 'linux') return context.skip('it needs /proc')
    const found = place()
    const { repository, remote } = found
    const lock = join(remote, 'refs', 'heads', 'main.lock')
    writeFileSync(lock, '')
    utimesSync(lock, 0, 0)
    const holder = spawn('sh', ['-c', `exec 9>>${lock}; echo ready; read line`], { cwd: found.dir })
    onTestFinished(() => void holder.kill('SIGKILL'))
    await once(holder.stdout, 'data')
    const refused = await backup(found, '--remote', remote)
    expect(refused).toMatchObject({ code: 12, stderr: expect.stringMatching(/main\.lock': File exists/) })
    expect(existsSync(lock)).toBe(true)

    holder.stdin.end('\n')
    await once(holder, 'exit')
    expect(await backup(found, '--remote', remote)).toMatchObject({ code: 0, stderr: '' })
    expect(existsSync(lock)).toBe(false)
    expect(commits(remote)).toEqual(commits(repository))
  })

  test('sends the commit that it has proved, though the branch moves meanwhile.', async () => {
    const found = place()
    const { dir, repository, remote } = found
    await backup(found)
    const proved = commits(repository)
    let isMoved = false
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase !== 'push' || isMoved) return
      isMoved = true
      addNote(found, 'meanwhile')
      const program = [join(projectRoot, 'bin', 'rowback.js'), 'backup', 'app.db', '--repo', 'repo.git']
      execFileSync(process.execPath, program, { cwd: dir })
    }
    expect(await push({ repository, remotes: [{ url: remote }], onProgress })).toMatchObject([{ commits: 1 }])
    expect(commits(remote)).toEqual(proved)
    expect(commits(repository)).toHaveLength(2)
  })

  test('proves and counts commits of a side branch, though they are older than what the remote has.', async () => {
    const found = placeIn(await pushedPlace())
    const { repository, remote, options } = found
    addNote(found, 'four')
    await backup(found, '--remote', remote)
    const [first = '', known = ''] = commits(repository)
    const side = sideCommit(repository, `${first}^{tree}`, [first])
    addNote(found, 'five')
    await backup(found)
    const tip = sideCommit(repository, 'main^{tree}', ['main', side])
    git(repository, ['update-ref', 'refs/heads/main', tip])
    expect(await rowbackJson(['push', '--repo', 'repo.git', '--remote', remote], options)).toMatchObject({
      pushes: [{ commits: 3 }],
    })
    expect(commits(remote)).toHaveLength(5)

    git(repository, ['update-ref', 'refs/heads/main', known])
    const bad = craftCommit(repository, crafted['whose rows are out of order']?.changes ?? {})
    const damaged = sideCommit(repository, `${bad}^{tree}`, [first])
    const merge = sideCommit(repository, `${tip}^{tree}`, [tip, damaged])
    git(repository, ['update-ref', 'refs/heads/main', merge])
    const refused = await rowback(['push', '--repo', 'repo.git', '--remote', remote], options)
    expect(refused).toMatchObject({ code: 13, stdout: '' })
    expect(refused.stderr).toContain(`push to ${remote}: verify ${damaged.slice(0, 12)}: `)
    expect(commits(remote)).toHaveLength(5)
  })

  test('never overwrites what somebody else has pushed.', async () => {
    const found = place()
    const { dir, remote } = found
    const other = foreignRepository(join(dir, 'other'), 'main')
    git(other, ['push', '--quiet', remote, 'main'])
    const theirs = commits(remote)
    const failed = await backup(found, '--remote', remote)
    expect(failed).toMatchObject({ code: 12, stdout: saysCommit })
    expect(failed.stderr).toMatch(
      /the remote has a commit that this repository lacks, in a history of its own: [0-9a-f]{10} "hello" by A <a@example.org>, of \d{4}-\d\d-\d\d \d\d:\d\d UTC; nothing was pushed, the commit is safe in/,
    )
    expect(commits(remote)).toEqual(theirs)
  })
})

describe('a push that is larger than a part', () => {
  test('goes in parts that the remote accepts, and leaves nothing but the branch.', async () => {
    const found = place()
    const { dir, source, repository, remote } = found
    git(remote, ['config', 'receive.maxInputSize', '300k'])
    execFileSync('sqlite3', [
      source,
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<2000)
       INSERT INTO note(text) SELECT hex(randomblob(1000)) FROM n`,
    ])
    const refused = await backup(found, '--remote', remote)
    expect(refused).toMatchObject({ code: 12, stdout: saysCommit })
    expect(refused.stderr).toContain('pack exceeds maximum allowed size')
    expect(commits(remote)).toEqual([])

    const remotes = [{ url: remote }]
    const [pushed] = await push({ repository, remotes, partBytes: 250_000 })
    expect(pushed?.parts).toBeGreaterThan(5)
    expect(commits(remote)).toEqual(commits(repository))
    expect(git(remote, ['for-each-ref', '--format=%(refname)'])).toBe('refs/heads/main')
    git(dir, ['clone', '--quiet', '--bare', remote, 'clone.git'])
    await rowbackJson(['verify', '--repo', 'clone.git'], found.options)
    expect(await push({ repository, remotes, partBytes: 250_000 })).toMatchObject([{ commits: 0, parts: 0 }])
  })
})

describe('the pre-push hook', () => {
  test('is installed, and lets pass what restores.', async () => {
    const found = place()
    const { repository, remote } = found
    await backup(found, '--verify', 'never')
    const hook = join(repository, 'hooks', 'pre-push')
    accessSync(hook, constants.X_OK)
    expect(await pushByHand(found)).toMatchObject({ code: 0, stdout: '' })
    expect(commits(remote)).toEqual(commits(repository))
    // It was the hook that proved the commit.
    expect(readFileSync(join(repository, 'rowback', 'proved'), 'utf8')).toContain(
      git(repository, ['rev-parse', 'main^{tree}']),
    )
    addNote(found, 'four')
    await backup(found)
    expect(await pushByHand(found)).toMatchObject({ code: 0 })
    expect(commits(remote)).toEqual(commits(repository))
  })

  test('is left out with --no-hook, and by a setting.', async () => {
    const found = place()
    await backup(found, '--no-hook', '--remote', found.remote)
    expect(existsSync(join(found.repository, 'hooks'))).toBe(false)
    expect(commits(found.remote)).toEqual(commits(found.repository))

    const other = place()
    writeFileSync(join(other.dir, 'rowback.yaml'), 'hook: false\n')
    await backup(other)
    expect(existsSync(join(other.repository, 'hooks'))).toBe(false)
  })

  test('is not put into a repository that is there already.', async () => {
    const found = place()
    await backup(found, '--no-hook')
    addNote(found, 'four')
    await backup(found)
    expect(existsSync(join(found.repository, 'hooks'))).toBe(false)
  })

  test("of the user's own decides, too.", async () => {
    const found = place()
    await backup(found, '--no-hook')
    writeHook(found.repository, 'pre-push', 'echo "not on a Sunday" >&2; exit 1')
    const failed = await backup(found, '--remote', found.remote)
    expect(failed).toMatchObject({ code: 12, stdout: expect.stringMatching(/^nothing changed since /) })
    expect(failed.stderr).toContain('the pre-push hook refused it (not on a Sunday); the commit is safe in')
    expect(commits(found.remote)).toEqual([])
  })
})

const chunk = 'databases/main/30-rows/note/+first/+first.sql'

function differs(line: number, values: string): string {
  return `table "note" of database "app.db": ${chunk} line ${line} came back different: ${values}`
}

/** Commits that Rowback would not make, what they do to a file, and how verify ends for them. */
const crafted: Record<string, { changes: Parameters<typeof craftCommit>[1]; code: number; says: string }> = {
  'whose rows are out of order': {
    changes: { [chunk]: (text) => text?.replace(" (1,'one')\n,(2,'two')", " (2,'two')\n,(1,'one')") },
    code: 13,
    says: differs(2, `expected "(2,'two')", found "(1,'one')"`),
  },
  'whose value is written in another way': {
    changes: { [chunk]: (text) => text?.replace("'two'", "CAST(X'74776F' AS TEXT)") },
    code: 13,
    says: differs(3, `expected "(2,CAST(X'74776F' AS TEXT))", found "(2,'two')"`),
  },
  'whose manifest counts other rows': {
    changes: { 'manifest.json': (text) => text?.replace('"rows":3', '"rows":4') },
    code: 13,
    says: 'manifest.json line 6 came back different: expected "   {\\"name\\":\\"note\\",\\"rows\\":4,\\"key\\":\\"rowid\\"}", found "   {\\"name\\":\\"note\\",\\"rows\\":3,\\"key\\":\\"rowid\\"}"',
  },
  'that holds a file of nobody': {
    changes: { 'assets/stray': () => 'x' },
    code: 13,
    says: 'the replayed data does not give assets/stray',
  },
  'that lacks its rows': {
    changes: { [chunk]: () => undefined },
    code: 13,
    says: 'manifest.json line 6 came back different',
  },
  'whose rows are followed by another statement': {
    changes: { [chunk]: (text) => `${text}ATTACH 'evil.db' AS evil;\n` },
    code: 14,
    says: `database "app.db": read dump: 30-rows/note/+first/+first.sql line 5 is no row of format 1`,
  },
  'whose script does more than a dump may': {
    changes: { 'databases/main/40-schema.sql': (text) => `${text ?? ''}DELETE FROM note;\n` },
    code: 14,
    says: 'database "app.db": read dump: 40-schema.sql holds what a dump may not hold: "DELETE FROM note"',
  },
}

describe('a commit that does not verify is not pushed:', () => {
  for (const [name, { changes, code, says }] of Object.entries(crafted))
    test(`one ${name}.`, async () => {
      const found = placeIn(await pushedPlace())
      const { repository, remote, options } = found
      const before = commits(remote)
      expect(before).toHaveLength(1)
      const commit = craftCommit(repository, changes)
      expect(git(repository, ['diff', '--name-only', 'main~1', 'main'])).toBe(Object.keys(changes).join('\n'))

      const verified = await rowback(['verify', commit, '--repo', 'repo.git'], options)
      const finding = `verify ${commit.slice(0, 12)}: ${says}`
      expect(verified).toEqual({ code, stdout: '', stderr: expect.stringContaining(`rowback: ${finding}`) })
      expect(verified.stderr.match(/^rowback: (?!try: )/gm)).toHaveLength(1)

      const byHand = await pushByHand(found)
      expect(byHand.code).not.toBe(0)
      expect(byHand.stderr).toContain(`rowback: ${finding}`)
      expect(byHand.stderr).toContain(
        `rowback: ${commit} was not pushed, nor any commit with it
rowback: try: rowback verify ${commit}, and to push all the same: git push --no-verify
`,
      )
      expect(commits(remote)).toEqual(before)

      const pushed = await rowback(['push', '--repo', 'repo.git', '--remote', remote], options)
      const lookup = `rowback: try: rowback verify ${commit.slice(0, 12)}, and to push all the same: `
      expect(pushed).toMatchObject({ code, stdout: '' })
      expect(pushed.stderr).toContain(`rowback: push to ${remote}: ${finding}`)
      expect(pushed.stderr).toMatch(/; nothing was pushed\nrowback: try: /)
      expect(pushed.stderr).toContain(
        `${lookup}git --git-dir=${repository} push --no-verify ${remote} main\n`,
      )
      expect(commits(remote)).toEqual(before)

      // Nor does it leave with a good one on top.
      addNote(found, 'four')
      await backup(found, '--remote', remote)
      expect(commits(remote)).toEqual(before)
      expect(existsSync(join(found.dir, 'evil.db'))).toBe(false)
    })
})
