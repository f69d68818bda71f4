/** Backups to real servers on loopback: let in, cut off, slow, full, refusing, and several at once. */

import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { push } from '../../src/push.ts'
import { setEnv } from '../git/testdir.ts'
import { contents, type Ended } from '../support/cli.ts'
import { databaseFrom, facts } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { httpServer, network, sshServer, type Weather } from '../support/git-servers.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { smallDisk } from '../support/mount.ts'
import { tempDir } from '../support/temp.ts'

interface Machine {
  dir: string
  source: string
  repository: string
  env: Record<string, string>
  rowback: (...args: string[]) => Promise<Ended>
  /** `backup` with those flags. */
  backup: (...flags: string[]) => Promise<Ended>
  addRow: (text: string) => void
}

/** What a backup says of its commit, whatever becomes of the push. */
const saysCommit = expect.stringMatching(/^[0-9a-f]{10} app: /)

/** A machine with a database; its random text does not compress, so that a push is as large as the count says. */
function machine(bytes = 100): Machine {
  const dir = tempDir()
  const source = join(dir, 'app.db')
  databaseFrom(
    `CREATE TABLE note(id INTEGER PRIMARY KEY, text);
     INSERT INTO note(text) VALUES ('first'), (hex(randomblob(${bytes})))`,
    source,
  )
  const env = { HOME: dir, TMPDIR: dir, XDG_CONFIG_HOME: dir, no_proxy: '*' }
  const run = (...args: string[]) => rowback([...args, '--repo', 'repo.git'], { cwd: dir, env })
  return {
    dir,
    source,
    repository: join(dir, 'repo.git'),
    env,
    rowback: run,
    backup: (...flags) => run('backup', 'app.db', ...flags),
    addRow: (text) => execFileSync('sqlite3', [source, `INSERT INTO note(text) VALUES ('${text}')`]),
  }
}

/** Whether the remote has what the repository has, and nothing that is damaged or left over. */
function expectArrived({ repository }: Machine, remote: string, branch = 'main'): void {
  expect(git(remote, ['rev-parse', branch])).toBe(git(repository, ['rev-parse', branch]))
  expect(git(remote, ['fsck', '--strict', '--connectivity-only'])).not.toMatch(/missing|broken/)
  expect(git(remote, ['for-each-ref', 'refs/rowback'])).toBe('')
}

/**
 * A folder of git's programs whose receive-pack, the other side of a push to a directory, gets what is sent at that speed;
 * when that is over, the file `report` says what came.
 */
function slowReceiver(dir: string, bytesPerSecond: number): { execPath: string; report: string } {
  const [execPath, report, pump] = ['exec-path', 'report.json', 'pump.mjs'].map((name) =>
    join(dir, name),
  ) as [string, string, string]
  const real = execFileSync('git', ['--exec-path'], { encoding: 'utf8' }).trim()
  mkdirSync(execPath)
  for (const name of readdirSync(real)) symlinkSync(join(real, name), join(execPath, name))
  rmSync(join(execPath, 'git'))
  writeFileSync(
    pump,
    `import { writeFileSync, writeSync } from 'node:fs'
     import { setTimeout } from 'node:timers/promises'
     let bytes = 0
     const begun = performance.now()
     for await (const chunk of process.stdin) {
       await setTimeout(chunk.length / ${bytesPerSecond} * 1000)
       bytes += chunk.length
       for (let at = 0; at < chunk.length; ) at += writeSync(1, chunk, at)
     }
     writeFileSync(${JSON.stringify(report)}, JSON.stringify({ bytes, ms: performance.now() - begun }))`,
  )
  const slowly = `${process.execPath} ${pump} | ${join(real, 'git')} "$@"`
  const script = `#!/bin/sh\ncase " $* " in\n*' receive-pack '*) ${slowly} ;;\n*) exec ${join(real, 'git')} "$@" ;;\nesac\n`
  writeFileSync(join(execPath, 'git'), script, { mode: 0o755 })
  return { execPath, report }
}

