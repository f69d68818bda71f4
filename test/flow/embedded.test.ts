/** Everything that works without git, on a PATH that has none; and what does not, which says so. */

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Ended, rowback as rowbackProcess } from '../support/cli.ts'
import { databaseFrom, facts } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { httpServer, network, ownCertificate } from '../support/git-servers.ts'
import { rowback } from '../support/in-process.ts'
import { canSign, sshKey } from '../support/keys.ts'
import { tempDir } from '../support/temp.ts'

interface Machine {
  dir: string
  source: string
  repository: string
  env: Record<string, string>
  rowback: (...args: string[]) => Promise<Ended>
  /** `backup` with those flags, at a time of its own. */
  backup: (...flags: string[]) => Promise<Ended>
  sql: (text: string) => void
}

/** A machine whose PATH is an empty folder, or the one that is given; what a process has for itself takes one. */
function machine(path = tempDir(), program = rowback): Machine {
  const dir = tempDir()
  const source = join(dir, 'data')
  mkdirSync(source)
  writeFileSync(join(source, 'icon.txt'), 'an asset')
  utimesSync(join(source, 'icon.txt'), 1_600_000_000, 1_600_000_000)
  databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     INSERT INTO note(text) VALUES ('first'), ('second')`,
    join(source, 'app.db'),
  )
  const env = { HOME: dir, TMPDIR: dir, XDG_CONFIG_HOME: dir, PATH: path }
  let time = 1_700_000_000
  const run = (...args: string[]) => program([...args, '--repo', 'repo.git'], { cwd: dir, env })
  return {
    dir,
    source,
    repository: join(dir, 'repo.git'),
    env,
    rowback: run,
    backup: (...flags) => run('backup', 'data', '--time', String(time++), ...flags),
    sql: (text) => execFileSync('sqlite3', [join(source, 'app.db'), text]),
  }
}

/** A server that wants a password, and the settings that know it. */
async function server(found: Machine): Promise<{ remote: string; url: string; settings: string[] }> {
  const root = tempDir()
  const remote = bareRepository(join(root, 'app.git'))
  const port = await httpServer(root, { login: { user: 'ada', password: 'open sesame' } })
  const url = `http://ada@127.0.0.1:${port}/app.git`
  const file = join(found.dir, 'settings.yaml')
  writeFileSync(file, `remotes:\n  - { url: '${url}', password-variable: TOKEN }\n`)
  found.env.TOKEN = 'open sesame'
  return { remote, url, settings: ['--config', file] }
}

function expectDone({ code, stderr }: Ended): void {
  expect(stderr).toBe('')
  expect(code).toBe(0)
}

test('backup, log, show, diff, restore, verify and push over http work, with the ids of git', async () => {
  const [found, other] = [machine(), machine(process.env.PATH)]
  const { remote, settings } = await server(found)
  for (const change of ['', `UPDATE note SET text = 'changed' WHERE id = 2`]) {
    for (const each of [found, other]) if (change !== '') each.sql(change)
    expectDone(await found.backup(...settings))
    expectDone(await other.backup('--verify', 'schema'))
  }
  const tree = (dir: string) => git(dir, ['log', '--format=%T %at %s'])
  expect(tree(found.repository)).toBe(tree(other.repository))
  expect(git(remote, ['rev-parse', 'main'])).toBe(git(found.repository, ['rev-parse', 'main']))
  expect(git(remote, ['fsck', '--strict'])).toBe('')
  expect(git(found.repository, ['fsck', '--strict'])).toBe('')
  expect(git(found.repository, ['for-each-ref', '--format=%(refname)'])).toBe('refs/heads/main')

  expect((await found.rowback('log')).stdout.split('\n')).toHaveLength(3)
  expect((await found.rowback('show', 'latest~1')).stdout).toContain('first backup')
  expect((await found.rowback('diff', 'latest~1')).stdout).toContain(`'second' → 'changed'`)
  expectDone(await found.rowback('restore', 'latest~1', '--to', 'out'))
  found.sql(`UPDATE note SET text = 'second' WHERE id = 2`)
  expect(facts(join(found.dir, 'out', 'app.db'))).toEqual(facts(join(found.source, 'app.db')))
  expect(readFileSync(join(found.dir, 'out', 'icon.txt'), 'utf8')).toBe('an asset')
  expectDone(await found.rowback('verify', '--all'))

  expectDone(await found.backup())
  const pushed = await found.rowback('push', ...settings, '--json')
  expect(JSON.parse(pushed.stdout).pushes[0]).toMatchObject({ commits: 1, parts: 1, warnings: [] })
  expect(git(remote, ['rev-parse', 'main'])).toBe(git(found.repository, ['rev-parse', 'main']))
  expectDone(await found.rowback('restore', 'latest~1', '--in-place', '--config', settings[1] as string))
  expectDone(await found.rowback('undo', '--config', settings[1] as string))
  expect(git(found.repository, ['fsck', '--strict'])).toBe('')
})

