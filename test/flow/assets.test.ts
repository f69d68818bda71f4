/** Assets that are not plain files which can be read: from the source to the commit and back. */

import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { BackupResult } from '../../src/backup.ts'
import type { RestoreResult } from '../../src/restore.ts'
import { contents, rowback as rowbackProcess } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { craftCommit, filesOf, git, gitBytes } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { canRunAsNobody, nobody } from '../support/rights.ts'
import { tempDir } from '../support/temp.ts'

/** Gives a repository to a user; git reads none that belongs to somebody else. */
function giveTo(owner: number, { repository }: Place): void {
  execFileSync('chown', ['-R', `${owner}`, repository])
}

interface Place {
  source: string
  repository: string
  settings: string
}

/** A data directory with a database and assets, and settings that name it, all of which a user without rights can use. */
function place(sql: string, assets: Record<string, string>, settings = ''): Place {
  const dir = tempDir()
  const [source, repository] = [join(dir, 'data'), join(dir, 'repo.git')]
  mkdirSync(source)
  databaseFrom(sql, join(source, 'app.db'))
  for (const [path, content] of Object.entries(assets)) {
    mkdirSync(join(source, path, '..'), { recursive: true })
    writeFileSync(join(source, path), content)
  }
  const file = join(dir, 'rowback.yaml')
  writeFileSync(file, `source: data\nrepository: repo.git\nname: app\n${settings}`)
  execFileSync('chmod', ['-R', 'a+rwX', dir])
  return { source, repository, settings: file }
}

function backup({ settings }: Place, options: { uid?: number } = {}) {
  const args = ['backup', '--config', settings, '--json']
  return options.uid === undefined ? rowback(args) : rowbackProcess(args, options)
}

/** The lines of the asset manifest of the latest commit. */
function manifestLines({ repository }: Place): string[] {
  const paths = [...filesOf(repository, 'main').keys()].filter((path) => path.startsWith('assets-manifest/'))
  return paths.flatMap((path) => git(repository, ['show', `main:${path}`]).split('\n'))
}

const note = 'CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1, 1)'

function latin1Path(dir: string, name: string): Buffer {
  return Buffer.concat([Buffer.from(`${dir}/`), Buffer.from(name, 'latin1')])
}

test('names that are not UTF-8 come back to the byte, alone and with all the rest, and git fsck is content.', async () => {
  const at = place(note, { 'caf%E9': 'plain' })
  mkdirSync(latin1Path(at.source, 'caf\xe9'))
  writeFileSync(latin1Path(at.source, 'caf\xe9/\xff.txt'), 'odd')
  symlinkSync(Buffer.from('\xfe', 'latin1'), latin1Path(at.source, 'caf\xe9/link'))
  await rowbackJson(['backup', '--config', at.settings])
  await rowbackJson(['verify', '--config', at.settings])
  expect(manifestLines(at).map((line) => JSON.parse(line).path)).toEqual([
    'caf%E9',
    'caf\udce9/link',
    'caf\udce9/\udcff.txt',
  ])
  expect([...filesOf(at.repository, 'main').keys()].filter((path) => path.startsWith('assets/'))).toEqual([
    'assets/%FFcaf%E9/%FF%FF.txt',
    'assets/caf%E9',
  ])
  git(at.repository, ['fsck', '--strict'])

  const target = join(tempDir(), 'target')
  await rowbackJson(['restore', 'latest', '--config', at.settings, '--to', target])
  const [odd] = readdirSync(target, { encoding: 'buffer' }).filter((name) => name.includes(0xe9)) as [Buffer]
  const names = readdirSync(Buffer.concat([Buffer.from(`${target}/`), odd]), { encoding: 'latin1' })
  expect(names.sort()).toEqual(['link', '\xff.txt'])
  expect(readFileSync(latin1Path(target, 'caf\xe9/\xff.txt'), 'utf8')).toBe('odd')

  const shown = (await rowback(['show', 'latest', '--config', at.settings])).stdout
  const name = /"caf\\udce9\/\\udcff.txt"/.exec(shown)?.[0] ?? ''
  const output = join(tempDir(), 'one')
  await rowbackJson(['restore', 'latest', '--config', at.settings, '--file', name, '--output', output])
  expect(readFileSync(output, 'utf8')).toBe('odd')

  expect(JSON.parse((await backup(at)).stdout)).toMatchObject({ subject: 'nothing changed' })
})

