/** What is no damage, though git complains: `verify` says what it is, and takes nothing away. */

import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { backup } from '../../src/backup.ts'
import { exitCodes } from '../../src/errors.ts'
import { objectOid } from '../../src/git/tree.ts'
import { rowback as rowbackProcess } from '../support/cli.ts'
import { copiedPlace } from '../support/copied-place.ts'
import { databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { rowback } from '../support/in-process.ts'
import { canRunAsNobody, nobody } from '../support/rights.ts'

const engines = ['native', 'embedded'] as const

/** A repository with one commit, which its remote has. */
const place = copiedPlace(async (dir) => {
  const source = databaseFrom('CREATE TABLE note(text); INSERT INTO note VALUES (1)', join(dir, 'app.db'))
  const remote = bareRepository(join(dir, 'remote.git'))
  await backup({ source, repository: join(dir, 'repo.git'), remotes: [{ url: remote }] })
})

const repositoryOf = async () => join(await place(), 'repo.git')

function looseFile(repository: string, oid: string): string {
  return join(repository, 'objects', oid.slice(0, 2), oid.slice(2))
}

/** Writes an object as git itself would not, and returns its id. */
function writeObject(repository: string, type: string, content: string | Buffer): string {
  const bytes = Buffer.from(content)
  const oid = objectOid(type, bytes).toString('hex')
  mkdirSync(dirname(looseFile(repository, oid)), { recursive: true })
  writeFileSync(
    looseFile(repository, oid),
    deflateSync(Buffer.concat([Buffer.from(`${type} ${bytes.length}\0`), bytes])),
  )
  return oid
}

/** Points a ref at whatever it is. */
function writeRef(repository: string, ref: string, text: string): void {
  writeFileSync(join(repository, ref), text)
}

const treeOf = (repository: string) => git(repository, ['rev-parse', 'main^{tree}'])

const person = 'Joe <joe@example.org> 1 +0000'

/** What git reads well, and `git fsck` dislikes. */
const oldImports: Record<string, (repository: string) => string> = {
  'a bad address': (repository) =>
    writeObject(
      repository,
      'commit',
      `tree ${treeOf(repository)}\nauthor ${person}\ncommitter Joe joe@x.org> 1 +0000\n\nimport\n`,
    ),
  'no address': (repository) =>
    writeObject(
      repository,
      'commit',
      `tree ${treeOf(repository)}\nparent ${git(repository, ['rev-parse', 'main'])}\nauthor Joe\ncommitter Joe\n\nimport\n`,
    ),
  'a time zone of five digits': (repository) =>
    writeObject(
      repository,
      'commit',
      `tree ${treeOf(repository)}\nauthor Joe <joe@example.org> 1 +051800\ncommitter ${person}\n\nimport\n`,
    ),
  'files in no order': (repository) => {
    const blob = objectOid('blob', Buffer.from('text'))
    writeObject(repository, 'blob', 'text')
    const entry = (name: string) => Buffer.concat([Buffer.from(`100644 ${name}\0`), blob])
    const tree = writeObject(repository, 'tree', Buffer.concat([entry('b'), entry('a')]))
    return writeObject(
      repository,
      'commit',
      `tree ${tree}\nauthor ${person}\ncommitter ${person}\n\nimport\n`,
    )
  },
}

describe('verify takes a commit that is only oddly worded for sound', () => {
  for (const [what, write] of Object.entries(oldImports))
    test(`${what}.`, async () => {
      const repository = await repositoryOf()
      const oid = write(repository)
      writeRef(repository, 'refs/heads/notes', oid)
      for (const engine of engines)
        for (const args of [['verify'], ['verify', '--all']]) {
          const run = await rowback([...args, '--repo', repository, '--engine', engine])
          expect({ engine, args, ...run }).toMatchObject({ code: 0, stderr: '' })
        }
      expect(existsSync(join(repository, 'rowback', 'damaged'))).toBe(false)
      expect(git(repository, ['cat-file', '-t', oid])).toBe('commit')
      git(repository, ['repack', '-a', '-d', '-q'])
      expect(await rowback(['verify', '--repo', repository])).toMatchObject({ code: 0, stderr: '' })
    })

  test('however many there are, and still finds what is damaged among them.', async () => {
    const repository = await repositoryOf()
    const tree = treeOf(repository)
    let parent = git(repository, ['rev-parse', 'main'])
    // More than a run keeps of git's messages elsewhere.
    for (let i = 0; i < 1000; i++)
      parent = writeObject(
        repository,
        'commit',
        `tree ${tree}\nparent ${parent}\nauthor Joe <joe> ${i} +0000\ncommitter Joe joe> ${i} +0000\n\nimport\n`,
      )
    writeRef(repository, 'refs/heads/notes', parent)
    expect(await rowback(['verify', '--repo', repository])).toMatchObject({ code: 0, stderr: '' })
    git(repository, ['config', '--unset', 'rowback.remote'])
    const [last] = readdirSync(join(repository, 'objects'))
      .filter((name) => /^[0-9a-f]{2}$/.test(name))
      .sort()
      .reverse()
    const folder = join(repository, 'objects', last as string)
    const [name] = readdirSync(folder)
    writeFileSync(join(folder, name as string), 'damaged')
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({
      code: exitCodes.repository,
      stderr: expect.stringContaining(`\n  ${last}${name}\n`),
    })
    expect(stderr).not.toContain('and 1 more')
  })

  test('and brings back what is damaged behind it.', async () => {
    const repository = await repositoryOf()
    const commit = oldImports['no address']?.(repository) as string
    git(repository, ['update-ref', 'refs/heads/main', commit])
    git(repository, ['push', '--quiet', '--no-verify', join(repository, '..', 'remote.git'), 'main'])
    const [pack] = readdirSync(join(repository, 'objects', 'pack')).filter((file) => file.endsWith('.pack'))
    rmSync(join(repository, 'objects', 'pack', pack as string))
    const { code, stderr } = await rowback(['verify', 'main~1', '--repo', repository])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('came back from ') })
    expect(git(repository, ['cat-file', '-t', commit])).toBe('commit')
  })
})

