/** What a backup proves before its branch moves, and what becomes of a commit that does not verify. */

import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { type Ended, projectRoot, rowback as rowbackProcess } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

interface Place {
  dir: string
  repository: string
  remote: string
  backup(...flags: string[]): Promise<Ended>
  /** The same with a SQLite that stores other values than those of the dump. */
  faultyBackup(...flags: string[]): Promise<Ended>
  sql(statements: string): void
}

function place(): Place {
  const dir = tempDir()
  const source = databaseFrom(
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1,'one'),(2,'two')",
    join(dir, 'app.db'),
  )
  const args = ['backup', 'app.db', '--repo', 'repo.git']
  return {
    dir,
    repository: join(dir, 'repo.git'),
    remote: bareRepository(join(dir, 'remote.git')),
    backup: (...flags) => rowback([...args, ...flags], { cwd: dir }),
    faultyBackup: (...flags) => rowbackProcess([...args, ...flags], { cwd: dir, env: faulty }),
    sql: (statements) => {
      execFileSync('sqlite3', ['-bail', source], { input: statements })
    },
  }
}

const faultySqlite = pathToFileURL(join(projectRoot, 'test', 'support', 'faulty-sqlite.js'))
const faulty = { NODE_OPTIONS: `--import=${faultySqlite}` }

const addRow = 'INSERT INTO note(text) VALUES (random())'
const addIndex = 'CREATE INDEX note_text ON note(text)'

/** The trailer of the last commit, and whether its tree was proved in this repository. */
function policy(repository: string): string {
  const trailer = git(repository, ['log', '-1', '--format=%(trailers:key=Rowback-Verify,valueonly)', 'main'])
  const tree = git(repository, ['rev-parse', 'main^{tree}'])
  const file = join(repository, 'rowback', 'proved')
  const proved = existsSync(file) && readFileSync(file, 'utf8').includes(`tree ${tree}\n`)
  return `${trailer.trim()}, ${proved ? 'proved' : 'not proved'}`
}

/** The policies of a first commit, one of rows and one of the schema. */
async function policies(flags: string[], settings?: string): Promise<string[]> {
  const { dir, repository, backup, sql } = place()
  if (settings !== undefined) writeFileSync(join(dir, 'rowback.yaml'), settings)
  const found: string[] = []
  for (const change of ['', addRow, `${addRow}; ${addIndex}`]) {
    sql(change)
    expect(await backup(...flags)).toMatchObject({ code: 0, stderr: '' })
    found.push(policy(repository))
  }
  return found
}

describe('a backup proves', () => {
  test('the first commit and changes of the schema before a push, unless told otherwise.', async () => {
    const expected = ['yes schema, proved', 'no schema, proved', 'yes schema, proved']
    expect(await policies(['--remote', 'remote.git'])).toEqual(expected)
    expect(await policies(['--remote', 'remote.git', '--verify', 'schema'], 'verify: never\n')).toEqual(
      expected,
    )
  })

  test('no commit that stays here, unless told otherwise.', async () => {
    const expected = ['no schema, not proved', 'no schema, not proved', 'no schema, not proved']
    expect(await policies([])).toEqual(expected)
  })

  test('every commit with always.', async () => {
    const expected = ['yes always, proved', 'yes always, proved', 'yes always, proved']
    expect(await policies(['--verify', 'always'])).toEqual(expected)
    expect(await policies([], 'verify: always\n')).toEqual(expected)
  })

  test('no commit with never.', async () => {
    const expected = ['no never, not proved', 'no never, not proved', 'no never, not proved']
    expect(await policies(['--verify', 'never'], 'verify: always\n')).toEqual(expected)
    expect(await policies([], 'verify: never\n')).toEqual(expected)
  })

  test('and says so, in what it prints and in the log.', async () => {
    const { dir, repository, remote, backup, sql } = place()
    expect((await backup('--remote', remote)).stdout).toMatch(/ files written, .*B, verified, in \d+\.\d s\n/)
    sql(addRow)
    const rows = JSON.parse((await backup('--json')).stdout) as { verified: boolean }
    expect(rows.verified).toBe(false)
    sql(addRow)
    expect((await backup()).stdout).not.toContain('verified')
    const repo = ['--repo', 'repo.git']
    const { commits } = await rowbackJson<{ commits: { verified: boolean }[] }>(['log', ...repo], {
      cwd: dir,
    })
    expect(commits.map(({ verified }) => verified)).toEqual([false, false, true])
    expect(await rowbackJson(['show', 'latest~2', ...repo], { cwd: dir })).toMatchObject({ verified: true })
    expect(readdirSync(join(repository, 'rowback', 'tmp'))).toEqual([])
  })

  test('nothing twice: a push leaves out what the backup proved.', async () => {
    const { dir, remote, backup, sql } = place()
    expect((await backup('--remote', remote)).stdout).toContain(`pushed 1 commit to ${remote}\n`)
    sql(addRow)
    expect((await backup('--remote', remote)).stdout).toContain(`pushed 1 commit to ${remote}, 1 verified\n`)
    sql(addRow)
    await backup('--verify', 'always')
    expect(await rowback(['push', '--repo', 'repo.git'], { cwd: dir })).toMatchObject({
      stdout: `pushed 1 commit to ${remote}\n`,
    })
  })

  test('by one of three modes.', async () => {
    const { dir, repository, backup } = place()
    const failed = await backup('--verify', 'sometimes')
    expect(failed).toMatchObject({ code: 2, stdout: '' })
    expect(failed.stderr).toContain("'sometimes' is invalid. Allowed choices are always, schema, never.")
    writeFileSync(join(dir, 'rowback.yaml'), 'verify: sometimes\n')
    expect((await backup()).stderr).toContain(
      'rowback.yaml:1: verify: expected "always" or "schema" or "never", found "sometimes"',
    )
    expect(existsSync(repository)).toBe(false)
  })
})

