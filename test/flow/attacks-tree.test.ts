/** Attacks by manifests, paths, trees and sizes: nothing leaves the target, nothing takes the place of a database. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { restore } from '../../src/restore.ts'
import { verify } from '../../src/verify.ts'
import { git } from '../support/git.ts'
import {
  type Attack,
  type Change,
  dump,
  expectProgramRefused,
  hostileCommit,
  hostileScene,
  testRefusals,
  treeEntry,
  writeObject,
} from '../support/hostile.ts'

const manifest = 'manifest.json'
const assets = 'assets-manifest/+first/+first.jsonl'

const replaced =
  (from: string, to: string): Change =>
  (content) =>
    content.replace(from, to)

/** The manifest with that path, and the name that follows from it, for its database. */
function databasePath(path: string, message: string | RegExp, name = path): Attack {
  const entry = `"name":${JSON.stringify(name)},"path":${JSON.stringify(path)}`
  const changes = { [manifest]: replaced('"name":"app.db","path":"app.db"', entry) }
  return { name: `a database at ${JSON.stringify(path)}`, changes, message }
}

const leaves = /its path ".*" leaves the target/

const databaseAttacks: Attack[] = [
  databasePath('../pwned.db', leaves, '%2E.%2Fpwned.db'),
  databasePath('/tmp/pwned.db', leaves, '%2Ftmp%2Fpwned.db'),
  databasePath('a/../../pwned.db', leaves, 'a%2F..%2F..%2Fpwned.db'),
  databasePath('a//pwned.db', leaves, 'a%2F%2Fpwned.db'),
  databasePath('app.db/', leaves, 'app.db%2F'),
  databasePath('app\0.db', leaves, 'app%00.db'),
  databasePath('..', leaves, '%2E%2E'),
  databasePath('app.db', 'is not named after its path', '../app.db'),
  databasePath('settings.json', 'the manifest lists it twice', 'settings.json'),
  databasePath('files/a.txt/x.db', 'is a file, no directory', 'files%2Fa.txt%2Fx.db'),
  {
    name: 'two databases at one path',
    changes: {
      [manifest]: replaced(
        '"databases": [',
        '"databases": [\n  {"name":"app.db","path":"app.db","fullText":"logical","excludedTables":[],"tables":[]},',
      ),
    },
    message: 'two databases have one path',
  },
  {
    name: 'a file that is two databases',
    changes: {
      [manifest]: (content) =>
        content
          .replace('"directory"', '"file"')
          .replace(
            '"databases": [',
            '"databases": [\n  {"name":"main","fullText":"logical","excludedTables":[],"tables":[]},',
          ),
    },
    message: 'a file is one database, not 2',
  },
]

const assetLine = (path: string): string =>
  `${JSON.stringify({ path, size: 2, mode: '0644', mtime: '1700000000.000000000', sha256: '0'.repeat(64) })}\n`
const link = (path: string, target: string): string => `${JSON.stringify({ path, symlink: target })}\n`

/** Lines in front of those of the asset manifest. */
const asset = (name: string, lines: string, message: string | RegExp): Attack => ({
  name,
  changes: { [assets]: (content) => lines + content },
  message,
})

const notSafe = 'its path is not safe'
const twice = 'the manifest lists it twice'