test('what cannot be read is named, the rest is committed as partial, and the exit code is 10 until it can.', async (context) => {
  if (!(await canRunAsNobody())) return context.skip()
  const at = place(note, { 'a.txt': 'a', 'closed.txt': 'sixteen bytes and more', 'dir/x': 'x', short: 's' })
  for (const path of ['closed.txt', 'dir', 'short']) chmodSync(join(at.source, path), 0)
  const first = await backup(at, { uid: nobody })
  expect(first.code).toBe(10)
  const denied = ['closed.txt', 'dir', 'short'].map((path) => ({ path, problem: 'permission denied' }))
  const { unreadable, latest, subject, error } = JSON.parse(first.stdout) as BackupResult & { error: object }
  expect(unreadable.toSorted((a, b) => (a.path < b.path ? -1 : 1))).toEqual(denied)
  expect(first.stderr).toContain('rowback: read closed.txt: permission denied; it is not in the commit\n')
  expect(error).toMatchObject({
    code: 'source',
    message: `back up: 3 paths could not be read; the rest is committed as ${latest.slice(0, 10)}`,
    hint: expect.stringContaining('let this user read what is named above, or exclude it'),
  })
  expect(subject).toBe('app: first backup, 1 row, 1 asset; partial, 3 unreadable')
  giveTo(process.getuid?.() ?? 0, at)
  expect(git(at.repository, ['log', '-1', '--format=%(trailers:key=Rowback-Partial)', 'main'])).toBe(
    'Rowback-Partial: 3',
  )
  expect(manifestLines(at)).toEqual([
    expect.stringContaining('"a.txt"'),
    '{"path":"closed.txt","unreadable":true}',
    '{"path":"dir","unreadable":true}',
    '{"path":"short","unreadable":true}',
  ])
  giveTo(nobody, at)
  expect((await rowbackProcess(['log', '--config', at.settings], { uid: nobody })).stdout).toContain(
    '; partial, 3',
  )

  // Nothing has changed, nor has what is wrong.
  const second = await backup(at, { uid: nobody })
  expect([second.code, (JSON.parse(second.stdout) as BackupResult).commit]).toEqual([10, undefined])
  expect((JSON.parse(second.stdout) as BackupResult).unreadable).toHaveLength(3)

  const verified = await rowbackProcess(['verify', '--config', at.settings], { uid: nobody })
  expect(verified.code).toBe(0)
  expect(verified.stderr).toContain('is partial: 3 paths could not be read when it was made')
  const target = join(tempDir(), 'target')
  const restored = await rowback(['restore', 'latest', '--config', at.settings, '--to', target, '--json'])
  expect(restored.code).toBe(0)
  expect((JSON.parse(restored.stdout) as RestoreResult).withoutContent).toEqual(
    denied.map(({ path }) => ({ path, kind: 'unreadable' })),
  )
  expect(restored.stderr).toContain('dir could not be read when the commit was made, and is missing')
  expect(readdirSync(target).sort()).toEqual(['a.txt', 'app.db'])

  for (const path of ['closed.txt', 'dir', 'short']) chmodSync(join(at.source, path), 0o755)
  const third = JSON.parse((await backup(at, { uid: nobody })).stdout) as BackupResult
  expect([third.subject, third.unreadable]).toEqual(['app: 3 assets added', []])
})

test('a commit never loses a database because its file or folder cannot be read.', async (context) => {
  if (!(await canRunAsNobody())) return context.skip()
  const at = place(note, { 'a.txt': 'a' })
  mkdirSync(join(at.source, 'sub'))
  databaseFrom(note, join(at.source, 'sub/other.db'))
  execFileSync('chmod', ['-R', 'a+rwX', at.source])
  expect((await backup(at, { uid: nobody })).code).toBe(0)
  const latest = async () => (await rowbackProcess(['log', '--config', at.settings], { uid: nobody })).stdout
  const before = await latest()
  for (const path of ['sub/other.db', 'sub']) {
    chmodSync(join(at.source, path), 0)
    const { code, stdout } = await backup(at, { uid: nobody })
    expect([code, JSON.parse(stdout).error.message]).toEqual([
      10,
      `read ${path}: permission denied, and the last commit has a database there; nothing was committed`,
    ])
    chmodSync(join(at.source, path), 0o777)
  }
  expect(await latest()).toBe(before)
})

