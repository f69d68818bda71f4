/**
 * The disk with the repository fills up, or becomes read-only, right before each step of a backup that needs it; see failing-disk.test.ts for other verbs. The last commit
 * stays, what is left over goes, and the next backup goes on. `npm run test:crash` tries all steps, the ordinary suite a few.
 */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { exitCodes } from '../../src/errors.ts'
import { restore } from '../../src/restore.ts'
import { contents } from '../support/cli.ts'
import { allFacts, databaseFrom } from '../support/database.ts'
import { type Fault, faultLibrary, onFailingDisk, stepsToTry } from '../support/failing-disk.ts'
import { git } from '../support/git.ts'
import { rowback } from '../support/in-process.ts'
import { tempDir } from '../support/temp.ts'

interface Scene {
  kept: string
  dir: string
  source: string
  repository: string
  args: string[]
}

/** A folder `kept` with a source, and for all but a first backup a repository that lacks its last change. */
async function scene(isFirst: boolean): Promise<Scene> {
  const top = tempDir()
  const [kept, dir] = [join(top, 'kept'), join(top, 'live')]
  const data = join(kept, 'data')
  mkdirSync(data, { recursive: true })
  const rows = `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200) INSERT INTO note SELECT i, hex(i) FROM n;`
  const database = databaseFrom(rows, join(data, 'app.db'))
  writeFileSync(join(data, 'asset'), 'before')
  if (!isFirst) {
    // The repository names its source by the path that it will have.
    execFileSync('cp', ['-a', kept, dir])
    await backup({ source: join(dir, 'data'), repository: join(dir, 'repo.git') })
    execFileSync('cp', ['-a', join(dir, 'repo.git'), kept])
    databaseFrom("UPDATE note SET text='changed' WHERE id=7", database)
    writeFileSync(join(data, 'asset'), 'since')
  }
  const [source, repository] = [join(dir, 'data'), join(dir, 'repo.git')]
  const always = ['--verify', 'always', '--upkeep', 'always', '--time', '1700000000']
  return { kept, dir, source, repository, args: ['backup', source, '--repo', repository, ...always] }
}

function begin({ kept, dir }: Scene): void {
  rmSync(dir, { recursive: true, force: true })
  execFileSync('cp', ['-a', kept, dir])
}

/** Runs the backup on a disk that fails from that step on, or never. */
function run({ dir, args }: Scene, library: string, fault: { error: Fault; at: number }) {
  return onFailingDisk(args, { library, below: dir, ...fault }, { cwd: dir })
}

/** Temporary files and locks of a repository; what upkeep could not complete goes with a later one. */
function left(repository: string): string[] {
  const names = readdirSync(repository, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => /\.lock$|^rowback\/(?:tmp|upkeep)\/|^rowback\/lock|\.new-|\.tmp$/.test(name))
}

function tip(repository: string): string {
  return existsSync(join(repository, 'HEAD'))
    ? git(repository, ['for-each-ref', '--format=%(objectname)', 'refs/heads/main'])
    : ''
}

const said = {
  // Of a ref that it cannot write, git does not say why.
  ENOSPC:
    /no (?:space|room) left|couldn't write|unable to create|unable to append|could not set|failed to write/i,
  EROFS:
    /read-only|takes no writes|cannot lock ref|unable to|couldn't|cannot be written|unable to open|could not set|failed to write/i,
}

describe('A backup onto a disk that', () => {
  for (const [error, what] of [
    ['ENOSPC', 'fills up'],
    ['EROFS', 'becomes read-only'],
  ] as const)
    for (const isFirst of [true, false])
      test(`${what} at any step keeps its commits, and goes on: ${isFirst ? 'the first' : 'a later'} one.`, async (context) => {
        const library = faultLibrary()
        if (library === undefined) return context.skip('it needs gcc and LD_PRELOAD')
        const found = await scene(isFirst)
        const { dir, source, repository, args } = found
        begin(found)
        const whole = await run(found, library, { error, at: 0 })
        expect(whole).toMatchObject({ code: 0, stderr: '' })
        expect(whole.steps).toBeGreaterThan(40)
        const wanted = tip(repository)
        let failed = 0
        for (const at of stepsToTry(whole.steps, 2)) {
          begin(found)
          const before = tip(repository)
          const files = contents(source)
          const { code, stderr } = await run(found, library, { error, at })
          const told = { error, at, code, stderr }
          expect(contents(source)).toEqual(files)
          if (code === 0) expect({ ...told, tip: tip(repository) }).toEqual({ ...told, tip: wanted })
          else {
            failed += 1
            expect(told).toEqual({
              ...told,
              code: exitCodes.repository,
              stderr: expect.stringMatching(said[error]),
            })
            expect({ ...told, tip: tip(repository) }).toEqual({ ...told, tip: before })
          }
          if (error === 'ENOSPC' && existsSync(repository))
            expect({ ...told, left: left(repository) }).toEqual({ ...told, left: [] })
          if (before !== '') expect(git(repository, ['fsck', '--strict', '--no-dangling'])).toBe('')
          const next = await rowback(args, { cwd: dir })
          expect({ ...told, next }).toEqual({ ...told, next: { ...next, code: 0, stderr: '' } })
          expect({ ...told, tip: tip(repository), left: left(repository) }).toEqual({
            ...told,
            tip: wanted,
            left: [],
          })
          await restore({ repository, rev: 'latest', target: join(dir, 'out') })
          expect(allFacts(join(dir, 'out', 'app.db'))).toEqual(allFacts(join(source, 'app.db')))
        }
        expect(failed).toBeGreaterThan(0)
      })
})