/** A server of each kind with one empty repository, and the way to it through a network. */
const servers = {
  async http(found: Machine, weather: Weather) {
    const root = tempDir()
    const remote = bareRepository(join(root, 'app.git'))
    const login = { user: 'ada', password: 'open sesame' }
    const { port, connections } = await network(await httpServer(root, { login }), weather)
    writeFileSync(join(found.dir, '.git-credentials'), `http://ada:open%20sesame@127.0.0.1%3a${port}\n`)
    writeFileSync(join(found.dir, '.gitconfig'), '[credential]\n\thelper = store\n')
    return { remote, url: `http://127.0.0.1:${port}/app.git`, connections }
  },
  async ssh(found: Machine, weather: Weather) {
    const server = await sshServer()
    if (server === undefined) return undefined
    const remote = bareRepository(join(tempDir(), 'app.git'))
    const { port, connections } = await network(server.port, weather)
    found.env.GIT_SSH_COMMAND = server.sshCommand
    return { remote, url: `ssh://127.0.0.1:${port}${remote}`, connections }
  },
}

describe.each(Object.keys(servers) as (keyof typeof servers)[])('over %s a backup', (kind) => {
  test('is pushed, and the next one, too.', async (context) => {
    const found = machine()
    const server = await servers[kind](found, [])
    if (!server) return context.skip('there is no sshd')
    expect(await found.backup('--remote', server.url)).toMatchObject({ code: 0, stderr: '' })
    found.addRow('second')
    expect(await found.backup('--remote', server.url)).toMatchObject({ code: 0, stderr: '' })
    expectArrived(found, server.remote)
  })

  test('arrives although the connection is cut in the middle of the push.', async (context) => {
    const found = machine(300_000)
    // Every connection is cut that carries the files, until two have been.
    const weather = Array.from({ length: kind === 'ssh' ? 3 : 6 }, () => ({ cutAfterBytes: 100_000 }))
    const server = await servers[kind](found, weather)
    if (!server) return context.skip('there is no sshd')
    const lost = await found.backup('--remote', server.url, '--retries', '0')
    expect(lost).toMatchObject({ code: 12, stdout: saysCommit })
    expect(lost.stderr).toMatch(/push to .*: it is unreachable \(.*\); the commit is safe in repo\.git/)
    expect(git(server.remote, ['for-each-ref'])).toBe('')
    const remotes = [{ url: server.url }]
    setEnv(found.env)
    await push({ repository: found.repository, remotes, retries: 8, retryDelayMs: 1 })
    expect(server.connections()).toBeGreaterThan(weather.length)
    expectArrived(found, server.remote)
  })

  test('arrives over a slow network.', async (context) => {
    const found = machine(300_000)
    const weather = Array.from({ length: 20 }, () => ({ bytesPerSecond: 300_000 }))
    const server = await servers[kind](found, weather)
    if (!server) return context.skip('there is no sshd')
    expect(await found.backup('--remote', server.url, '--retries', '0')).toMatchObject({
      code: 0,
      stderr: '',
    })
    expectArrived(found, server.remote)
  })

  test('says that the remote is full, tries no more, and arrives when there is room.', async (context) => {
    const disk = smallDisk('1m')
    if (!disk) return context.skip('no small disk can be mounted')
    const found = machine(1_000_000)
    const server = await servers[kind](found, [])
    if (!server) return context.skip('there is no sshd')
    const objects = join(server.remote, 'objects')
    execFileSync('rm', ['-r', objects])
    execFileSync('ln', ['-s', disk.dir, objects])
    const full = await found.backup('--remote', server.url)
    expect(full).toMatchObject({ code: 12, stdout: saysCommit })
    expect(full.stderr).toMatch(
      /push to .*: there is no space left on the remote; the commit is safe in repo\.git/,
    )
    expect(git(server.remote, ['for-each-ref'])).toBe('')
    execFileSync('rm', [objects])
    mkdirSync(objects)
    expect(await found.backup('--remote', server.url)).toMatchObject({ code: 0 })
    expectArrived(found, server.remote)
  })

  test('is not tried again where the remote refuses it.', async (context) => {
    const found = machine()
    const server = await servers[kind](found, [])
    if (!server) return context.skip('there is no sshd')
    const count = join(found.dir, 'count')
    mkdirSync(join(server.remote, 'hooks'))
    writeFileSync(
      join(server.remote, 'hooks', 'pre-receive'),
      `#!/bin/sh\necho x >> ${count}; echo "not today" >&2; exit 1\n`,
      { mode: 0o755 },
    )
    const refused = await found.backup('--remote', server.url)
    expect(refused.stderr).toContain(
      'the remote refused it: [remote rejected] (pre-receive hook declined) (not today)',
    )
    expect(refused.code).toBe(12)
    expect(readFileSync(count, 'utf8')).toBe('x\n')
  })
})

