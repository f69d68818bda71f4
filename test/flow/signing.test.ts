/** Signed commits: what signs them, whose signatures count, and what is refused without one. */

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { deflateSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { exitCodes } from '../../src/errors.ts'
import { gitEnv } from '../../src/git/env.ts'
import { contents, type Ended, program, projectRoot } from '../support/cli.ts'
import { allFacts, databaseFrom } from '../support/database.ts'
import { bareRepository, git } from '../support/git.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { canSign, keyring, sshKey } from '../support/keys.ts'
import { tempDir } from '../support/temp.ts'

interface Place {
  dir: string
  source: string
  repository: string
  /** Writes `settings.yaml`: those of the place and these. */
  configure(...settings: string[]): void
  run(...args: string[]): Promise<Ended>
  change(): void
  /** Variables of the program. */
  env: Record<string, string>
}

function place(): Place {
  const dir = tempDir()
  const source = join(dir, 'data')
  mkdirSync(source)
  const database = databaseFrom(
    "CREATE TABLE note(a); INSERT INTO note VALUES ('one')",
    join(source, 'app.db'),
  )
  writeFileSync(join(source, 'asset'), 'one')
  const repository = join(dir, 'repo.git')
  const env: Record<string, string> = {}
  const config = join(dir, 'settings.yaml')
  return {
    ...{ dir, source, repository, env },
    configure: (...settings) =>
      writeFileSync(config, ['source: data', 'repository: repo.git', ...settings, ''].join('\n')),
    run: (verb, ...args) => rowback([verb as string, ...args, '--config', config], { cwd: dir, env }),
    change: () => void databaseFrom('INSERT INTO note VALUES (random())', database),
  }
}

/** A place whose backups are signed by an SSH key that counts. */
function sshPlace(): Place & { publicKey: string } {
  const found = place()
  const publicKey = sshKey(join(found.dir, 'key'))
  writeFileSync(join(found.dir, 'allowed'), `backup@nas ${publicKey}\n`)
  found.configure(...sshSettings)
  return { ...found, publicKey }
}

const sshSettings = ['sign: { format: ssh, key: key }', 'signers: { ssh: allowed }']

/** A place whose backups are signed by an OpenPGP key that counts. */
function gpgPlace(): Place & { keys: ReturnType<typeof keyring>; fingerprint: string } {
  const found = place()
  const keys = keyring()
  const fingerprint = keys.make('Backup <backup@nas>')
  found.env.GNUPGHOME = keys.home
  found.configure(`sign: { format: openpgp, key: ${fingerprint} }`, `signers: { openpgp: [${fingerprint}] }`)
  return { ...found, keys, fingerprint }
}

/** What is in a repository by the kind of object. */
function objects(repository: string): string[] {
  const listed = git(repository, [
    'cat-file',
    '--batch-all-objects',
    '--batch-check=%(objecttype) %(objectname)',
  ])
  return listed.split('\n')
}

function isSigned(repository: string, rev: string): boolean {
  return /^gpgsig -----BEGIN (?:SSH|PGP) SIGNATURE-----$/m.test(git(repository, ['cat-file', 'commit', rev]))
}

/** Puts a commit with another content, its signature included, in the place of the last one. */
function forge(repository: string, change: (content: string) => string): void {
  const content = change(`${git(repository, ['cat-file', 'commit', 'main'])}\n`)
  const forged = execFileSync('git', ['hash-object', '-t', 'commit', '-w', '--stdin'], {
    cwd: repository,
    env: gitEnv(),
    input: content,
  })
  git(repository, ['update-ref', 'refs/heads/main', forged.toString().trim()])
}

const done = { code: 0, stderr: '' }

async function expectRefused({ dir, run }: Pick<Place, 'dir' | 'run'>, why: RegExp): Promise<void> {
  const verified = await run('verify', '--signed')
  expect(verified).toMatchObject({ code: exitCodes.difference, stderr: expect.stringMatching(why) })
  expect(verified.stderr).toMatch(/^rowback: verify latest: commit [0-9a-f]{12} /)
  const restored = await run('restore', 'latest', '--signed', '--to', join(dir, 'refused'))
  expect(restored).toMatchObject({ code: exitCodes.difference, stderr: expect.stringMatching(why) })
  expect(restored.stderr).toMatch(/^rowback: restore latest: nothing was written, as commit /)
  expect(existsSync(join(dir, 'refused'))).toBe(false)
}

/** What a source holds, whenever it was written. */
function whole(source: string): string[][] {
  return readdirSync(source)
    .sort()
    .map((name) => [
      name,
      ...(name === 'app.db' ? allFacts(join(source, name)) : [readFileSync(join(source, name), 'utf8')]),
    ])
}

/** Kills a restore in place amid its renames: the database has its place, the asset does not. */
async function cutShort({ dir, source, repository }: Place, rev: string): Promise<void> {
  const hook = `import fs from 'node:fs'
    import { syncBuiltinESMExports } from 'node:module'
    const { renameSync } = fs
    fs.renameSync = (from, to) => {
      if (String(from).includes('.rowback-restore-') && String(from).endsWith('/asset')) process.kill(process.pid, 'SIGKILL')
      renameSync(from, to)
    }
    syncBuiltinESMExports()`
  const killing = ['--import', `data:text/javascript,${encodeURIComponent(hook)}`]
  const args = ['restore', rev, '--in-place', '--config', join(dir, 'settings.yaml')]
  const rowbackFile = join(projectRoot, 'bin', 'rowback.js')
  expect(await program(process.execPath, [...killing, rowbackFile, ...args])).toMatchObject({
    code: null,
    stderr: '',
  })
  expect(existsSync(join(repository, 'rowback', 'in-place.json'))).toBe(true)
  const [staging = ''] = readdirSync(source).filter((name) => name.startsWith('.rowback-restore-'))
  expect(readdirSync(join(source, staging))).toEqual(['asset'])
}

describe('With an SSH key', () => {
  test('each commit is signed, and verify and restore say by whom.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const { dir, source, repository, run, change, publicKey } = sshPlace()
    for (const _ of [1, 2]) {
      expect(await run('backup')).toMatchObject(done)
      change()
    }
    // Stock git agrees.
    const allowed = ['-c', `gpg.ssh.allowedSignersFile=${join(dir, 'allowed')}`]
    for (const rev of ['main', 'main~1']) git(repository, [...allowed, 'verify-commit', rev])
    expect(git(repository, ['fsck', '--strict', '--unreachable'])).toBe('')
    expect(objects(repository).filter((line) => line.startsWith('commit'))).toHaveLength(2)

    const key = execFileSync('ssh-keygen', ['-l', '-f', join(dir, 'key.pub')])
      .toString()
      .split(' ')[1]
    expect(publicKey).toMatch(/^ssh-ed25519 /)
    const signature = { format: 'ssh', signer: 'backup@nas', key }
    const said = `  signed by backup@nas with SSH key ${key}\n`
    expect((await run('verify', '--signed')).stdout).toContain(said)
    expect((await run('restore', 'latest', '--to', 'out', '--signed')).stdout).toContain(said)
    const one = ['restore', 'latest', '--file', 'asset', '--output', 'one', '--signed', '--json']
    expect(JSON.parse((await run(...one)).stdout)).toMatchObject({ signature })
    expect((await run('verify', '--all', '--signed')).stdout).toMatch(/^2 commits restore: .*has a signature/)
    const { commits } = await rowbackJson<{ commits: unknown[] }>(['log', '--repo', repository])
    expect(commits).toMatchObject([{ signed: 'ssh' }, { signed: 'ssh' }])
    expect(readFileSync(join(source, 'asset'), 'utf8')).toBe('one')
  })

  test('so are the commits that a restore in place, its undo and a failed proof make.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const { source, repository, run, change, env } = sshPlace()
    expect(await run('backup')).toMatchObject(done)
    change()
    expect(await run('restore', 'latest', '--in-place', '--signed')).toMatchObject({
      ...done,
      stdout: expect.stringMatching(/signed by backup@nas/),
    })
    change()
    expect(await run('undo')).toMatchObject(done)
    databaseFrom("INSERT INTO note VALUES ('two')", join(source, 'app.db'))
    env.NODE_OPTIONS = `--import=${pathToFileURL(join(projectRoot, 'test', 'support', 'faulty-sqlite.js'))}`
    expect(await run('backup', '--verify', 'always')).toMatchObject({ code: exitCodes.difference })
    const refs = git(repository, ['for-each-ref', '--format=%(refname)']).split('\n')
    expect(refs).toEqual([
      'refs/heads/main',
      expect.stringMatching(/^refs\/rowback\/failed\//),
      'refs/rowback/safety/1',
      'refs/rowback/safety/2',
    ])
    for (const ref of refs)
      expect({ ref, isSigned: isSigned(repository, ref) }).toEqual({ ref, isSigned: true })
  })

  test('whose private half only an agent has, backups are signed, and with the agent gone they end.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const { dir, repository, run, change, env, configure } = sshPlace()
    const agent = execFileSync('ssh-agent', ['-a', join(dir, 'agent')]).toString()
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(agent)?.[1])
    try {
      env.SSH_AUTH_SOCK = join(dir, 'agent')
      execFileSync('ssh-add', ['-q', join(dir, 'key')], { env: { ...process.env, ...env }, stdio: 'ignore' })
      rmSync(join(dir, 'key'))
      configure('sign: { format: ssh, key: key.pub }', 'signers: { ssh: allowed, required: true }')
      expect(await run('backup')).toMatchObject(done)
      expect(await run('verify')).toMatchObject({
        ...done,
        stdout: expect.stringMatching(/signed by backup@nas/),
      })
    } finally {
      process.kill(pid)
    }
    change()
    const before = git(repository, ['rev-parse', 'main'])
    expect(await run('backup')).toMatchObject({
      code: exitCodes.usage,
      stderr: expect.stringMatching(/^rowback: sign with SSH key "\S+key\.pub": .+; nothing was committed\n/),
    })
    expect(git(repository, ['rev-parse', 'main'])).toBe(before)
  })

  test('that is missing or locked, a backup ends with one clear error, and nobody is asked.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const { dir, repository, run, change, env, configure } = sshPlace()
    expect(await run('backup')).toMatchObject(done)
    const before = objects(repository)
    change()
    writeFileSync(join(dir, 'ask'), `#!/bin/sh\ntouch ${join(dir, 'asked')}\necho locked\n`, { mode: 0o755 })
    Object.assign(env, { DISPLAY: ':0', SSH_ASKPASS: join(dir, 'ask'), SSH_ASKPASS_REQUIRE: 'force' })
    sshKey(join(dir, 'locked'), 'locked')
    for (const [key, why] of [
      ['locked', /it is locked, and there is nobody to ask for its passphrase/],
      ['missing', /No such file or directory/],
    ] as const) {
      configure(`sign: { format: ssh, key: ${key} }`)
      for (const args of [['backup'], ['restore', 'latest', '--in-place']]) {
        const { code, stderr } = await run(...(args as [string]))
        expect({ code, stderr }).toEqual({ code: exitCodes.usage, stderr: expect.stringMatching(why) })
        expect(stderr).toContain(`sign with SSH key "${join(dir, key)}"`)
        expect(stderr.match(/^rowback: (?!try: )/gm)).toHaveLength(1)
      }
    }
    expect(existsSync(join(dir, 'asked'))).toBe(false)
    expect(objects(repository)).toEqual(before)
    expect(git(repository, ['for-each-ref', '--format=%(refname)'])).toBe('refs/heads/main')
    configure(...sshSettings)
    expect(await run('backup')).toMatchObject(done)
  })

  test('a commit is refused that nobody signed, or that was changed since.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const found = sshPlace()
    const { repository, run, change, configure } = found
    configure('signers: { ssh: allowed }')
    expect(await run('backup')).toMatchObject(done)
    await expectRefused(found, /commit \w+ is not signed\n/)
    expect(await run('restore', 'latest', '--in-place', '--signed')).toMatchObject({
      code: exitCodes.difference,
      stderr: expect.stringMatching(/in place of \S+: it was left untouched, as commit \w+ is not signed\n/),
    })
    expect(git(repository, ['for-each-ref', 'refs/rowback'])).toBe('')

    const olderTree = git(repository, ['rev-parse', 'main^{tree}'])
    configure(...sshSettings)
    change()
    expect(await run('backup')).toMatchObject(done)
    const good = git(repository, ['rev-parse', 'main'])
    expect(await run('verify', '--signed')).toMatchObject(done)
    const all = await run('verify', '--all', '--signed')
    expect(all).toMatchObject({
      code: exitCodes.difference,
      stderr: expect.stringMatching(
        /: 1 of 2 commits does not restore, or lacks a signature that counts\n {2}\w{10}: it is not signed\n/,
      ),
    })

    for (const [change, why] of [
      [
        (content: string) => content.replace(/^data: .*$/m, 'data: nothing at all'),
        /has a bad signature: the commit is not what was signed/,
      ],
      [(content: string) => content.replace(/^tree .*/, `tree ${olderTree}`), /has a bad signature/],
      [(content: string) => content.replace(/(gpgsig .*\n )U1NI/, '$1AAAA'), /has a (?:bad )?signature/],
      [
        (content: string) => content.replaceAll('SSH SIGNATURE', 'SIGNED MESSAGE'),
        /has a signature of a kind that is not known/,
      ],
    ] as const) {
      forge(repository, change)
      await expectRefused(found, why)
      git(repository, ['update-ref', 'refs/heads/main', good])
    }
  })

  test('a commit is refused below which an object was replaced.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const { dir, repository, run } = sshPlace()
    expect(await run('backup')).toMatchObject(done)
    const folder = join(repository, 'objects', 'pack')
    const packs = readdirSync(folder).filter((name) => name.endsWith('.pack'))
    const inputs = packs.map((name) => readFileSync(join(folder, name)))
    rmSync(folder, { recursive: true })
    for (const input of inputs) execFileSync('git', ['-C', repository, 'unpack-objects', '-q'], { input })
    const [path] = git(repository, ['ls-tree', '-r', '--name-only', 'main'])
      .split('\n')
      .filter((found) => /30-rows/.test(found))
    const oid = git(repository, ['rev-parse', `main:${path}`])
    const rows = git(repository, ['cat-file', 'blob', oid]).replace("'one'", "'two'")
    const file = join(repository, 'objects', oid.slice(0, 2), oid.slice(2))
    rmSync(file)
    writeFileSync(file, deflateSync(`blob ${rows.length + 1}\0${rows}\n`))
    for (const args of [
      ['restore', 'latest', '--to', 'out'],
      ['restore', 'latest', '--in-place'],
      ['verify'],
      ['verify', '--unless-proved'],
    ])
      expect(await run(args[0] as string, ...args.slice(1), '--signed')).toMatchObject({
        code: exitCodes.repository,
        stderr: expect.stringContaining(oid),
      })
    expect(existsSync(join(dir, 'out'))).toBe(false)
  })

  test('a commit is refused whose key does not count, whatever the repository says.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const found = sshPlace()
    const { dir, repository, run, publicKey } = found
    expect(await run('backup')).toMatchObject(done)
    const other = sshKey(join(dir, 'other'))
    for (const [allowed, why] of [
      [`backup@nas ${other}\n`, /is signed by SSH key SHA256:\S+, which does not count here/],
      [`backup@nas valid-before="20200101" ${publicKey}\n`, /which does not count here/],
      [`backup@nas namespaces="file" ${publicKey}\n`, /or the key may not sign for git/],
      ['', /which does not count here/],
    ] as const) {
      writeFileSync(join(dir, 'allowed'), allowed)
      await expectRefused(found, why)
    }
    // Nor does the repository choose what checks, or who counts.
    writeFileSync(join(dir, 'evil'), `backup@nas ${publicKey}\n`)
    writeFileSync(
      join(dir, 'yes'),
      `#!/bin/sh\ntouch ${join(dir, 'ran')}\necho 'Good "git" signature for x with ED25519 key SHA256:x'\n`,
      { mode: 0o755 },
    )
    git(repository, ['config', 'gpg.ssh.allowedSignersFile', join(dir, 'evil')])
    for (const program of ['gpg.ssh.program', 'gpg.program', 'gpg.x509.program'])
      git(repository, ['config', program, join(dir, 'yes')])
    await expectRefused(found, /which does not count here/)
    expect(existsSync(join(dir, 'ran'))).toBe(false)
    rmSync(join(dir, 'allowed'))
    expect(await run('verify', '--signed')).toMatchObject({
      code: exitCodes.usage,
      stderr: expect.stringMatching(/^rowback: read allowed signers \S+allowed: ENOENT/),
    })
  })

  test('a restore in place that was cut short goes no further once its key does not count, and undo takes it back.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const found = sshPlace()
    const { dir, source, repository, run, change } = found
    expect(await run('backup')).toMatchObject(done)
    const other = sshKey(join(dir, 'other'))
    found.configure('sign: { format: ssh, key: other }', 'signers: { ssh: allowed, required: true }')
    for (const name of ['asset', 'second']) writeFileSync(join(source, name), 'two')
    expect(await run('backup')).toMatchObject(done)
    const wanted = whole(source)
    change()
    const before = whole(source)
    await cutShort(found, 'latest~1')
    writeFileSync(join(dir, 'allowed'), `backup@nas ${other}\n`)

    const half = contents(source)
    const journal = readFileSync(join(repository, 'rowback', 'in-place.json'), 'utf8')
    const first = git(repository, ['rev-parse', 'main~1']).slice(0, 12)
    for (const rev of ['latest~1', 'latest']) {
      const { code, stderr } = await run('restore', rev, '--in-place')
      expect({ rev, code, stderr }).toEqual({
        rev,
        code: exitCodes.difference,
        stderr: expect.stringMatching(
          `^rowback: restore ${rev} in place of ${source}: it was left half replaced, as an earlier restore had left it, since commit ${first} is signed by .*\nrowback: try: rowback undo`,
        ),
      })
      expect(contents(source)).toEqual(half)
      expect(readFileSync(join(repository, 'rowback', 'in-place.json'), 'utf8')).toBe(journal)
    }
    expect(await run('backup')).toMatchObject({
      code: exitCodes.source,
      stderr: expect.stringContaining('rowback undo takes it back'),
    })

    expect(await run('undo')).toMatchObject(done)
    expect(whole(source)).toEqual(before)
    expect(await run('restore', 'latest', '--in-place')).toMatchObject(done)
    expect(whole(source)).toEqual(wanted)
  })

  test('a push and a clone keep the signatures.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const { dir, run, configure } = sshPlace()
    const remote = bareRepository(join(dir, 'remote.git'))
    expect(await run('backup', '--remote', remote)).toMatchObject(done)
    expect(await rowback(['clone', remote, join(dir, 'copy.git')])).toMatchObject(done)
    configure('signers: { ssh: allowed, required: true }')
    const out = ['restore', 'latest', '--repo', join(dir, 'copy.git'), '--to', join(dir, 'out')]
    expect(await run(...(out as [string]))).toMatchObject({
      ...done,
      stdout: expect.stringMatching(/signed by backup@nas/),
    })
  })
})