test('the same commit id comes from both engines, and each goes on from the other', async () => {
  const found = machine(process.env.PATH)
  const ids: string[] = []
  for (const [i, engine] of ['embedded', 'native', 'embedded'].entries()) {
    found.sql(`INSERT INTO note(text) VALUES ('${i}')`)
    expectDone(await found.backup('--engine', engine))
    const one = git(found.repository, ['rev-parse', 'main'])
    git(found.repository, ['update-ref', '-m', 'again', 'refs/heads/main', ids.at(-1) ?? '0'.repeat(40)])
    if (ids.length === 0) git(found.repository, ['update-ref', '-d', 'refs/heads/main'])
    const time = git(found.repository, ['show', '-s', '--format=%at', one])
    const again = await found.rowback(
      ...['backup', 'data', '--time', time, '--engine', engine === 'native' ? 'embedded' : 'native'],
    )
    expectDone(again)
    expect(git(found.repository, ['rev-parse', 'main'])).toBe(one)
    ids.push(one)
  }
  expectDone(await found.rowback('verify', '--all', '--engine', 'embedded'))
  expect(git(found.repository, ['fsck', '--strict'])).toBe('')
})

test('a remote that is not http(s) gives one clear error, and the commit is safe', async () => {
  const found = machine()
  const directory = bareRepository(join(tempDir(), 'app.git'))
  for (const url of ['ssh://nas.example/srv/app.git', 'backup@nas.example:app.git', directory]) {
    const { code, stderr } = await found.backup('--remote', url)
    expect(code).toBe(12)
    expect(stderr).toContain(
      `rowback: use remote ${url}: it is no http(s) address, which takes the git program; the embedded engine is in use; the commit is safe in repo.git`,
    )
    expect(stderr).toContain('rowback: try: install git')
  }
  expect(git(found.repository, ['rev-list', '--count', 'main'])).toBe('1')
})

/** Takes all objects out of their packs, and returns the id of a file of the latest commit with the file that holds it. */
function looseObject({ repository, dir }: Machine, path: string): { oid: string; file: string } {
  const folder = join(repository, 'objects', 'pack')
  for (const name of readdirSync(folder)) {
    renameSync(join(folder, name), join(dir, name))
    const input = readFileSync(join(dir, name))
    if (name.endsWith('.pack')) execFileSync('git', ['-C', repository, 'unpack-objects', '-q'], { input })
  }
  const oid = git(repository, ['rev-parse', `main:${path}`])
  const file = join(repository, 'objects', oid.slice(0, 2), oid.slice(2))
  chmodSync(file, 0o600)
  return { oid, file }
}

test('damage is found and named, and git is asked for to heal it', async () => {
  const found = machine()
  expectDone(await found.backup())
  const { oid, file } = looseObject(found, 'assets/icon.txt')
  writeFileSync(file, 'no object')
  const { code, stderr } = await found.rowback('verify')
  expect(code).toBe(11)
  expect(stderr).toContain(`${oid} (assets/icon.txt)`)
  expect(stderr).toContain('it takes the git program to bring them back')
  rmSync(file)
  expect((await found.rowback('verify', '--all')).stderr).toContain(
    `read object ${oid}: it is missing from the repository`,
  )
})

test('a damaged file beside a good pack is told by verify, and hides nothing', async () => {
  const found = machine()
  expectDone(await found.backup())
  const oid = git(found.repository, ['rev-parse', 'main:assets/icon.txt'])
  mkdirSync(join(found.repository, 'objects', oid.slice(0, 2)), { recursive: true })
  writeFileSync(join(found.repository, 'objects', oid.slice(0, 2), oid.slice(2)), '')
  expectDone(await found.rowback('restore', 'latest', '--to', 'back'))
  expect(readFileSync(join(found.dir, 'back', 'icon.txt'), 'utf8')).toBe('an asset')
  const { code, stderr } = await found.rowback('verify')
  expect(code).toBe(11)
  expect(stderr).toContain(`${oid} (assets/icon.txt)`)
})