describe('to a bare directory a backup', () => {
  test('arrives although the other side dies in the middle of the push.', async () => {
    const found = machine()
    const remote = bareRepository(join(found.dir, 'remote.git'))
    const count = join(found.dir, 'count')
    mkdirSync(join(remote, 'hooks'))
    const dies = `echo x >> ${count}; [ "$(wc -l < ${count})" -gt 2 ] || kill -9 $PPID`
    writeFileSync(join(remote, 'hooks', 'pre-receive'), `#!/bin/sh\n${dies}\n`, { mode: 0o755 })
    const lost = await found.backup('--remote', remote, '--retries', '0')
    expect(lost).toMatchObject({ code: 12, stdout: saysCommit })
    expect(lost.stderr).toMatch(/: it is unreachable \(.*\); the commit is safe in repo\.git/)
    expect(await found.backup('--remote', remote, '--retries', '1')).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(count, 'utf8')).toBe('x\nx\nx\n')
    expectArrived(found, remote)
  })

  test('counts as arrived where only the answer was lost.', async () => {
    const found = machine()
    const remote = bareRepository(join(found.dir, 'remote.git'))
    mkdirSync(join(remote, 'hooks'))
    const count = join(found.dir, 'count')
    writeFileSync(join(remote, 'hooks', 'post-receive'), `#!/bin/sh\necho x >> ${count}; kill -9 $PPID\n`, {
      mode: 0o755,
    })
    expect(await found.backup('--remote', remote, '--retries', '1')).toMatchObject({ code: 0, stderr: '' })
    expect(readFileSync(count, 'utf8')).toBe('x\n')
    expectArrived(found, remote)
  })

  test('waits for one that is slow, and says when it has arrived.', async () => {
    const found = machine(300_000)
    const remote = bareRepository(join(found.dir, 'remote.git'))
    const slow = slowReceiver(found.dir, 300_000)
    found.env.GIT_EXEC_PATH = slow.execPath
    mkdirSync(join(remote, 'hooks'))
    const slept = join(found.dir, 'slept')
    writeFileSync(join(remote, 'hooks', 'pre-receive'), `#!/bin/sh\nsleep 1; echo x >> ${slept}\n`, {
      mode: 0o755,
    })
    const done = await found.backup('--remote', remote, '--retries', '0')
    expect(done).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(`pushed 1 commit to ${remote}`),
    })
    expectArrived(found, remote)
    expect(readFileSync(slept, 'utf8')).toBe('x\n')
    const { bytes, ms } = JSON.parse(readFileSync(slow.report, 'utf8'))
    expect(bytes).toBeGreaterThan(300_000)
    expect(ms).toBeGreaterThan(900)
  })

  test('says that the disk is full.', async (context) => {
    const disk = smallDisk('1m')
    if (!disk) return context.skip('no small disk can be mounted')
    const found = machine(2_000_000)
    const remote = bareRepository(join(disk.dir, 'remote.git'))
    const full = await found.backup('--remote', remote)
    expect(full.stderr).toMatch(
      /push to .*: there is no space left on the remote; the commit is safe in repo\.git/,
    )
    expect(full.code).toBe(12)
  })
})

describe('over http a server', () => {
  test.each([
    [503, 'the server cannot answer now', 2],
    [429, 'the server cannot answer now', 2],
    [403, 'authentication failed', 1],
    [404, 'there is no such repository', 1],
  ])('that answers %i is told so: %s', async (status, cause, tries) => {
    const found = machine()
    let asked = 0
    const refuse = () => {
      asked += 1
      return status
    }
    const port = await httpServer(tempDir(), { refuse })
    const failed = await found.backup('--remote', `http://127.0.0.1:${port}/app.git`, '--retries', '1')
    expect(failed).toMatchObject({ code: 12, stdout: saysCommit })
    expect(failed.stderr).toContain(`: ${cause} (`)
    expect(asked).toBe(tries)
  })

  test('that says nothing any more is given up, and tried again.', async () => {
    const found = machine(300_000)
    const root = tempDir()
    const remote = bareRepository(join(root, 'app.git'))
    // The first connection asks what there is, the second one sends.
    const weather = [{}, { stallAfterBytes: 50_000 }]
    const { port } = await network(await httpServer(root), weather)
    writeFileSync(join(found.dir, '.gitconfig'), '[http]\n\tlowSpeedLimit = 1\n\tlowSpeedTime = 2\n')
    const url = `http://127.0.0.1:${port}/app.git`
    expect(await found.backup('--remote', url, '--retries', '1')).toMatchObject({ code: 0, stderr: '' })
    expectArrived(found, remote)
  })
})