describe('With an OpenPGP key', () => {
  test('each commit is signed, by a subkey too, and verify and restore say by whom.', async (context) => {
    if (!canSign('gpg')) return context.skip('it needs gpg')
    const { run, change, keys, fingerprint } = gpgPlace()
    expect(await run('backup')).toMatchObject(done)
    const said = `  signed by Backup <backup@nas> with OpenPGP key ${fingerprint}\n`
    expect((await run('verify', '--signed')).stdout).toContain(said)
    keys.gpg('--passphrase', '', '--quick-add-key', fingerprint, 'ed25519', 'sign', 'never')
    change()
    expect(await run('backup')).toMatchObject(done)
    const { stdout } = await run('restore', 'latest', '--to', 'out', '--signed')
    expect(stdout).toMatch(/signed by Backup <backup@nas> with OpenPGP key [0-9A-F]{40}\n/)
    expect(stdout).not.toContain(fingerprint)
    expect(await run('verify', '--all', '--signed')).toMatchObject(done)
  })

  test('a commit is refused whose key does not count, has expired or is not there, or that was changed.', async (context) => {
    if (!canSign('gpg')) return context.skip('it needs gpg')
    const found = gpgPlace()
    const { repository, run, env, configure, keys, fingerprint } = found
    expect(await run('backup')).toMatchObject(done)
    const good = git(repository, ['rev-parse', 'main'])
    forge(repository, (content) => content.replace(/^data: .*$/m, 'data: nothing at all'))
    await expectRefused(
      found,
      /has a bad signature of OpenPGP key [0-9A-F]{16}: the commit is not what was signed/,
    )
    git(repository, ['update-ref', 'refs/heads/main', good])

    // A key in the keyring that gpg trusts is not one that counts.
    const other = keys.make('Other <other@example.org>')
    configure(`signers: { openpgp: [${other}] }`)
    await expectRefused(found, /of Backup <backup@nas>, which does not count here/)
    configure('signers: { ssh: /dev/null }')
    await expectRefused(found, /which does not count here/)
    configure(
      `signers: { openpgp: [${fingerprint
        .toLowerCase()
        .replace(/(.{4})/g, '$1 ')
        .trim()}] }`,
    )
    expect(await run('verify', '--signed')).toMatchObject(done)

    env.GNUPGHOME = keyring().home
    await expectRefused(found, /is signed by OpenPGP key [0-9A-F]{16}, which gpg does not have/)
    env.GNUPGHOME = keys.home
    keys.gpg('--passphrase', '', '--quick-set-expire', fingerprint, 'seconds=1')
    await sleep(2500)
    await expectRefused(found, /is signed by OpenPGP key [0-9A-F]{16}, which has expired/)
    expect(await run('backup')).toMatchObject(done)
  })

  test('that is missing, expired or locked, a backup ends with one clear error, and nobody is asked.', async (context) => {
    if (!canSign('gpg')) return context.skip('it needs gpg')
    const { dir, repository, run, change, configure, keys } = gpgPlace()
    expect(await run('backup')).toMatchObject(done)
    const before = objects(repository)
    change()
    const ask = `#!/bin/sh\ntouch ${join(dir, 'asked')}\nexec sleep 600\n`
    writeFileSync(join(dir, 'ask'), ask, { mode: 0o755 })
    writeFileSync(join(keys.home, 'gpg-agent.conf'), `pinentry-program ${join(dir, 'ask')}\n`)
    const locked = keys.make('Locked <locked@example.org>', 'secret phrase')
    keys.endAgent()
    for (const [key, why] of [
      [locked, /it is locked, and there is nobody to ask for its passphrase; nothing was committed\n/],
      ['nobody@example.org', /No secret key; nothing was committed\n/],
    ] as const) {
      configure(`sign: { format: openpgp, key: ${key} }`)
      const { code, stderr } = await run('backup')
      expect({ code, stderr }).toEqual({ code: exitCodes.usage, stderr: expect.stringMatching(why) })
      expect(stderr).toContain(`sign with OpenPGP key "${key}"`)
      expect(stderr.match(/^rowback: (?!try: )/gm)).toHaveLength(1)
    }
    expect(existsSync(join(dir, 'asked'))).toBe(false)
    expect(objects(repository)).toEqual(before)
  })
})