test('an object that another one took the place of, and one in a damaged pack, are found', async () => {
  const found = machine()
  expectDone(await found.backup())
  const folder = join(found.repository, 'objects', 'pack')
  const packs = readdirSync(folder).filter((name) => name.endsWith('.pack'))
  for (const pack of packs) {
    const bytes = readFileSync(join(folder, pack))
    const damaged = Buffer.from(bytes)
    damaged[bytes.length - 30] = (damaged[bytes.length - 30] as number) ^ 1
    chmodSync(join(folder, pack), 0o600)
    writeFileSync(join(folder, pack), damaged)
    const verified = await found.rowback('verify')
    expect(verified.code).toBe(11)
    writeFileSync(join(folder, pack), bytes)
  }
  expectDone(await found.rowback('verify'))
  const readme = looseObject(found, 'README.md')
  const icon = git(found.repository, ['rev-parse', 'main:assets/icon.txt'])
  const place = join(found.repository, 'objects', icon.slice(0, 2), icon.slice(2))
  rmSync(place)
  copyFileSync(readme.file, place)
  const { code, stderr } = await found.rowback('verify')
  expect(code).toBe(11)
  expect(stderr).toContain(icon)
  expect(stderr).not.toContain(readme.oid)
})

test('a server that refuses, or is not there, is told in the words of git', async () => {
  const found = machine()
  const { remote, url, settings } = await server(found)
  mkdirSync(join(remote, 'hooks'), { recursive: true })
  writeFileSync(join(remote, 'hooks', 'pre-receive'), '#!/bin/sh\necho "no more today" >&2\nexit 1\n', {
    mode: 0o755,
  })
  const refused = await found.backup(...settings)
  expect(refused.code).toBe(12)
  expect(refused.stderr).toContain('the remote refused it: [remote rejected] (pre-receive hook declined)')
  expect(refused.stderr).toContain('no more today')
  const wrong = { ...found.env, TOKEN: 'guessed' }
  const args = ['push', '--repo', found.repository, ...settings]
  const denied = await rowback(args, { cwd: found.dir, env: wrong })
  expect(denied.code).toBe(12)
  expect(denied.stderr).toContain('authentication failed')
  expect(denied.stderr).not.toContain('guessed')
  const unknown = await found.rowback('push', '--remote', url.replace('ada@', ''))
  expect(unknown.stderr).toContain('the embedded engine knows no credential helpers')
  const none = await found.rowback('push', '--remote', 'http://127.0.0.1:1/app.git', '--retries', '0')
  expect(none.code).toBe(12)
  expect(none.stderr).toContain('it is unreachable')
  const other = createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 101 Other\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'))
  })
  other.listen(0, '127.0.0.1')
  onTestFinished(() => void other.close())
  await once(other, 'listening')
  const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/app.git`
  expect((await found.rowback('push', '--remote', elsewhere, '--retries', '0')).code).toBe(12)
  expect(git(remote, ['for-each-ref'])).toBe('')
})

test('a push that is cut off is tried again', async () => {
  const found = machine()
  found.sql('INSERT INTO note(text) VALUES (hex(randomblob(200000)))')
  const root = tempDir()
  const remote = bareRepository(join(root, 'app.git'))
  const { port, connections } = await network(await httpServer(root), [
    {},
    { cutAfterBytes: 1000 },
    {},
    { cutAfterBytes: 5000 },
  ])
  const done = await found.backup('--remote', `http://127.0.0.1:${port}/app.git`)
  expectDone(done)
  expect(connections()).toBeGreaterThan(4)
  expect(git(remote, ['rev-parse', 'main'])).toBe(git(found.repository, ['rev-parse', 'main']))
})

test('over https a certificate has to be trusted', async (context) => {
  const tls = ownCertificate()
  if (tls === undefined) return context.skip('it needs openssl')
  const found = machine(tempDir(), rowbackProcess)
  const root = tempDir()
  const remote = bareRepository(join(root, 'app.git'))
  const url = `https://127.0.0.1:${await httpServer(root, { tls })}/app.git`
  const refused = await found.backup('--remote', url)
  expect(refused.code).toBe(12)
  expect(refused.stderr).toContain('its certificate is not trusted')
  expect(git(remote, ['for-each-ref'])).toBe('')
  found.env.NODE_EXTRA_CA_CERTS = tls.file
  expectDone(await found.rowback('push', '--remote', url))
  expect(git(remote, ['rev-parse', 'main'])).toBe(git(found.repository, ['rev-parse', 'main']))
})

test('commits of another machine are not overwritten', async () => {
  const [found, other] = [machine(), machine()]
  const { remote, settings, url } = await server(found)
  expectDone(await found.backup(...settings))
  writeFileSync(
    join(other.dir, 'settings.yaml'),
    `remotes:\n  - { url: '${url}', password-variable: TOKEN }\n`,
  )
  other.env.TOKEN = 'open sesame'
  other.sql('DELETE FROM note')
  const { code, stderr } = await other.backup('--config', join(other.dir, 'settings.yaml'))
  expect(code).toBe(12)
  expect(stderr).toContain('the remote has commits that this repository lacks; nothing was pushed')
  expect(git(remote, ['rev-parse', 'main'])).toBe(git(found.repository, ['rev-parse', 'main']))
})

