/** Power cuts: what was not synced may be lost. A branch never points at that, and a journal never relies on it. */

import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { projectRoot } from '../support/cli.ts'
import { databaseFrom } from '../support/database.ts'
import { canTrace, type DiskCall, FragileDisk, traced } from '../support/disk-trace.ts'
import { bareRepository, git } from '../support/git.ts'
import { hasGitLfs } from '../support/lfs.ts'
import { tempDir } from '../support/temp.ts'

const program = [process.execPath, join(projectRoot, 'bin', 'rowback.js')]

function place(): { dir: string; source: string; repository: string; database: string } {
  const dir = tempDir()
  const source = join(dir, 'data')
  mkdirSync(join(source, 'up'), { recursive: true })
  writeFileSync(join(source, 'up', 'file'), 'one')
  const database = databaseFrom('CREATE TABLE t(a); INSERT INTO t VALUES (1);', join(source, 'app.db'))
  return { dir, source, database, repository: join(dir, 'repo.git') }
}

/** What could be lost at each call that matters. */
function lostAt(
  trace: DiskCall[],
  isMoment: (call: DiskCall) => boolean,
  lost: (disk: FragileDisk) => string[],
): string[][] {
  const disk = new FragileDisk()
  const found: string[][] = []
  for (const call of trace) {
    if (isMoment(call)) found.push(lost(disk))
    disk.apply(call)
  }
  return found
}

describe('After a power cut', () => {
  test.for(['native', 'embedded'])(
    'a branch points at nothing that may be lost, in a new repository and in an old one: %s engine.',
    (engine, context) => {
      if (!canTrace()) return context.skip('it needs strace')
      const { dir, source, repository, database } = place()
      writeFileSync(join(dir, 'rowback.yaml'), `assets: { rules: [{ match: [large], store: lfs }] }\n`)
      const flags = ['--repo', repository, '--upkeep', 'always', '--engine', engine]
      for (const round of [1, 2, 3]) {
        writeFileSync(join(source, 'large'), `${round}`)
        const trace = traced([...program, 'backup', source, ...flags], dir)
        const moved = lostAt(
          trace,
          ({ name, to }) => name === 'rename' && /refs\/heads\/main$/.test(to),
          (disk) =>
            ['objects/pack', 'lfs', 'HEAD', 'config'].flatMap((name) => disk.lost(join(repository, name))),
        )
        expect(moved).toEqual([[]])
        // At its end, the commit itself is there for good.
        const end = new FragileDisk()
        for (const call of trace) end.apply(call)
        expect(end.lost(join(repository, 'refs', 'heads'))).toEqual([])
        databaseFrom('INSERT INTO t VALUES (2)', database)
      }
    },
  )

  test('the branch of a remote that is a directory points at nothing that may be empty, and a push that is over at nothing that may be lost.', async (context) => {
    if (!canTrace()) return context.skip('it needs strace')
    const { dir, source, repository, database } = place()
    const remote = bareRepository(join(dir, 'remote.git'))
    const rules = hasGitLfs() ? [{ match: ['large'], store: 'lfs' as const }] : []
    const assets = { include: ['**'], exclude: [], rules }
    writeFileSync(join(source, 'large'), 'one')
    await backup({ source, repository, assets })
    for (const url of [remote, `file://${remote}`]) {
      const trace = traced([...program, 'push', '--repo', repository, '--remote', url], dir)
      const moved = lostAt(
        trace,
        ({ name, to }) => name === 'rename' && to === join(remote, 'refs', 'heads', 'main'),
        // A .keep holds off a repack meanwhile; what is in it is for people.
        (disk) => disk.emptied(remote).filter((file) => !file.endsWith('.keep')),
      )
      // The lock of the ref, which is renamed, is synced, too.
      expect(moved).toEqual([[]])
      const end = new FragileDisk()
      for (const call of trace) end.apply(call)
      const lost = ['objects', 'refs', join('lfs', 'objects')].flatMap((name) => end.lost(join(remote, name)))
      expect(lost).toEqual([])
      databaseFrom('INSERT INTO t VALUES (2)', database)
      writeFileSync(join(source, 'large'), 'two')
      await backup({ source, repository, assets })
    }
    expect(git(remote, ['fsck', '--strict'])).toBe('')
  })

  test('contents that have come from Git LFS are there for good.', async (context) => {
    if (!canTrace()) return context.skip('it needs strace')
    if (!hasGitLfs()) return context.skip('it needs git-lfs')
    const { dir, source, repository } = place()
    const remote = bareRepository(join(dir, 'remote.git'))
    const assets = { include: ['**'], exclude: [], rules: [{ match: ['large'], store: 'lfs' as const }] }
    writeFileSync(join(source, 'large'), 'one')
    await backup({ source, repository, assets, remotes: [{ url: remote }] })
    const object = execFileSync('find', ['lfs/objects', '-type', 'f'], { cwd: repository }).toString().trim()
    writeFileSync(join(dir, 'damaged'), 'eno')
    renameSync(join(dir, 'damaged'), join(repository, object))
    const trace = traced([...program, 'verify', '--repo', repository], dir)
    const end = new FragileDisk()
    for (const call of trace) end.apply(call)
    expect(readFileSync(join(repository, object), 'utf8')).toBe('one')
    expect(trace.map(({ to }) => to)).toContain(join(repository, object))
    expect(end.lost(join(repository, 'lfs', 'objects'))).toEqual([])
  })

  test('a restore in place that has begun has all that it puts into the source.', async (context) => {
    if (!canTrace()) return context.skip('it needs strace')
    const { dir, source, repository, database } = place()
    await backup({ source, repository })
    databaseFrom('DELETE FROM t', database)
    writeFileSync(join(source, 'up', 'file'), 'two')
    const trace = traced([...program, 'restore', 'latest', '--in-place', '--repo', repository], dir)
    const staging = trace.find(({ path }) => path.includes('.rowback-restore-'))?.path as string
    const folder = staging.slice(0, staging.indexOf('/', staging.indexOf('.rowback-restore-')) >>> 0)
    const journal = join(repository, 'rowback', 'in-place.json')
    const moments = lostAt(
      trace,
      ({ name, to }) => name === 'rename' && to === journal,
      (disk) => [
        ...disk.lost(folder),
        ...disk.lost(`${journal}.new`).filter((path) => path !== `${journal}.new`),
      ],
    )
    expect(moments).toHaveLength(2)
    expect(moments[1]).toEqual([])
    // The first file of the source that is replaced finds the journal durable.
    const replaced = lostAt(
      trace,
      ({ name, path, to }) => name === 'rename' && path.startsWith(folder) && to.startsWith(source),
      (disk) => disk.lost(journal),
    )
    expect(replaced.length).toBeGreaterThan(1)
    expect(replaced.flat()).toEqual([])
  })
})