/** The refs of a repository. */
function refs(repository: string): string[] {
  return git(repository, ['for-each-ref', '--format=%(refname)']).split('\n')
}

/** What is said of a commit whose second note came back in other letters. */
function finding(commit: string): string {
  const chunk = 'databases/main/30-rows/note/+first/+first.sql'
  const values = `expected "(2,'two')", found "(2,'TWO')"`
  const place = 'table "note" of database "app.db"'
  return `verify ${commit.slice(0, 12)}: ${place}: ${chunk} line 3 came back different: ${values}`
}

describe('a commit that does not verify', () => {
  test('is kept aside, also the first one, and nothing else comes of it.', async () => {
    const { dir, repository, remote, backup, faultyBackup } = place()
    const failed = await faultyBackup('--remote', remote)
    const [ref = ''] = refs(repository)
    expect(refs(repository)).toHaveLength(1)
    const commit = git(repository, ['rev-parse', ref])
    expect(ref).toBe(`refs/rowback/failed/${commit.slice(0, 12)}`)
    expect(failed).toEqual({
      code: 13,
      stdout: '',
      stderr: `rowback: ${finding(commit)}; the commit is kept as ${ref}, branch main did not move, nothing was pushed
rowback: try: rowback verify ${ref}, and please report what it says
`,
    })
    expect(git(repository, ['log', '-1', '--format=%B', ref])).toMatch(/\nRowback-Verify: yes schema$/)
    expect(git(remote, ['for-each-ref'])).toBe('')
    expect(git(repository, ['fsck', '--strict'])).toBe('')
    expect(readdirSync(join(repository, 'rowback', 'tmp'))).toEqual([])

    // The same words again, and none where SQLite does what it should.
    const again = ['verify', ref, '--repo', 'repo.git']
    expect(await rowbackProcess(again, { cwd: dir, env: faulty })).toMatchObject({
      code: 13,
      stderr: `rowback: ${finding(commit)}\nrowback: try: rowback verify --all\n`,
    })
    expect(await rowback(again, { cwd: dir })).toMatchObject({ code: 0, stderr: '' })

    expect(await backup('--remote', remote)).toMatchObject({ code: 0, stderr: '' })
    expect(git(repository, ['log', '--format=%s', 'main'])).toBe('app: first backup, 2 rows, 0 assets')
    expect(refs(remote)).toEqual(['refs/heads/main'])
  })

  test('leaves the branch and the remote at the commit before, from which the next run goes on.', async () => {
    const { repository, remote, backup, faultyBackup, sql } = place()
    await backup('--remote', remote)
    const before = git(repository, ['rev-parse', 'main'])
    sql(addIndex)
    const failed = await faultyBackup('--remote', remote, '--json')
    expect(failed.code).toBe(13)
    const document = JSON.parse(failed.stdout) as { failed: { commit: string; ref: string } }
    const { commit, ref } = document.failed
    expect(document).toMatchObject({
      failed: { commit, ref: `refs/rowback/failed/${commit.slice(0, 12)}` },
      error: { code: 'difference', message: expect.stringContaining(finding(commit)) },
    })
    expect(git(repository, ['rev-parse', `${ref}~1`, 'main'])).toBe(`${before}\n${before}`)
    expect(git(remote, ['rev-parse', 'main'])).toBe(before)

    sql('INSERT INTO note VALUES (3,3)')
    expect(await backup('--remote', remote)).toMatchObject({ code: 0, stderr: '' })
    expect(git(repository, ['rev-parse', 'main~1'])).toBe(before)
    expect(git(remote, ['rev-parse', 'main'])).toBe(git(repository, ['rev-parse', 'main']))
  })

  test('is committed where no proof is asked for, and does not leave.', async () => {
    const { repository, remote, faultyBackup } = place()
    const failed = await faultyBackup('--verify', 'never', '--remote', remote)
    const commit = git(repository, ['rev-parse', 'main'])
    expect(failed).toMatchObject({ code: 13, stdout: expect.stringContaining('first backup') })
    expect(failed.stderr).toContain(`rowback: push to ${remote}: ${finding(commit)}; nothing was pushed\n`)
    expect(refs(repository)).toEqual(['refs/heads/main'])
    expect(git(remote, ['for-each-ref'])).toBe('')
  })
})