describe('the password of a remote', () => {
  const password = 'tr0ub4dor &3%'

  /** Settings with a password variable, for a server that wants that password. */
  async function place(user: string, given = user): Promise<{ found: Machine; remote: string }> {
    const found = machine()
    const root = tempDir()
    const remote = bareRepository(join(root, 'app.git'))
    const port = await httpServer(root, { login: { user, password } })
    const at = given === 'git' ? '' : `${given}@`
    writeFileSync(
      join(found.dir, 'rowback.yaml'),
      `remotes:\n  - url: http://${at}127.0.0.1:${port}/app.git\n    password-variable: APP_TOKEN\n`,
    )
    // What helpers of the user know is not asked, and they are not told the password.
    writeFileSync(join(found.dir, '.gitconfig'), '[credential]\n\thelper = store\n')
    writeFileSync(join(found.dir, '.git-credentials'), `http://${user}:wrong@127.0.0.1%3a${port}\n`)
    return { found, remote }
  }

  test.each(['git', 'ada'])('of user %s comes from a variable, and is nowhere else.', async (user) => {
    const { found, remote } = await place(user)
    found.env.APP_TOKEN = password
    const done = await found.backup('--config', 'rowback.yaml', '--verbose')
    expect(done).toMatchObject({ code: 0 })
    expectArrived(found, remote)
    expect(done.stdout + done.stderr).not.toContain(password)
    const holders = spawnSync('grep', ['-rlF', password, found.dir], { encoding: 'utf8' })
    expect(holders).toMatchObject({ status: 1, stdout: '' })
  })

  test('is in no argument list while git runs.', async () => {
    const { found, remote } = await place('git')
    found.env.APP_TOKEN = password
    mkdirSync(join(remote, 'hooks'))
    const seen = join(found.dir, 'seen')
    // While the server receives, the whole family of git is running.
    const script = `for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $f; echo; done > ${seen} 2>/dev/null; exit 0`
    writeFileSync(join(remote, 'hooks', 'pre-receive'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    expect(await found.backup('--config', 'rowback.yaml')).toMatchObject({ code: 0 })
    const args = readFileSync(seen, 'utf8')
    expect(args).toContain('push --porcelain')
    expect(args).not.toContain(password)
  })

  test('that is wrong or missing is told without it.', async () => {
    const { found } = await place('git')
    found.env.APP_TOKEN = 'n0t the one'
    const wrong = await found.backup('--config', 'rowback.yaml', '--verbose')
    expect(wrong.code).toBe(12)
    expect(wrong.stderr).toContain('authentication failed')
    expect(wrong.stderr).not.toContain('n0t the one')
    delete found.env.APP_TOKEN
    const missing = await found.backup('--config', 'rowback.yaml')
    expect(missing.code).toBe(2)
    expect(missing.stderr).toContain('the environment variable APP_TOKEN is not set')

    // Another remote does not wait for that.
    const copy = bareRepository(join(found.dir, 'copy.git'))
    writeFileSync(
      join(found.dir, 'rowback.yaml'),
      `${readFileSync(join(found.dir, 'rowback.yaml'), 'utf8')}  - ${copy}\n`,
    )
    found.addRow('another')
    const one = await found.backup('--config', 'rowback.yaml')
    expect(one).toMatchObject({ code: 2, stderr: missing.stderr })
    expect(one.stdout).toContain(`pushed 2 commits to ${copy}`)
    expectArrived(found, copy)
  })

  test('in the address that git has for a name is refused, as it would be in arguments, and another remote is not.', async () => {
    const found = machine()
    await found.backup()
    git(found.repository, [
      'remote',
      'add',
      'home',
      `http://me:${password.replaceAll(' ', '')}@127.0.0.1:1/app.git`,
    ])
    const copy = bareRepository(join(found.dir, 'copy.git'))
    const { code, stderr } = await found.rowback('push', '--remote', 'home', '--remote', copy)
    expectArrived(found, copy)
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: expect.stringMatching(
        /^rowback: use remote "http:\/\/\*\*\*@127\.0\.0\.1:1\/app\.git": it holds a secret/,
      ),
    })
  })

  test('is not sent where a settings file that nobody named says so.', async () => {
    const { found, remote } = await place('git')
    found.env.APP_TOKEN = password
    const refused = await found.backup()
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain(
      'read settings rowback.yaml: only a file of --config may name password variables',
    )
    expect(git(remote, ['for-each-ref'])).toBe('')
  })

  test('is no use to ssh, which takes keys; an agent can hold them.', async (context) => {
    const found = machine()
    const server = await sshServer()
    if (!server) return context.skip('there is no sshd')
    const remote = bareRepository(join(found.dir, 'remote.git'))
    const url = `ssh://127.0.0.1:${server.port}${remote}`
    found.env.GIT_SSH_COMMAND = `ssh ${server.sshOptions}`
    const refused = await found.backup('--remote', url)
    expect(refused.code).toBe(12)
    expect(refused.stderr).toContain('authentication failed')
    const agent = execFileSync('ssh-agent', ['-s', '-a', join(found.dir, 'agent')], { encoding: 'utf8' })
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(agent)?.[1])
    onTestFinished(() => void process.kill(pid))
    found.env.SSH_AUTH_SOCK = join(found.dir, 'agent')
    execFileSync('ssh-add', ['-q', server.key], { env: { ...process.env, ...found.env } })
    expect(await found.backup('--remote', url)).toMatchObject({ code: 0, stderr: '' })
    expectArrived(found, remote)

    const config = `remotes: [{ url: "${url}", password-variable: APP_TOKEN }]\n`
    writeFileSync(join(found.dir, 'other.yaml'), config)
    found.env.APP_TOKEN = 'x'
    const useless = await found.backup('--config', 'other.yaml')
    expect(useless.code).toBe(2)
    expect(useless.stderr).toContain('only an http(s):// address takes the password of APP_TOKEN')
  })
})