test('A commit that git cannot make sense of is named and stays where it is, as its id is right.', async () => {
  const repository = await repositoryOf()
  const oid = writeObject(repository, 'commit', `author ${person}\ncommitter ${person}\n\nno tree\n`)
  writeRef(repository, 'refs/heads/notes', oid)
  for (const engine of engines) {
    const { code, stderr } = await rowback(['verify', '--repo', repository, '--engine', engine])
    expect({ engine, code, stderr }).toEqual({
      engine,
      code: exitCodes.repository,
      stderr: expect.stringContaining(oid),
    })
  }
  expect(existsSync(looseFile(repository, oid))).toBe(true)
})

describe('what is whole among what a heal has set aside comes back', () => {
  /** Moves a loose object to where earlier versions moved it. */
  function setAside(repository: string, oid: string): string {
    const aside = join(repository, 'rowback', 'damaged')
    git(repository, ['init', '--quiet', '--bare', aside])
    mkdirSync(dirname(looseFile(aside, oid)), { recursive: true })
    renameSync(looseFile(repository, oid), looseFile(aside, oid))
    return looseFile(aside, oid)
  }

  test('before the rest is removed, also if no ref reaches it any more.', async () => {
    const repository = await repositoryOf()
    const oid = writeObject(repository, 'blob', 'nowhere else')
    const damaged = writeObject(repository, 'blob', 'damaged')
    setAside(repository, oid)
    writeFileSync(setAside(repository, damaged), 'damaged')
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(git(repository, ['cat-file', 'blob', oid])).toBe('nowhere else')
    expect(existsSync(looseFile(repository, damaged))).toBe(false)
    expect(existsSync(join(repository, 'rowback', 'damaged'))).toBe(false)
  })

  test('before a remote is asked.', async () => {
    const repository = await repositoryOf()
    const oid = oldImports['a bad address']?.(repository) as string
    writeRef(repository, 'refs/heads/notes', oid)
    setAside(repository, oid)
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: `rowback: 1 object was damaged or missing, and came back from the repository itself: ${oid}\n`,
    })
    expect(git(repository, ['log', '-1', '--format=%s', 'notes'])).toBe('import')
  })

  test('but not one with anything behind it, which git would not read.', async () => {
    const repository = await repositoryOf()
    const oid = writeObject(repository, 'blob', 'text')
    const file = setAside(repository, oid)
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from('more')]))
    expect(await rowback(['verify', '--repo', repository])).toMatchObject({ code: 0 })
    expect(existsSync(looseFile(repository, oid))).toBe(false)
  })
})

const brokenFiles = {
  'is empty': '',
  'is full of NULs': '\0'.repeat(41),
  'holds half an id': '1234567890\n',
  'holds the id of nothing': `${'0'.repeat(40)}\n`,
}

describe('a ref is named, and no object is blamed, whose file', () => {
  for (const [what, text] of Object.entries(brokenFiles))
    test(`${what}.`, async () => {
      const repository = await repositoryOf()
      writeRef(repository, 'refs/heads/notes', text)
      const before = filesIn(repository)
      for (const engine of engines)
        for (const args of [['verify'], ['verify', '--all']]) {
          const run = await rowback([...args, '--repo', repository, '--engine', engine])
          expect({ engine, args, ...run }).toMatchObject({
            code: exitCodes.repository,
            stderr: expect.stringMatching(
              /^rowback: verify \S+: ref refs\/heads\/notes is broken: .* nothing was changed\nrowback: try: rm \S+repo\.git\/refs\/heads\/notes, .*\n$/,
            ),
          })
        }
      expect(filesIn(repository)).toEqual(before)
      rmSync(join(repository, 'refs', 'heads', 'notes'))
      expect(await rowback(['verify', '--repo', repository])).toMatchObject({ code: 0, stderr: '' })
    })

  test('is empty, also where it is the branch, which is not called unknown.', async () => {
    const repository = await repositoryOf()
    writeRef(repository, 'refs/heads/main', '')
    for (const engine of engines)
      for (const rev of ['latest', 'main', 'HEAD~1', 'refs/heads/main'])
        for (const verb of ['show', 'verify']) {
          const run = await rowback([verb, rev, '--repo', repository, '--engine', engine])
          expect({ engine, verb, rev, ...run }).toMatchObject({
            code: exitCodes.repository,
            stderr: expect.stringContaining('ref refs/heads/main is broken'),
          })
        }
  })

  test('is empty, when what is damaged beside it has come back.', async () => {
    const repository = await repositoryOf()
    writeRef(repository, 'refs/heads/notes', '')
    const folder = join(repository, 'objects', 'pack')
    for (const file of readdirSync(folder)) if (file.endsWith('.pack')) rmSync(join(folder, file))
    const { code, stderr } = await rowback(['verify', '--repo', repository])
    expect({ code, stderr }).toEqual({
      code: exitCodes.repository,
      stderr: expect.stringContaining('ref refs/heads/notes is broken'),
    })
    expect(git(repository, ['rev-list', '--objects', '--count', 'main'])).not.toBe('0')
    rmSync(join(repository, 'refs', 'heads', 'notes'))
    expect(await rowback(['verify', '--repo', repository])).toMatchObject({ code: 0, stderr: '' })
  })
})