const assetAttacks: Attack[] = [
  ...[
    '../pwned',
    '/tmp/pwned',
    'a/../../pwned',
    'a//b',
    './a',
    'a/.',
    '',
    'a\0b',
    '\ud800',
    'x'.repeat(5000),
  ].map((path) => asset(`at ${JSON.stringify(path.slice(0, 20))}`, assetLine(path), notSafe)),
  asset('in place of the database', assetLine('app.db'), twice),
  asset('in place of its write-ahead log', assetLine('app.db-wal'), twice),
  asset('in place of its shared memory', assetLine('app.db-shm'), twice),
  asset('in place of its journal', assetLine('app.db-journal'), twice),
  asset('a symlink in place of its journal', link('app.db-journal', '/etc/passwd'), twice),
  asset('below the database', assetLine('app.db/x'), 'is a file, no directory'),
  asset('below a symlink', link('out', '/tmp') + assetLine('out/pwned'), 'out is a symlink, no directory'),
  asset('in a directory that is a symlink', link('files', '..'), 'files is a symlink, no directory'),
  asset('the same twice', assetLine('settings.json'), twice),
  asset('a symlink to a text with NUL', link('x', 'a\0b'), 'its symlink has no valid target'),
  asset('setuid', assetLine('x').replace('0644', '4755'), 'its mode is not'),
  asset('of a negative size', assetLine('x').replace('"size":2', '"size":-2'), 'its size is no number'),
  asset(
    'of a size beyond all integers',
    assetLine('x').replace('"size":2', '"size":1e300'),
    'its size is no number',
  ),
  asset('with a key of its own', assetLine('x').replace('{', '{"__proto__":1,'), 'its keys are not'),
  asset('written in another way', assetLine('x').replace('{', '{ '), 'not in canonical form'),
  asset('without content', assetLine('x'), 'the commit does not hold it'),
  {
    name: 'with far more content than the manifest says',
    changes: { 'assets/settings.json': () => Buffer.alloc(50_000_000) },
    message: 'it has 50000000 bytes where the manifest says 2',
  },
  {
    name: 'with other content',
    changes: { 'assets/settings.json': () => '[]' },
    message: 'its sha256 is not',
  },
  {
    name: 'a line without an end',
    changes: { [assets]: (content) => content.trimEnd() },
    message: 'its last line has no end',
  },
]

const isLong = /are more than a dump has in one/

const sizeAttacks: Attack[] = [
  {
    name: 'a manifest of 20 MB',
    changes: { [manifest]: (content) => content + ' '.repeat(20e6) },
    message: isLong,
  },
  { name: 'an asset manifest of 20 MB', changes: { [assets]: () => ' '.repeat(20e6) }, message: isLong },
  {
    name: 'a manifest that is nested millions deep',
    changes: { [manifest]: () => '['.repeat(8e6) },
    message: 'read manifest',
  },
  {
    name: 'an asset that is nested millions deep',
    changes: { [assets]: () => `{"path":${'['.repeat(4e6)}${']'.repeat(4e6)}}\n` },
    message: 'it has no path',
  },
  {
    name: 'more rows than there are integers',
    changes: { [manifest]: replaced('"rows":2', '"rows":1e300') },
    message: 'read manifest',
  },
  {
    name: 'less than no rows',
    changes: { [manifest]: replaced('"rows":2', '"rows":-2') },
    message: 'read manifest',
  },
  {
    name: 'a key of no format',
    changes: { [manifest]: replaced('"fullText"', '"__proto__":{"x":1},"fullText"') },
    message: 'read manifest',
  },
  { name: 'no manifest of an object', changes: { [manifest]: () => 'null' }, message: 'read manifest' },
]

const oidOf = (repository: string, path: string): string => git(repository, ['rev-parse', path])

/** The tree with another folder for the database, given its entries in the order of their names. */
function withDump(change: (entries: Buffer[]) => Buffer[]) {
  return (repository: string, tree: string): string => {
    const names = ['10-open.sql', '20-tables.sql', '30-rows', '40-schema.sql', '90-close.sql']
    const entries = names.map((name) =>
      treeEntry(name === '30-rows' ? '40000' : '100644', name, oidOf(repository, `${tree}:${dump}/${name}`)),
    )
    const folder = writeObject(repository, 'tree', Buffer.concat(change(entries)))
    const databases = writeObject(repository, 'tree', treeEntry('40000', 'app.db', folder))
    return withEntry(repository, tree, 'databases', '40000', databases)
  }
}

/** The root tree with one entry replaced. */
function withEntry(repository: string, tree: string, name: string, mode: string, oid: string): string {
  const entries = git(repository, ['ls-tree', tree]).split('\n')
  const found = entries.map((line) => {
    const [, itsMode = '', itsOid = '', itsName = ''] = /^(\d+) \w+ (\w+)\t(.*)$/.exec(line) ?? []
    return itsName === name
      ? treeEntry(mode, name, oid)
      : treeEntry(itsMode.replace(/^0/, ''), itsName, itsOid)
  })
  return writeObject(repository, 'tree', Buffer.concat(found))
}

/** A tree of ten to the tenth files, in eleven objects. */
function bomb(repository: string, tree: string): string {
  let oid = writeObject(repository, 'blob', 'x')
  for (let depth = 0; depth < 10; depth++) {
    const mode = depth === 0 ? '100644' : '40000'
    const entries = Array.from({ length: 10 }, (_, index) => treeEntry(mode, `entry-${index}`, oid))
    oid = writeObject(repository, 'tree', Buffer.concat(entries))
  }
  return withEntry(repository, tree, 'databases', '40000', oid)
}