describe('several remotes', () => {
  test('each get the commit, by flags or settings, and are remembered by push.', async () => {
    const found = machine()
    const [one, two, three] = ['one', 'two', 'three'].map((name) =>
      bareRepository(join(found.dir, `${name}.git`)),
    ) as [string, string, string]
    expect(await found.backup('--remote', one, '--remote', two)).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining(`pushed 1 commit to ${one}\npushed 1 commit to ${two}\n`),
    })
    found.addRow('second')
    await found.backup()
    expect(await found.rowback('push')).toMatchObject({
      code: 0,
      stdout: `pushed 1 commit to ${one}, 1 verified\npushed 1 commit to ${two}\n`,
    })
    writeFileSync(join(found.dir, 'rowback.yaml'), `remote: ./three.git\nremotes: [${one}, ./two.git]\n`)
    expect((await found.backup()).stdout).toContain(
      `pushed 2 commits to ${three}\n${one} is up to date\n${two} is up to date\n`,
    )
    for (const remote of [one, two, three]) expectArrived(found, remote)
  })

  test('do not wait for one that fails, which is told at the end.', async () => {
    const found = machine()
    const [none, two] = [join(found.dir, 'none.git'), bareRepository(join(found.dir, 'two.git'))]
    const failed = await found.backup('--remote', none, '--remote', two, '--json')
    expect(failed.code).toBe(12)
    expect(JSON.parse(failed.stdout)).toMatchObject({
      error: {
        code: 'remote',
        message: expect.stringContaining(`read remote ${none}: there is no such repository`),
      },
      pushes: [{ remote: two, commits: 1 }],
    })
    expectArrived(found, two)
    const both = await found.backup('--remote', none, '--remote', `${none}2`, '--remote', two)
    expect(both.stderr).toMatch(
      /^rowback: push to 3 remotes: 2 failed\n {2}read remote .*none\.git: .*\n {2}read remote .*none\.git2: /,
    )
  })
})