/** Writes to a file all the time, from a process of its own, until the test ends. */
async function writeAllTheTime(file: string): Promise<void> {
  const program = `const fs = require('node:fs'), file = fs.openSync(process.argv[1], 'a')
    process.stdout.write('.')
    for (;;) fs.writeSync(file, 'x')`
  const writer = spawn(process.execPath, ['-e', program, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise((resolve) => writer.once('exit', resolve))
  onTestFinished(async () => {
    writer.kill('SIGKILL')
    await ended
  })
  await new Promise((resolve) => writer.stdout.once('data', resolve))
}

test.each([
  ['warn', 0],
  ['fail', 10],
])(
  'a file that never holds still is recorded as unstable; with "unstable: %s" the exit code is %i.',
  async (mode, code) => {
    const at = place(note, { 'app.log': 'x'.repeat(9 << 20) }, `assets: { unstable: ${mode} }\n`)
    await writeAllTheTime(join(at.source, 'app.log'))
    const ended = await backup(at)
    expect(ended.code).toBe(code)
    const result = JSON.parse(ended.stdout) as BackupResult & { error?: { code: string; message: string } }
    expect(result.unstable).toEqual(['app.log'])
    expect(result.commit).toBe(git(at.repository, ['rev-parse', 'main']))
    expect(ended.stderr).toContain('read app.log: it kept changing; it is in the commit as it was found')
    if (code > 0)
      expect(result.error?.message).toContain('back up: 1 file kept changing; all is committed as ')
    const [line] = manifestLines(at)
    expect(line).toMatch(/"sha256":"[0-9a-f]{64}","unstable":true}$/)
    const content = gitBytes(at.repository, ['show', 'main:assets/app.log'])
    expect(content.length).toBe(JSON.parse(line as string).size)
    expect(git(at.repository, ['log', '-1', '--format=%(trailers:key=Rowback-Unstable)', 'main'])).toBe(
      'Rowback-Unstable: 1',
    )
    const verified = await rowback(['verify', '--config', at.settings])
    expect([verified.code, verified.stderr]).toEqual([
      0,
      `rowback: 1 asset of ${result.latest.slice(0, 10)} kept changing when it was made\n`,
    ])
  },
)

const manifestOnly = `assets:
  rules:
    - { match: [favicons/keep.png], store: git }
    - { match: [favicons/], store: manifest }
    - { over: 1 kB, store: manifest }
`

test('of files that a rule keeps out, by glob or size, only the manifest line is in the commit.', async () => {
  const big = 'b'.repeat(1001)
  const files = { 'favicons/a.png': 'a', 'favicons/keep.png': 'k', big, edge: big.slice(1) }
  const at = place(note, files, manifestOnly)
  await rowbackJson(['backup', '--config', at.settings])
  const stored = [...filesOf(at.repository, 'main').keys()].filter((path) => path.startsWith('assets/'))
  expect(stored).toEqual(['assets/edge', 'assets/favicons/keep.png'])
  const sha256 = execFileSync('sha256sum', [join(at.source, 'big')], { encoding: 'utf8' }).slice(0, 64)
  const lines = manifestLines(at)
  expect(lines[0]).toMatch(
    new RegExp(`^{"path":"big","size":1001,.*"sha256":"${sha256}","store":"manifest"}$`),
  )
  expect(lines.filter((line) => line.includes('"store"'))).toHaveLength(2)
  await rowbackJson(['verify', '--config', at.settings])

  const target = join(tempDir(), 'target')
  const restored = await rowback(['restore', 'latest', '--config', at.settings, '--to', target])
  expect(restored.stderr).toContain('2 files kept as manifest lines only did not come back')
  expect(
    contents(target)
      .filter((line) => !line.startsWith('app.db'))
      .map((line) => line.split(' ')[0]),
  ).toEqual(['edge', 'favicons/', 'favicons/keep.png'])
  const one = [
    'restore',
    'latest',
    '--config',
    at.settings,
    '--file',
    'big',
    '--output',
    join(tempDir(), 'x'),
  ]
  const refused = await rowback(one)
  expect([refused.code, refused.stderr]).toEqual([
    2,
    expect.stringContaining(
      'restore big of latest: it is kept as a line of the manifest only; nothing was written',
    ),
  ])

  // Another content is another commit; other rules are, too.
  writeFileSync(join(at.source, 'big'), `${big}c`)
  const changed = JSON.parse((await backup(at)).stdout) as BackupResult
  expect(changed.subject).toBe('app: manifest changed')
  const items = await rowbackJson<{ items?: unknown }>(['diff', 'latest~1', '--config', at.settings])
  expect(JSON.stringify(items)).toContain('{"type":"asset","path":"big","kind":"changed"}')
  writeFileSync(at.settings, readFileSync(at.settings, 'utf8').replace('1 kB', '1 MB'))
  await rowbackJson(['backup', '--config', at.settings])
  expect([...filesOf(at.repository, 'main').keys()]).toContain('assets/big')
})

test('a commit that holds a content which its manifest says is not kept does not verify.', async () => {
  const at = place(note, { 'favicons/a.png': 'a' }, manifestOnly)
  await rowbackJson(['backup', '--config', at.settings])
  craftCommit(at.repository, { 'assets/favicons/a.png': () => 'hidden' })
  expect((await rowback(['verify', '--config', at.settings])).code).toBe(13)
})

const attachments = `CREATE TABLE attachment(id INTEGER PRIMARY KEY, title, file TEXT);
  INSERT INTO attachment VALUES (1, 'here', 'a.html'), (2, 'gone', './b.html'), (3, 'none', NULL), (4, 'none', ''),
    (5, 'elsewhere', 'https://example.org/x'), (6, 'up', '../icons/i.png'), (7, 'dir', 'deep');
  CREATE TABLE icon(host TEXT PRIMARY KEY, name) WITHOUT ROWID;
  INSERT INTO icon VALUES ('a.example', 'i.png'), ('b.example', 'j.png')`

const columns = `asset-columns:
  - { table: attachment, column: file, folder: files }
  - { database: app.db, table: icon, column: name, folder: icons }
`

test('backup and verify report rows whose file is missing, and files that no row names.', async () => {
  const files = {
    'files/a.html': 'a',
    'files/lost': 'l',
    'files/deep/x': 'x',
    'icons/i.png': 'i',
    'other.txt': 'o',
  }
  const at = place(attachments, files, columns)
  const expected = {
    missing: [
      { database: 'app.db', table: 'attachment', column: 'file', row: '2', path: 'files/b.html' },
      { database: 'app.db', table: 'icon', column: 'name', row: "'b.example'", path: 'icons/j.png' },
    ],
    unnamed: ['files/deep/x', 'files/lost'],
    unknown: [],
  }
  const lines = [
    'row 2 of attachment names files/b.html, which is not there',
    "row 'b.example' of icon names icons/j.png, which is not there",
    'no row names files/deep/x',
    'no row names files/lost',
  ]
  // The second run finds nothing changed, and says it all again.
  for (const args of [['backup'], ['backup'], ['backup', '--full'], ['verify']]) {
    const { code, stdout, stderr } = await rowback([...args, '--config', at.settings, '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout).agreement).toEqual(expected)
    for (const line of lines) expect(stderr).toContain(`rowback: ${line}\n`)
  }
  execFileSync('sqlite3', [join(at.source, 'app.db'), 'CREATE TABLE other(x)'])
  expect(JSON.parse((await backup(at)).stdout)).toMatchObject({ read: 'changes', agreement: expected })
  execFileSync('sqlite3', [
    join(at.source, 'app.db'),
    "DELETE FROM attachment WHERE id = 2; UPDATE attachment SET file = 'lost' WHERE id = 7; DELETE FROM icon",
  ])
  writeFileSync(join(at.source, 'icons/j.png'), 'j')
  rmSync(join(at.source, 'files/deep'), { recursive: true })
  const { agreement } = JSON.parse((await backup(at)).stdout) as BackupResult
  expect(agreement).toEqual({ missing: [], unnamed: ['icons/j.png'], unknown: [] })
})

test('an asset column that no database has is said to be unknown.', async () => {
  const wrong = `asset-columns:
  - { table: attachment, column: nil }
  - { table: nil, column: file }
  - { database: other.db, table: attachment, column: file }
`
  const at = place(attachments, {}, wrong)
  const { code, stdout, stderr } = await backup(at)
  expect(code).toBe(0)
  expect(JSON.parse(stdout).agreement.unknown).toEqual(['attachment.nil', 'nil.file', 'attachment.file'])
  expect(stderr).toContain('asset column nil.file: no database has it')
})

test('without the settings nothing is said of rows and files.', async () => {
  const at = place(attachments, { 'files/lost': 'l' })
  const { stdout, stderr } = await backup(at)
  expect(JSON.parse(stdout).agreement).toBeUndefined()
  expect(stderr).not.toContain('names')
})
