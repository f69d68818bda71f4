/** Attacks on the terminal by what a commit holds, and on git by revisions, branches and addresses. */

import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { exitCodes } from '../../src/errors.ts'
import { contents } from '../support/cli.ts'
import { git } from '../support/git.ts'
import { type Change, dump, hostileCommit, hostileScene, writeObject } from '../support/hostile.ts'
import { rowback } from '../support/in-process.ts'

/** Sets the title of a terminal, clears it, goes back over the line, and turns the direction of text. */
const hostileText = '\x1b]0;pwned\x07\x1b[2J\r\x9b31m\u202egnp'

/** What a terminal obeys: control characters but tab and line feed, and marks of direction. */
const commands = /(?![\t\n])[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u

/** Changes that put the text wherever a verb may print it from. */
const note = `${dump}/30-rows/note/+first/+first.sql`
const changes: Record<string, Change> = {
  [note]: (content) => content.replace("'one'", `'one${hostileText.replace('\r', '')}'`),
  [`${dump}/40-schema.sql`]: (content) => `${content}CREATE VIEW "${hostileText}" AS SELECT 1;\n`,
  [`assets/${hostileText}`]: () => 'x',
  [`${dump}/${hostileText}.sql`]: () => 'x',
  'manifest.json': (content) => content.replace('{"name":"note"', `{"name":${JSON.stringify(hostileText)}`),
}

describe('nothing of a commit commands the terminal of', () => {
  test.each([
    { verb: ['log'] },
    { verb: ['show', 'latest'] },
    { verb: ['diff', 'latest~1'] },
    { verb: ['diff', 'latest~1', '--sql'] },
    { verb: ['diff', 'latest~1', '--stat'] },
    { verb: ['diff', 'latest~1', '--json'] },
    { verb: ['show', 'latest', '--json'] },
    { verb: ['verify', 'latest'] },
  ])('$verb', async ({ verb }) => {
    const scene = await hostileScene()
    hostileCommit(scene, { changes, commitMessage: `subject ${hostileText}\n\nbody ${hostileText}` })
    const { stdout, stderr } = await rowback([...verb, '--repo', scene.repository])
    expect(stdout + stderr).not.toMatch(commands)
    expect(stdout + stderr).toMatch(/\\u001b|char\(27\)|difference|pwned/)
  })

  test('an error that names a path.', async () => {
    const scene = await hostileScene()
    hostileCommit(scene, { changes: { [`${dump}/30-rows/note/${hostileText}.sql`]: () => 'x' } })
    for (const verb of [
      ['restore', 'latest', '--to', join(scene.dir, 'out')],
      ['verify'],
      ['diff', 'latest~1'],
    ]) {
      const { code, stdout, stderr } = await rowback([...verb, '--repo', scene.repository])
      expect(code).toBe(exitCodes.dump)
      expect(stdout + stderr).not.toMatch(commands)
      expect(stderr).not.toMatch(/^ {4}at /m)
    }
  })
})

test('diff --sql writes control characters so that SQLite reads the same text.', async () => {
  const scene = await hostileScene()
  hostileCommit(scene, { changes: { [note]: (content) => content.replace("'one'", "'\x1b[2J'") } })
  const { stdout } = await rowback(['diff', 'latest~1', '--sql', '--repo', scene.repository])
  expect(stdout).toContain(`SET "title"=''||char(27)||'[2J' WHERE "id" IS 1;`)
})

describe('diff ends with a message where', () => {
  test('the rows have no rowid although the manifest says so.', async () => {
    const scene = await hostileScene()
    const changed: Record<string, Change> = { [note]: (content) => content.replace(' (1,', " ('x',") }
    hostileCommit(scene, { changes: changed })
    const { code, stderr } = await rowback(['diff', 'latest~1', '--repo', scene.repository])
    expect(stderr).toContain('has rows without the rowid of its manifest')
    expect(code).toBe(exitCodes.dump)
  })

  test('two scripts share nothing.', async () => {
    const scene = await hostileScene()
    const lines = (word: string) =>
      `${Array.from({ length: 30_000 }, (_, index) => `-- ${word} ${index}`).join('\n')}\n`
    for (const word of ['one', 'two'])
      hostileCommit(scene, { changes: { [`${dump}/40-schema.sql`]: () => lines(word) } })
    const { code, stdout } = await rowback(['diff', 'latest~1', '--repo', scene.repository])
    expect(stdout).toContain('@@ more than 5000 lines differ @@')
    expect(code).toBe(0)
  })
})

test('log reads a subject and an author of a million signs in no time.', async () => {
  const { repository } = await hostileScene()
  const tree = git(repository, ['rev-parse', 'main^{tree}'])
  const signs = `${'<'.repeat(5e5)}${'>'.repeat(5e5)}`
  for (const [author, subject] of [
    ['M <m>', `x${' '.repeat(1e6)}x`],
    [`M <${signs}`, 'x'],
  ]) {
    const text = `tree ${tree}\nauthor ${author} 1700000000 +0000\ncommitter M <m> 1700000000 +0000\n\n${subject}\n`
    git(repository, ['update-ref', 'refs/heads/main', writeObject(repository, 'commit', text)])
    const begun = performance.now()
    const { code } = await rowback(['log', '--repo', repository])
    expect(performance.now() - begun).toBeLessThan(5000)
    expect(code).toBe(subject === 'x' ? exitCodes.repository : 0)
  }
})

describe('no option of git comes of', () => {
  test.each([
    '--upload-pack=touch pwned',
    '--output=pwned',
    '-c',
    '--git-dir=/tmp',
    'main --output=pwned',
    'main\n--output=pwned',
    '@{-1}',
    '--all',
  ])('the revision %j.', async (rev) => {
    const { dir, repository } = await hostileScene()
    const before = contents(dir)
    const options = { cwd: dir }
    for (const args of [['show'], ['verify'], ['restore', '--to', 'out'], ['diff']]) {
      const { code, stderr } = await rowback([...args, '--repo', repository, '--', rev], options)
      expect(stderr).toContain('no such commit')
      expect(code).toBe(exitCodes.usage)
    }
    expect(contents(dir)).toEqual(before)
  })

  test.each([
    '--upload-pack=touch pwned',
    '-oProxyCommand=touch pwned',
    'ext::sh -c "touch pwned"',
    'EXT::sh -c x',
    'fd::7',
  ])('the address %j.', async (remote) => {
    const { dir, repository } = await hostileScene()
    const before = contents(dir)
    const { code } = await rowback(['push', `--remote=${remote}`, '--repo', repository], { cwd: dir })
    expect(code).toBe(exitCodes.usage)
    expect(contents(dir)).toEqual(before)
  })

  test('the address of a host.', async () => {
    const { dir, repository } = await hostileScene()
    const before = contents(dir)
    const { code } = await rowback(
      ['push', '--remote=ssh://-oProxyCommand=touch%20pwned/x', '--repo', repository],
      { cwd: dir },
    )
    expect(code).toBe(exitCodes.remote)
    expect(contents(dir)).toEqual(before)
  })
})