test('A symbolic ref that leads nowhere, and a branch that is no commit, are no damage.', async () => {
  const repository = await repositoryOf()
  mkdirSync(join(repository, 'refs', 'remotes', 'nas'), { recursive: true })
  writeRef(repository, 'refs/remotes/nas/HEAD', 'ref: refs/remotes/nas/gone\n')
  writeRef(repository, 'refs/heads/notes', writeObject(repository, 'blob', 'text'))
  for (const engine of engines)
    expect(await rowback(['verify', '--repo', repository, '--engine', engine])).toMatchObject({ code: 0 })
})

describe('what this user may not read is no damage, and stays where it is', () => {
  const ofPack = (end: string) => (repository: string) => {
    const folder = join(repository, 'objects', 'pack')
    return join(folder, readdirSync(folder).find((file) => file.endsWith(end)) as string)
  }

  const closed: Record<string, (repository: string) => string> = {
    'a pack': ofPack('.pack'),
    'the index of a pack': ofPack('.idx'),
    'an object': (repository) => {
      const oid = oldImports['a bad address']?.(repository) as string
      writeRef(repository, 'refs/heads/notes', oid)
      return looseFile(repository, oid)
    },
    'a folder of objects': (repository) => dirname(closed['an object']?.(repository) as string),
    'the branch': (repository) => join(repository, 'refs', 'heads', 'main'),
    'what an earlier heal has set aside': (repository) => {
      const pack = ofPack('.pack')(repository)
      const to = join(repository, 'rowback', 'damaged', 'objects', 'pack')
      mkdirSync(to, { recursive: true })
      mkdirSync(join(to, '..', '..', 'refs'))
      for (const file of [pack, pack.replace(/pack$/, 'idx')]) renameSync(file, join(to, basename(file)))
      return join(to, basename(pack))
    },
  }

  for (const [what, find] of Object.entries(closed))
    test(`${what}.`, async (context) => {
      if (!(await canRunAsNobody())) return context.skip()
      const dir = await place()
      const repository = join(dir, 'repo.git')
      const path = find(repository)
      chmodSync(dir, 0o755)
      execFileSync('chown', ['-R', `${nobody}:${nobody}`, repository])
      chownSync(path, 0, 0)
      chmodSync(path, 0o700)
      const before = filesIn(repository)
      for (const engine of engines) {
        const args = ['verify', '--repo', repository, '--engine', engine]
        if (engine === 'embedded' && what.startsWith('what')) continue
        const { code, stderr } = await rowbackProcess(args, { uid: nobody })
        expect({ engine, code, stderr }).toEqual({
          engine,
          code: exitCodes.repository,
          stderr: expect.stringMatching(/^rowback: .*EACCES: permission denied, \w+ '[^\n]*'.*\n/),
        })
        expect(stderr).toContain(`'${path}'`)
      }
      expect(filesIn(repository)).toEqual(before)
    })

  test('and a commit in it is not called unknown.', async (context) => {
    if (!(await canRunAsNobody())) return context.skip()
    const dir = await place()
    const repository = join(dir, 'repo.git')
    chmodSync(dir, 0o755)
    execFileSync('chown', ['-R', `${nobody}:${nobody}`, repository])
    execFileSync('sh', ['-c', 'chown 0 objects/pack/*.pack && chmod 400 objects/pack/*.pack'], {
      cwd: repository,
    })
    for (const engine of engines)
      for (const verb of ['show latest', 'log', 'verify --all']) {
        const args = [...verb.split(' '), '--repo', repository, '--engine', engine]
        const { code, stderr } = await rowbackProcess(args, { uid: nobody })
        expect({ engine, verb, code, stderr }).toEqual({
          ...{ engine, verb, code: exitCodes.repository },
          stderr: expect.stringMatching(/EACCES: permission denied, \w+ '/),
        })
      }
  })
})

/** All files of a folder by name, but for what any run rewrites. */
function filesIn(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.filter((name) => /^(?:objects|refs|rowback\/damaged)\//.test(name)).sort()
}