describe('a name of git remote', () => {
  test('counts before a folder of the working directory, and its directory is treated as one.', async () => {
    const found = machine()
    const copy = bareRepository(join(found.dir, 'over', 'there.git'))
    bareRepository(join(found.dir, 'nas'))
    await found.backup()
    git(found.repository, ['remote', 'add', 'nas', '../over/there.git'])
    const lock = join(copy, 'refs', 'heads', 'main.lock')
    writeFileSync(lock, '')
    utimesSync(lock, 0, 0)
    expect(await found.rowback('push', '--remote', 'nas')).toMatchObject({
      code: 0,
      stdout: 'pushed 1 commit to nas, 1 verified\n',
      stderr: '',
    })
    expectArrived(found, copy)
    expect(existsSync(lock)).toBe(false)
    expect(git(join(found.dir, 'nas'), ['for-each-ref'])).toBe('')
  })
})

describe('a remote that another machine pushes to', () => {
  test('is told of, though its commits cannot be looked at for want of a temporary folder.', async () => {
    const [one, two] = [machine(), machine()]
    const remote = bareRepository(join(one.dir, 'app.git'))
    await two.backup('--remote', remote)
    one.env.TMPDIR = join(one.dir, 'none')
    const failed = await one.backup('--remote', remote)
    expect(failed.code).toBe(12)
    expect(failed.stderr).toMatch(
      /^rowback: push to .*app\.git: the remote has .*; nothing was pushed, the commit is safe in repo\.git\n/,
    )
  })

  const kinds = ['directory', 'directory that leaves out files', 'http', 'git remote']
  test.each(kinds)('is explained and left as it is (%s).', async (kind) => {
    const [one, two] = [machine(), machine()]
    const root = tempDir()
    const remote = bareRepository(join(root, 'app.git'))
    git(remote, ['config', 'uploadpack.allowFilter', String(kind !== 'directory')])
    const address = kind === 'http' ? `http://127.0.0.1:${await httpServer(root)}/app.git` : remote
    const url = kind === 'git remote' ? 'theirs' : address
    const time = (day: number) => ['--time', `2026-01-0${day}T12:00:00Z`]
    const author = ['--author', 'Grace <grace@example.org>']
    await one.backup('--remote', address, ...time(1))
    if (kind === 'git remote') git(one.repository, ['remote', 'add', url, relative(one.repository, remote)])
    execFileSync('git', ['clone', '--quiet', '--bare', remote, two.repository])
    for (const day of [2, 3]) {
      two.addRow(`row ${day}`)
      await two.backup('--remote', address, ...time(day), ...author)
    }
    const theirs = git(remote, ['rev-parse', 'main'])
    expect(theirs).toBe(git(two.repository, ['rev-parse', 'main']))
    one.addRow('mine')
    const objects = () => git(one.repository, ['count-objects', '-v'])
    const before = contents(remote)
    const failed = await one.backup('--remote', url, ...time(4))
    expect(failed.code).toBe(12)
    expect(failed.stderr).toBe(
      `rowback: push to ${url}: the remote has 2 commits that this repository lacks, the first of 2026-01-02 12:00 UTC, the last of 2026-01-03 12:00 UTC: ${theirs.slice(0, 10)} "app: 1 row added" by Grace <grace@example.org>; nothing was pushed, the commit is safe in repo.git
rowback: try: rowback clone ${address} DIR goes on from there; else give this machine a branch of its own by the setting "branch"
`,
    )
    expect(contents(remote)).toEqual(before)
    const after = objects()
    const json = await one.backup('--remote', url, '--json')
    expect(JSON.parse(json.stdout).foreign).toMatchObject([
      { commit: theirs, author: 'Grace <grace@example.org>', time: Date.UTC(2026, 0, 3, 12) / 1000 },
      { subject: 'app: 1 row added, 1 changed' },
    ])
    expect(objects()).toBe(after)

    writeFileSync(join(one.dir, 'rowback.yaml'), 'branch: hosts/one\n')
    expect(await one.backup('--remote', url)).toMatchObject({ code: 0, stderr: '' })
    expect(git(remote, ['rev-parse', 'hosts/one'])).toBe(git(one.repository, ['rev-parse', 'hosts/one']))
    expect(git(remote, ['rev-parse', 'main'])).toBe(theirs)
    await rowbackJson(['restore', 'hosts/one', '--to', 'out', '--repo', remote], {
      cwd: one.dir,
      env: one.env,
    })
    expect(facts(join(one.dir, 'out', 'app.db'))).toEqual(facts(one.source))
  })
})
