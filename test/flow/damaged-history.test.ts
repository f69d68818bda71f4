/** Commits that are damaged or missing are not called unknown: `verify` names them, and other verbs send the user there. */

import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { exitCodes } from '../../src/errors.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { git } from '../support/git.ts'
import { rowback } from '../support/in-process.ts'

/** A repository with three commits, and no remote. */
const place = copiedPlace(async (dir) => {
  const source = databaseFrom('CREATE TABLE note(text)', join(dir, 'app.db'))
  const repository = join(dir, 'repo.git')
  await backup({ source, repository })
  for (const text of ['1', '2']) {
    databaseFrom(`INSERT INTO note VALUES (${text})`, source)
    await backup({ source, repository })
  }
})

const repositoryOf = async () => join(await place(), 'repo.git')

/** The packs that hold a commit: of each backup, that with the trees. */
function packOf(repository: string, oid: string): string {
  const folder = join(repository, 'objects', 'pack')
  const names = readdirSync(folder).filter((file) => file.endsWith('.idx'))
  const index = names.find((file) => git(repository, ['verify-pack', '-v', join(folder, file)]).includes(oid))
  return join(folder, (index as string).replace(/idx$/, 'pack'))
}

/** Damages every object of a pack, the header of the pack aside. */
function damage(file: string): void {
  const content = readFileSync(file)
  content.fill(0x55, 20, content.length - 20)
  chmodSync(file, 0o644)
  writeFileSync(file, content)
}

function remove(file: string): void {
  for (const end of ['pack', 'idx']) rmSync(file.replace(/pack$/, end))
}

const engines = ['native', 'embedded'] as const
const harms = { damaged: damage, missing: remove }

for (const engine of engines)
  for (const [what, harm] of Object.entries(harms))
    describe(`with the ${engine} engine, where a commit is ${what}`, () => {
      const run = (repository: string, ...args: string[]) =>
        rowback([...args, '--repo', repository, '--engine', engine])

      async function expectVerifyNames(repository: string, oid: string, args: string[]): Promise<void> {
        const { code, stderr } = await run(repository, 'verify', ...args)
        expect({ args, code, stderr }).toEqual({
          ...{ args, code: exitCodes.repository },
          stderr: expect.stringContaining(': objects are damaged or missing, and '),
        })
        expect(stderr).toContain(`\n  ${oid}\n`)
      }

      test('that is the latest, verify names it, and restore says where to look.', async () => {
        const repository = await repositoryOf()
        const oid = git(repository, ['rev-parse', 'main'])
        harm(packOf(repository, oid))
        const target = join(repository, '..', 'restored.db')
        for (const rev of ['latest', 'main', 'HEAD~1', 'latest~2']) {
          const { code, stderr } = await run(repository, 'restore', rev, '--to', target)
          expect({ rev, code, stderr }).toEqual({
            ...{ rev, code: exitCodes.repository },
            stderr: expect.stringMatching(/^rowback: resolve .*\nrowback: try: rowback verify\n$/),
          })
          expect(stderr).toContain(oid)
        }
        for (const args of [[], ['--all']]) await expectVerifyNames(repository, oid, args)
      })

      test('that is an older one, verify --all lists what is damaged.', async () => {
        const repository = await repositoryOf()
        const oid = git(repository, ['rev-parse', 'main~1'])
        harm(packOf(repository, oid))
        for (const rev of ['latest~1', 'main~2']) {
          const { code, stderr } = await run(repository, 'show', rev)
          expect({ rev, code, stderr }).toEqual({
            ...{ rev, code: exitCodes.repository },
            stderr: expect.stringMatching(/^rowback: .*\nrowback: try: rowback verify\n$/),
          })
          expect(stderr).toContain(oid)
        }
        await expectVerifyNames(repository, oid, ['--all'])
      })

      test('that was asked for by its id, it is unknown only if it is not there.', async () => {
        const repository = await repositoryOf()
        const oid = git(repository, ['rev-parse', 'main'])
        harm(packOf(repository, oid))
        const code = what === 'missing' ? exitCodes.usage : exitCodes.repository
        for (const rev of [oid, oid.slice(0, 12)])
          expect({ rev, ...(await run(repository, 'show', rev)) }).toMatchObject({ rev, code })
        for (const rev of ['1'.repeat(40), 'nothing'])
          expect(await run(repository, 'show', rev)).toMatchObject({ code: exitCodes.usage })
      })
    })
