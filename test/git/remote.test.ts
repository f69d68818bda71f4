import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { pushBranch, remoteState } from '../../src/git/remote.ts'
import { settledRemote } from '../../src/git/remote-address.ts'
import type { Store } from '../../src/git/store.ts'
import { commitFiles, setEnv, stockGit, testdir, testStore } from './testdir.ts'

const verified = { verifyHook: true }

async function remoteTip(store: Store, url: string, branch: string): Promise<string | undefined> {
  return (await remoteState(store, url, branch)).tip
}

/** A store with one commit, and an empty bare repository to push to. */
async function pair(): Promise<{ store: Store; remote: string; first: string }> {
  const store = await testStore()
  const dir = await testdir()
  const remote = join(dir, 'remote.git')
  await stockGit(dir, 'init', '--quiet', '--bare', '--template=', remote)
  await mkdir(join(remote, 'hooks'))
  setEnv({ HOME: dir, XDG_CONFIG_HOME: dir, no_proxy: '*' })
  return { store, remote, first: await commitFiles(store, { a: '1' }) }
}

async function writeHook(gitDir: string, name: string, script: string): Promise<void> {
  await mkdir(join(gitDir, 'hooks'), { recursive: true })
  await writeFile(join(gitDir, 'hooks', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

function pushError(store: Store, url: string, cause: string) {
  return { code: 'remote', message: `push to ${url}: ${cause}; the commit is safe in ${store.dir}` }
}

test('a push brings the branch to a bare directory, and the next one what is new', async () => {
  const { store, remote, first } = await pair()
  expect(await remoteTip(store, remote, 'main')).toBeUndefined()
  await pushBranch(store, remote, 'main', verified)
  expect(await remoteTip(store, remote, 'main')).toBe(first)
  const second = await commitFiles(store, { a: '2' }, { parent: first })
  await stockGit(store.dir, 'tag', 'not-to-be-pushed', second)
  await stockGit(store.dir, 'branch', 'nor-this', second)
  await pushBranch(store, remote, 'main', verified)
  await pushBranch(store, remote, 'main', verified)
  expect(await stockGit(remote, 'for-each-ref', '--format=%(refname) %(objectname)')).toBe(
    `refs/heads/main ${second}`,
  )
})

test('a push can go to a branch of another name', async () => {
  const { store, remote, first } = await pair()
  await pushBranch(store, remote, 'host/app', verified)
  expect(await remoteTip(store, remote, 'host/app')).toBe(first)
  expect(await remoteTip(store, remote, 'app')).toBeUndefined()
})

test('a remote with other commits is never overwritten', async () => {
  const { store, remote } = await pair()
  const other = await testStore()
  const theirs = await commitFiles(other, { b: '1' })
  await pushBranch(other, remote, 'main', verified)
  await expect(pushBranch(store, remote, 'main', verified)).rejects.toMatchObject(
    pushError(store, remote, 'the remote has commits that this repository lacks'),
  )
  expect(await remoteTip(store, remote, 'main')).toBe(theirs)
})

test('a refusing pre-receive hook is quoted', async () => {
  const { store, remote } = await pair()
  await writeHook(remote, 'pre-receive', 'echo "append only, please" >&2; exit 1')
  const cause = 'the remote refused it: [remote rejected] (pre-receive hook declined) (append only, please)'
  await expect(pushBranch(store, remote, 'main', verified)).rejects.toMatchObject(
    pushError(store, remote, cause),
  )
  expect(await remoteTip(store, remote, 'main')).toBeUndefined()
})

test('the pre-push hook of the repository decides, and can be passed by', async () => {
  const { store, remote, first } = await pair()
  await writeHook(store.gitDir, 'pre-push', 'echo "it does not exist" >&2; exit 1')
  const cause = 'the pre-push hook refused it (it does not exist)'
  await expect(pushBranch(store, remote, 'main', verified)).rejects.toMatchObject(
    pushError(store, remote, cause),
  )
  await pushBranch(store, remote, 'main', { verifyHook: false })
  expect(await remoteTip(store, remote, 'main')).toBe(first)
})

test('hooks may abbreviate options of git', async () => {
  const { store, remote } = await pair()
  await writeHook(
    store.gitDir,
    'pre-push',
    'git for-each-ref --coun=1 >/dev/null && git branch --lis >/dev/null',
  )
  await pushBranch(store, remote, 'main', verified)
})

test('a success that the remote does not have is noticed', async () => {
  const { store, remote } = await pair()
  await writeHook(remote, 'post-receive', 'git update-ref -d refs/heads/main')
  const cause = 'git reported success, but the remote is at no commit'
  await expect(pushBranch(store, remote, 'main', verified)).rejects.toMatchObject(
    pushError(store, remote, cause),
  )
})

test('a missing repository is told from an unreachable one', async () => {
  const { store, remote } = await pair()
  const none = `${remote}.none`
  const absent = `there is no such repository ('${none}' does not appear to be a git repository)`
  await expect(pushBranch(store, none, 'main', verified)).rejects.toMatchObject(
    pushError(store, none, absent),
  )
  await expect(remoteTip(store, none, 'main')).rejects.toMatchObject({
    code: 'remote',
    message: `read remote ${none}: ${absent}`,
    hint: `git ls-remote ${none}`,
  })
  for (const url of ['http://127.0.0.1:1/x.git', 'git://127.0.0.1:1/x.git'])
    await expect(pushBranch(store, url, 'main', verified)).rejects.toMatchObject({
      code: 'remote',
      message: expect.stringMatching(/^push to \S+: it is unreachable \(.*\); the commit is safe in /),
    })
})

test('a remote that wants a password is told so, at once', async () => {
  const { store } = await pair()
  const server = createServer((_, response) => {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.git`
  await expect(pushBranch(store, url, 'main', verified)).rejects.toMatchObject({
    code: 'remote',
    message: expect.stringMatching(/: authentication failed \(.*\); the commit is safe in /),
  })
})

test("the user's own ways to a remote are kept: url rewriting, ssh command, settings by environment", async () => {
  const { store, remote, first } = await pair()
  const home = process.env.HOME as string
  await writeFile(join(home, 'ssh'), `#!/bin/sh\nexec git-receive-pack ${remote}\n`, { mode: 0o755 })
  await writeFile(join(home, '.gitconfig'), `[url "${remote}"]\n\tinsteadOf = mine:backups\n`)
  setEnv({
    GIT_SSH_COMMAND: join(home, 'ssh'),
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'credential.helper',
    GIT_CONFIG_VALUE_0: 'cache',
    EDITOR: 'vi',
    PAGER: 'less',
  })
  expect(await remoteTip(store, 'mine:backups', 'main')).toBeUndefined()
  await pushBranch(store, 'mine:backups', 'main', verified)
  expect(await remoteTip(store, remote, 'main')).toBe(first)
})

test('a store without a commit has nothing to push', async () => {
  const { remote } = await pair()
  const empty = await testStore()
  await expect(pushBranch(empty, remote, 'main', verified)).rejects.toMatchObject({ code: 'repository' })
})

test('an address that is an option, a command or a secret is not used', async () => {
  const { store } = await pair()
  for (const url of ['--receive-pack=touch x', 'ext::sh -c touch% x', 'https://me:hunter2@example.org/x']) {
    const usage = { code: 'usage', message: expect.not.stringContaining('hunter2') }
    await expect(pushBranch(store, url, 'main', verified)).rejects.toMatchObject(usage)
    await expect(remoteTip(store, url, 'main')).rejects.toMatchObject(usage)
  }
})

test('the address of a name that git knows is taken to its last character', async () => {
  const { store } = await pair()
  for (const address of ['/srv/app.git', '/srv/app \u3000']) {
    await stockGit(store.dir, 'config', 'remote.nas.url', address)
    expect(await settledRemote(store, { url: 'nas' })).toEqual({ url: 'nas', address, name: 'nas' })
  }
})
