/** A push that fails by damage of this side: the remote is not blamed, and nobody is told that the commit is safe. */

import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { exitCodes } from '../../src/errors.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { httpServer } from '../support/git-servers.ts'
import { rowback } from '../support/in-process.ts'

/** A commit that was proved, and a remote that lacks it. */
const place = copiedPlace(async (dir) => {
  const source = databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<4000)
     INSERT INTO note SELECT i, hex(randomblob(30)) FROM n;`,
    join(dir, 'app.db'),
  )
  await backup({ source, repository: join(dir, 'repo.git'), verify: 'always' })
  bareRepository(join(dir, 'remote.git'))
})

/** The packs: that of the files, which is the largest, and that of the commit. */
function packs(repository: string): [files: string, commit: string] {
  const folder = join(repository, 'objects', 'pack')
  const paths = readdirSync(folder).map((file) => join(folder, file))
  const found = paths.filter((file) => file.endsWith('.pack'))
  return found.sort((a, b) => statSync(b).size - statSync(a).size) as [string, string]
}

function flip(file: string): void {
  const content = readFileSync(file)
  const middle = content.length >> 1
  content[middle] = (content[middle] as number) ^ 0x10
  chmodSync(file, 0o644)
  writeFileSync(file, content)
}

const damages: Record<string, (repository: string) => void> = {
  'a file of it': (repository) => flip(packs(repository)[0]),
  'a tree of it': (repository) => flip(packs(repository)[1]),
  'its files, which are gone': (repository) => {
    const [files] = packs(repository)
    for (const end of ['pack', 'idx']) rmSync(files.replace(/pack$/, end))
  },
}

const ways = {
  'into a directory': { engine: 'native', isHttp: false },
  'over http': { engine: 'native', isHttp: true },
  'over http without git': { engine: 'embedded', isHttp: true },
} as const

for (const [way, { engine, isHttp }] of Object.entries(ways))
  describe(`a push ${way} names what is damaged here:`, () => {
    for (const [what, damage] of Object.entries(damages))
      test(`${what}.`, async () => {
        const dir = await place()
        const [repository, remote] = [join(dir, 'repo.git'), join(dir, 'remote.git')]
        git(remote, ['config', 'http.receivepack', 'true'])
        damage(repository)
        const url = isHttp ? `http://127.0.0.1:${await httpServer(dir)}/remote.git` : remote
        const args = ['push', '--repo', repository, '--remote', url, '--engine', engine, '--retries', '0']
        const { code, stderr } = await rowback(args)
        expect({ code, stderr }).toEqual({
          code: exitCodes.repository,
          stderr: expect.stringMatching(/^rowback: (?:.*\n)+rowback: try: rowback verify/),
        })
        expect(stderr).not.toContain('is safe')
        expect(git(remote, ['for-each-ref'])).toBe('')
      })
  })

test('A remote that cannot unpack what is sound is still told as one that refuses.', async () => {
  const dir = await place()
  const [repository, remote] = [join(dir, 'repo.git'), join(dir, 'remote.git')]
  git(remote, ['config', 'receive.maxInputSize', '1k'])
  const { code, stderr } = await rowback(['push', '--repo', repository, '--remote', remote])
  expect({ code, stderr }).toEqual({
    code: exitCodes.remote,
    stderr: expect.stringMatching(/the remote refused it: .*\(unpacker error\).*; the commit is safe in /),
  })
})