describe('The settings', () => {
  test('demand signatures where they say so, and are needed where a flag does.', async (context) => {
    if (!canSign('ssh-keygen')) return context.skip('it needs ssh-keygen')
    const { run, configure } = sshPlace()
    configure('signers: { ssh: allowed, required: true }')
    expect(await run('backup')).toMatchObject(done)
    for (const args of [['verify'], ['verify', '--all'], ['restore', 'latest', '--to', 'out']])
      expect(await run(...(args as [string]))).toMatchObject({
        code: exitCodes.difference,
        stderr: expect.stringMatching(/is not signed\n/),
      })
    configure()
    expect(await run('restore', 'latest', '--to', 'out')).toMatchObject(done)
    expect(await run('verify', '--signed')).toMatchObject({
      code: exitCodes.usage,
      stderr: expect.stringMatching(
        /^rowback: read --signed: the settings name nobody whose signature counts\n/,
      ),
    })
  })

  test.each(['sign: { format: ssh, key: ./key }', 'signers: { ssh: ./allowed }'])(
    'of the working directory may not say: %s',
    async (line) => {
      const { dir, repository } = place()
      writeFileSync(join(dir, 'rowback.yaml'), `${line}\n`)
      expect(await rowback(['backup', 'data', '--repo', repository], { cwd: dir })).toMatchObject({
        code: exitCodes.usage,
        stderr: expect.stringMatching(/only a file of --config may name (?:a signing key|signers)\n/),
      })
      expect(existsSync(repository)).toBe(false)
    },
  )
})