test('by setting git is not started at all, and what runs with git does not load the other engine', async () => {
  const bin = tempDir()
  const mark = join(tempDir(), 'mark')
  writeFileSync(join(bin, 'git'), `#!/bin/sh\necho called >> ${mark}\nexit 1\n`, { mode: 0o755 })
  const found = machine(bin)
  writeFileSync(join(found.dir, 'rowback.yaml'), 'engine: embedded\n')
  expectDone(await found.backup())
  expectDone(await found.rowback('verify'))
  expect(() => readFileSync(mark)).toThrow()

  const loaded = join(found.dir, 'loaded')
  const probe = join(found.dir, 'probe.cjs')
  writeFileSync(
    probe,
    `process.on('exit', () => require('fs').appendFileSync(${JSON.stringify(loaded)},
      Object.keys(require.cache).filter((file) => file.includes('isomorphic-git')).join('\\n')))`,
  )
  const real = machine(process.env.PATH, rowbackProcess)
  real.env.NODE_OPTIONS = `--require ${probe}`
  expectDone(await real.backup())
  expect(readFileSync(loaded, 'utf8')).toBe('')
  expectDone(await real.rowback('log', '--engine', 'embedded'))
  expect(readFileSync(loaded, 'utf8')).toContain('isomorphic-git')
})

test('what needs git says so: the engine native, a hook of somebody else, joining packs', async () => {
  const found = machine()
  const native = await found.backup('--engine', 'native')
  expect(native.code).toBe(11)
  expect(native.stderr).toContain('run git: there is no program of that name in PATH')
  expect(native.stderr).toContain('--engine embedded')
  const cloned = await rowback(['clone', 'http://127.0.0.1:1/app.git', 'new.git'], found)
  expect(cloned.code).toBe(12)
  expect(cloned.stderr).toContain('all of it has to be fetched, which takes the git program')
  expect(readdirSync(found.dir)).not.toContain('new.git')
  const joined = await found.backup('--upkeep', 'always')
  expect(joined.code).toBe(0)
  found.sql(`INSERT INTO note(text) VALUES ('more')`)
  expect((await found.backup('--upkeep', 'always')).stderr).toContain('only the git program does that')
  const { settings } = await server(found)
  writeFileSync(join(found.repository, 'hooks', 'pre-push'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const pushed = await found.rowback('push', ...settings)
  expect(pushed.code).toBe(12)
  expect(pushed.stderr).toContain('its pre-push hook is not that of Rowback')
})

test('commits are signed as with git, and it takes git to demand a signature', async (context) => {
  if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
  const path = tempDir()
  symlinkSync(execFileSync('which', ['ssh-keygen']).toString().trim(), join(path, 'ssh-keygen'))
  const found = machine(path)
  writeFileSync(join(found.dir, 'allowed'), `backup@nas ${sshKey(join(found.dir, 'key'))}\n`)
  const config = join(found.dir, 'settings.yaml')
  writeFileSync(config, 'sign: { format: ssh, key: key }\nsigners: { ssh: allowed }\n')
  expectDone(await found.backup('--config', config))
  found.sql(`INSERT INTO note(text) VALUES ('more')`)
  expectDone(await found.backup('--config', config))

  const native = { cwd: found.dir, env: { HOME: found.dir } }
  const checked = await rowback(['verify', '--all', '--signed', '-c', config, '-r', 'repo.git'], native)
  expect(checked).toMatchObject({ code: 0, stderr: '' })
  expect(checked.stdout).toContain('each has a signature that counts')
  const refused = await found.rowback('verify', '--signed', '--config', config)
  expect(refused.code).toBe(11)
  expect(refused.stderr).toContain('they are checked as git does, which takes the git program')
})

test('contents in Git LFS are kept and come back, and a push that has to send some says that it takes git', async () => {
  const found = machine()
  const { settings, remote } = await server(found)
  const file = settings[1] as string
  writeFileSync(file, `${readFileSync(file)}assets: { rules: [{ match: [icon.txt], store: lfs }] }\n`)
  const pushed = await found.backup(...settings)
  expect(pushed.code).toBe(12)
  expect(pushed.stderr).toContain('contents go by git-lfs, which takes the git program')
  expect(git(remote, ['for-each-ref'])).toBe('')
  expectDone(await found.rowback('verify', '--all'))
  expectDone(await found.rowback('restore', 'latest', '--to', 'back'))
  expect(readFileSync(join(found.dir, 'back', 'icon.txt'), 'utf8')).toBe('an asset')
})
