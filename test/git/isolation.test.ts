import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { gitEnv } from '../../src/git/env.ts'
import { pushBranch } from '../../src/git/remote.ts'
import { remoteEnv } from '../../src/git/remote-env.ts'
import { commitFiles, setEnv, stockGit, testdir, testStore } from './testdir.ts'

/** A home whose git settings change everything they can; each of its hooks leaves a file and then refuses. */
async function hostileHome(...hooks: string[]): Promise<{ home: string; marks: string }> {
  const home = await testdir()
  const marks = join(home, 'marks')
  const hookDir = join(home, 'hooks')
  for (const dir of [marks, hookDir, join(home, 'template', 'hooks')]) await mkdir(dir, { recursive: true })
  for (const hook of hooks)
    for (const dir of [hookDir, join(home, 'template', 'hooks')]) {
      await writeFile(join(dir, hook), `#!/bin/sh\ntouch ${marks}/${hook}\nexit 1\n`)
      await chmod(join(dir, hook), 0o755)
    }
  await writeFile(join(home, 'attributes'), '* text eol=crlf\n')
  await writeFile(
    join(home, '.gitconfig'),
    `[user]
	name = Mallory
	signingKey = none
[commit]
	gpgSign = true
[push]
	gpgSign = true
	followTags = true
[core]
	autocrlf = true
	hooksPath = ${hookDir}
	attributesFile = ${home}/attributes
	ignoreCase = true
	logAllRefUpdates = false
	quotePath = true
	abbrev = 4
[init]
	defaultBranch = hostile
	templateDir = ${home}/template
	defaultObjectFormat = sha256
[log]
	showSignature = true
[i18n]
	commitEncoding = latin1
	logOutputEncoding = latin1
[pack]
	packSizeLimit = 1m
[gc]
	auto = 1
`,
  )
  return { home, marks }
}

test("nothing of the user's git settings and environment leaks into a commit", async () => {
  const clean = await commitFiles(await testStore(), { 'A é': '1\r\n', 'a é': '2\n' }, { message: 'é\n' })
  const { home, marks } = await hostileHome(
    'reference-transaction',
    'post-commit',
    'pre-commit',
    'commit-msg',
    'update',
  )
  setEnv({
    HOME: home,
    XDG_CONFIG_HOME: home,
    GIT_DIR: '/nonexistent',
    GIT_WORK_TREE: '/nonexistent',
    GIT_INDEX_FILE: '/nonexistent',
    GIT_OBJECT_DIRECTORY: '/nonexistent',
    GIT_AUTHOR_NAME: 'Mallory',
    GIT_COMMITTER_DATE: '2001-01-01T00:00:00Z',
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'core.bare',
    GIT_CONFIG_VALUE_0: 'nonsense',
    GIT_TRACE: '2',
    GIT_NAMESPACE: 'elsewhere',
    LC_ALL: 'de_DE.UTF-8',
  })
  const store = await testStore()
  expect(await commitFiles(store, { 'A é': '1\r\n', 'a é': '2\n' }, { message: 'é\n' })).toBe(clean)
  expect(store.branch).toBe('main')
  expect((await store.readCommit(clean)).message).toBe('é\n')
  expect([...(await store.listTree(clean)).keys()]).toEqual(['A é', 'a é'])
  expect(await readdir(marks)).toEqual([])
  expect(await readdir(join(store.gitDir, 'hooks')).catch(() => [])).toEqual([])
})

test("a push runs the repository's own hook and none of the user's, and signs nothing", async () => {
  const { home, marks } = await hostileHome('pre-push')
  const store = await testStore()
  await commitFiles(store, { a: '1' })
  const remote = join(await testdir(), 'remote.git')
  await stockGit(home, 'init', '--quiet', '--bare', '--template=', remote)
  await mkdir(join(store.gitDir, 'hooks'))
  await writeFile(join(store.gitDir, 'hooks', 'pre-push'), `#!/bin/sh\necho "$1" > ${home}/pushed-to\n`, {
    mode: 0o755,
  })
  setEnv({ HOME: home, XDG_CONFIG_HOME: home })
  await pushBranch(store, remote, 'main', { verifyHook: true })
  expect(await readdir(home)).toContain('pushed-to')
  expect(await readdir(marks)).toEqual([])
})

test('stock git gives every byte back, whatever attributes the user or an asset has', async () => {
  const { home } = await hostileHome()
  const store = await testStore()
  const files = {
    '.gitattributes': '* export-ignore\nb export-subst eol=crlf\n',
    b: '$Format:%H$\n$Id$\n',
    'c.txt': 'x\n',
  }
  const oid = await commitFiles(store, files)
  const archive = (path: string) => {
    const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, GIT_DIR: store.gitDir }
    const tar = execFileSync('git', ['archive', oid, path], { env })
    return String(execFileSync('tar', ['-xO'], { input: tar }))
  }
  expect(archive('b')).toBe(files.b)
  expect(archive('c.txt')).toBe(files['c.txt'])
})

test('gitEnv keeps what is not of git', () => {
  setEnv({ GIT_SSH: 'x', HOME: '/home/x' })
  expect(gitEnv()).toMatchObject({ HOME: '/home/x', LC_ALL: 'C', GIT_CONFIG_GLOBAL: '/dev/null' })
  expect(gitEnv()).not.toHaveProperty('GIT_SSH')
})

test('remoteEnv keeps how the user reaches a remote, and drops which repository is meant', async () => {
  const store = await testStore()
  setEnv({
    HOME: await testdir(),
    GIT_SSH_COMMAND: 'ssh -i key',
    GIT_ASKPASS: '/bin/askpass',
    GIT_SSL_CAINFO: '/ca',
    GIT_CONFIG_COUNT: '0',
    SSH_AUTH_SOCK: '/agent',
    https_proxy: 'http://proxy',
    GIT_DIR: '/elsewhere',
    GIT_WORK_TREE: '/elsewhere',
    GIT_INDEX_FILE: '/elsewhere',
    GIT_QUARANTINE_PATH: '/elsewhere',
    GIT_TRACE: '1',
    GIT_TRACE_CURL: '1',
    GIT_EDITOR: 'vi',
    EDITOR: 'vi',
  })
  const env = await remoteEnv(store.gitDir)
  expect(env).toMatchObject({
    GIT_SSH_COMMAND: 'ssh -i key',
    GIT_ASKPASS: '/bin/askpass',
    GIT_SSL_CAINFO: '/ca',
    GIT_CONFIG_COUNT: '2',
    GIT_CONFIG_KEY_0: 'http.lowSpeedLimit',
    SSH_AUTH_SOCK: '/agent',
    https_proxy: 'http://proxy',
    GIT_DIR: store.gitDir,
    GIT_TERMINAL_PROMPT: '0',
  })
  for (const name of [
    'GIT_WORK_TREE',
    'GIT_INDEX_FILE',
    'GIT_QUARANTINE_PATH',
    'GIT_TRACE',
    'GIT_TRACE_CURL',
    'GIT_EDITOR',
    'EDITOR',
  ])
    expect(env).not.toHaveProperty(name)
})

test('remoteEnv makes ssh ask nothing, unless the user chose an ssh command', async () => {
  const store = await testStore()
  const home = await testdir()
  setEnv({ HOME: home })
  expect((await remoteEnv(store.gitDir)).GIT_SSH_COMMAND).toMatch(/^ssh -oBatchMode=yes /)
  await writeFile(join(home, '.gitconfig'), '[core]\n\tsshCommand = ssh -i key\n')
  expect(await remoteEnv(store.gitDir)).not.toHaveProperty('GIT_SSH_COMMAND')
})