const outOfPlace = 'it is there twice, or not in its place'
const schema = `${dump}/40-schema.sql`

const treeAttacks: Attack[] = [
  {
    name: 'a symlink for a manifest',
    changes: { [manifest]: (content) => content },
    mode: '120000',
    message: 'its mode is 120000',
  },
  {
    name: 'a symlink for a script',
    changes: { [schema]: () => '/etc/passwd' },
    mode: '120000',
    message: 'its mode is 120000',
  },
  {
    name: 'a program',
    changes: { 'assets/settings.json': () => '{}' },
    mode: '100755',
    message: 'its mode is 100755',
  },
  {
    name: 'a submodule',
    tree: (repository, tree) => withEntry(repository, tree, 'assets', '160000', '1'.repeat(40)),
    message: 'its mode is 160000',
  },
  {
    name: 'rows behind the triggers',
    tree: withDump(([a, b, c, d, e]) => [a, b, d, c, e] as Buffer[]),
    message: outOfPlace,
  },
  {
    name: 'a script twice',
    tree: withDump(([a, b, c, d, e]) => [a, b, c, d, d, e] as Buffer[]),
    message: outOfPlace,
  },
  { name: 'ten thousand million files', tree: bomb, message: 'it lists more files than a dump can have' },
]

describe.each([
  { kind: 'a database', attacks: databaseAttacks },
  { kind: 'an asset', attacks: assetAttacks },
  { kind: 'a size or a number', attacks: sizeAttacks },
  { kind: 'a tree', attacks: treeAttacks },
])('$kind that no backup has is refused:', ({ attacks }) => testRefusals(attacks))

test('a commit message of 20 MB is refused.', async () => {
  const scene = await hostileScene()
  const { repository } = scene
  const commit = git(repository, ['cat-file', 'commit', 'main'])
  const long = writeObject(repository, 'commit', `${commit}\n${'x'.repeat(20e6)}\n`)
  await expectProgramRefused(scene, long, { code: 'dump', message: isLong })
})

test('a source whose file name leaves the target gets a plain one.', async () => {
  const scene = await hostileScene()
  const { dir, repository } = scene
  const commitMessage = 'x\n\nRowback-Format: 1\nRowback-Source: "../../pwned.db"'
  const changes: Record<string, Change> = {
    [manifest]: (content) =>
      content.replace('"directory"', '"file"').replace('"name":"app.db","path":"app.db"', '"name":"main"'),
  }
  for (const path of git(repository, ['ls-tree', '-r', '--name-only', 'main', dump]).split('\n')) {
    changes[path.replace('app.db', 'main')] = () => git(repository, ['show', `main:${path}`]).concat('\n')
  }
  const commit = hostileCommit(scene, { changes, commitMessage })
  const before = readdirSync(dir)
  await restore({ repository, rev: commit, target: join(dir, 'out') })
  expect(readdirSync(join(dir, 'out')).sort()).toEqual(['database.db', 'files', 'settings.json'])
  expect(readdirSync(dir).sort()).toEqual([...before, 'out'].sort())
  expect(existsSync(join(dir, '..', 'pwned.db'))).toBe(false)
})

describe('verify', () => {
  test('proves no tree with a file that no backup has.', async () => {
    const scene = await hostileScene()
    const commit = hostileCommit(scene, { changes: { 'hooks/post-checkout': () => '#!/bin/sh\n' } })
    const refused = verify({ repository: scene.repository, rev: commit })
    await expect(refused).rejects.toMatchObject({ code: 'difference' })
  })

  test('calls a schema that cannot be dumped again a difference.', async () => {
    const scene = await hostileScene()
    const sql = `PRAGMA writable_schema=ON;\nUPDATE sqlite_schema SET sql='CREATE TABLE note(id PRIMARY KEY) WITHOUT ROWID' WHERE type='table' AND name='note';\nPRAGMA writable_schema=RESET;\n`
    const commit = hostileCommit(scene, { changes: { [schema]: (content) => content + sql } })
    const refused = verify({ repository: scene.repository, rev: commit })
    await expect(refused).rejects.toMatchObject({ code: expect.stringMatching(/^(?:difference|dump)$/) })
    expect(readFileSync(join(scene.dir, 'sentinel'), 'utf8')).toBe('as it was\n')
  })
})
