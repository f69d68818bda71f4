/** Databases that need a SQLite extension of the application, with it and without it. */

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { projectRoot, rowback, rowbackJson } from '../support/cli.ts'
import { tempDir } from '../support/temp.ts'

/** Compiles the extension; says so and returns undefined without a compiler; in CI, where every test must run, throws. */
function compiledExtension(dir: string): string | undefined {
  const library = join(dir, 'app.so')
  const { status, stderr } = spawnSync('gcc', [
    ...['-shared', '-fPIC', '-o', library, join(projectRoot, 'test', 'support', 'extension.c')],
    ...['-isystem', join(projectRoot, 'node_modules', 'better-sqlite3', 'deps', 'sqlite3')],
  ])
  if (status === 0) return library
  const cause = String(stderr ?? 'there is no gcc').trim()
  if (process.env.CI) throw new Error(`the tests of extensions cannot compile one: ${cause}`)
  console.warn(`SKIPPED, it needs gcc and sqlite3ext.h to make an extension: ${cause}`)
  return undefined
}

function openWith(library: string, file: string): Database.Database {
  const db = new Database(file)
  db.unsafeMode(true)
  db.loadExtension(library)
  return db
}

const schema = `
  CREATE TABLE t(a CHECK(app_double(a)>0), b AS (app_double(a)) STORED, c TEXT COLLATE app_order, d AS (app_double(a)+1));
  INSERT INTO t(a,c) VALUES (1,'x'),(2,'z'),(3,'y'); CREATE INDEX i ON t(app_double(a)); CREATE UNIQUE INDEX j ON t(c); CREATE INDEX l ON t(d);
  CREATE TABLE k(c TEXT COLLATE app_order PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO k VALUES ('a',1),('c',2),('b',3);
  CREATE VIEW v AS SELECT app_double(a) FROM t; CREATE VIRTUAL TABLE n USING app_numbers;`

function scene(): { dir: string; library: string; source: string; repository: string } | undefined {
  const dir = tempDir()
  const library = compiledExtension(dir)
  if (library === undefined) return undefined
  const source = join(dir, 'app.db')
  openWith(library, source).exec(schema).close()
  return { dir, library, source, repository: join(dir, 'repo.git') }
}

/** What the application sees, its indexes checked against their tables. */
function contentOf(library: string, file: string): unknown {
  const db = openWith(library, file)
  try {
    return [
      'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name',
      'SELECT rowid, * FROM t NOT INDEXED',
      'SELECT a FROM t INDEXED BY i WHERE app_double(a)>2',
      'SELECT c FROM t INDEXED BY j ORDER BY c',
      'SELECT d FROM t INDEXED BY l WHERE d>0',
      'SELECT * FROM k',
      'SELECT * FROM n',
      'PRAGMA integrity_check',
    ].map((sql) => db.prepare(sql).raw().all())
  } finally {
    db.close()
  }
}

test('A database that needs an extension comes back with it, and is refused by name without it.', async () => {
  const place = scene()
  if (!place) return
  const { dir, library, source, repository } = place
  expect(await rowback(['backup', source, '--repo', repository])).toMatchObject({
    code: 10,
    stderr: expect.stringMatching(/dump (?:table|index) "\w+": no such (?:function|collation)/),
  })
  const flags = ['--repo', repository, '--extension', library]
  await rowbackJson(['backup', source, ...flags])
  await rowbackJson(['verify', ...flags])
  const output = join(dir, 'restored.db')
  await rowbackJson(['restore', 'latest', '--file', 'app.db', '--output', output, ...flags])
  expect(contentOf(library, output)).toEqual(contentOf(library, source))
  expect(contentOf(library, output)).toContainEqual([['ok']])
})

test('An extension is named in the settings, relative to them, and loads in the threads of a large database.', async () => {
  const place = scene()
  if (!place) return
  const { dir, library, source } = place
  openWith(library, source)
    .exec(
      `WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i+1 FROM n WHERE i<4000)
       INSERT INTO k SELECT 'key '||i, hex(zeroblob(1500)) FROM n`,
    )
    .close()
  const config = join(dir, 'settings.yaml')
  writeFileSync(config, `source: app.db\nrepository: repo.git\nextensions: [./app.so]\n`)
  await rowbackJson(['backup', '--config', config])
  await rowbackJson(['verify', '--config', config])
  const remote = join(dir, 'remote.git')
  spawnSync('git', ['init', '--quiet', '--bare', remote])
  expect(await rowbackJson(['push', '--config', config, '--remote', remote])).toMatchObject({
    pushes: [{ commits: 1 }],
  })
  const output = join(dir, 'restored.db')
  await rowbackJson(['restore', 'latest', '--config', config, '--file', 'main', '--output', output])
  expect(contentOf(library, output)).toEqual(contentOf(library, source))
})

test('An extension that does not load is said so, and nothing is made.', async () => {
  const dir = tempDir()
  const source = join(dir, 'app.db')
  new Database(source).exec('CREATE TABLE t(a)').close()
  writeFileSync(join(dir, 'no-library.so'), 'no library')
  for (const [name, says] of [
    ['missing.so', 'it does not exist'],
    ['no-library.so', '[^\n]+'],
  ] as const) {
    const ended = await rowback(['backup', source, '--repo', 'repo.git', '--extension', name], { cwd: dir })
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(new RegExp(`^rowback: load extension ${join(dir, name)}: ${says}\n$`))
  }
})

test('A settings file that merely lies in the working directory names no extension.', async () => {
  const dir = tempDir()
  writeFileSync(join(dir, 'rowback.yaml'), 'extensions: [./evil.so]\n')
  for (const args of [['log'], ['restore', 'latest', '--to', 'out'], ['verify']]) {
    const ended = await rowback([...args, '--repo', 'repo.git'], { cwd: dir })
    expect(ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('only a file of --config may name extensions'),
    })
  }
})
