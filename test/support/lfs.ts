/** Git LFS in tests: a small server of its protocol (git-lfs, docs/api) beside the one of git, and the real client. */

import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { program } from './cli.ts'
import { tempDir } from './temp.ts'

const type = 'application/vnd.git-lfs+json'

export interface LfsServer {
  /** The contents that it has, by SHA-256. */
  objects: Map<string, Buffer>
  /** What it was asked: `batch upload 2`, `put`, `verify`, `get`. */
  log: string[]
  /** Whether everything that it is asked ends with this status. */
  status?: number
  /** For `answer` of `httpServer`. */
  answer: (request: IncomingMessage, response: ServerResponse) => boolean
}

/** A server of the batch API with the transfer `basic`, for every repository below `/`. It takes what has its SHA-256 only. */
export function lfsServer(): LfsServer {
  const server: LfsServer = { objects: new Map(), log: [], answer: (...args) => answer(server, ...args) }
  return server
}

function answer(server: LfsServer, request: IncomingMessage, response: ServerResponse): boolean {
  const [, what, oid = ''] =
    /\/info\/lfs\/(objects\/batch|content\/(\w+)|verify)$/.exec(request.url ?? '') ?? []
  if (what === undefined) return false
  if (server.status !== undefined) {
    request.resume()
    response.writeHead(server.status, { 'content-type': type }).end('{}')
    return true
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    if (what.startsWith('content')) content(server, request.method ?? '', oid, body, response)
    else if (what === 'verify') verify(server, body, response)
    else batch(server, request, body, response)
  })
  return true
}

interface Wanted {
  oid: string
  size: number
}

function batch(server: LfsServer, request: IncomingMessage, body: Buffer, response: ServerResponse): void {
  const { operation, objects } = JSON.parse(body.toString()) as { operation: string; objects: Wanted[] }
  server.log.push(`batch ${operation} ${objects.length}`)
  const base = `http://${request.headers.host}${request.url?.replace(/\/objects\/batch$/, '')}`
  const { authorization } = request.headers
  const header = authorization === undefined ? {} : { Authorization: authorization }
  const action = (path: string) => ({ href: `${base}/${path}`, header })
  const answers = objects.map(({ oid, size }) => {
    const isThere = server.objects.has(oid)
    if (operation === 'download')
      return isThere
        ? { oid, size, authenticated: true, actions: { download: action(`content/${oid}`) } }
        : { oid, size, error: { code: 404, message: 'Object does not exist' } }
    if (isThere) return { oid, size }
    const actions = { upload: action(`content/${oid}`), verify: action('verify') }
    return { oid, size, authenticated: true, actions }
  })
  send(response, 200, { transfer: 'basic', objects: answers })
}

function content(
  server: LfsServer,
  method: string,
  oid: string,
  body: Buffer,
  response: ServerResponse,
): void {
  server.log.push(method.toLowerCase())
  if (method === 'GET') {
    const found = server.objects.get(oid)
    response.writeHead(found ? 200 : 404).end(found)
    return
  }
  const isSame = createHash('sha256').update(body).digest('hex') === oid
  if (isSame) server.objects.set(oid, body)
  response.writeHead(isSame ? 200 : 422).end()
}

function verify(server: LfsServer, body: Buffer, response: ServerResponse): void {
  const { oid, size } = JSON.parse(body.toString()) as Wanted
  server.log.push('verify')
  send(response, server.objects.get(oid)?.length === size ? 200 : 404, {})
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body))
}

/** Whether git-lfs is here; in CI it must be. */
export function hasGitLfs(): boolean {
  const isThere = spawnSync('git', ['lfs', 'version'], { stdio: 'ignore' }).status === 0
  if (isThere) return true
  if (process.env.CI) throw new Error('git-lfs is missing: .ci/run installs it')
  console.warn('skipped: git-lfs is not installed')
  return false
}

/** A PATH with git, node and sqlite3, and without git-lfs. */
export function pathWithoutLfs(): string {
  const folder = join(tempDir(), 'bin')
  mkdirSync(folder)
  for (const name of ['git', 'sh', 'sqlite3'])
    symlinkSync(
      execFileSync('sh', ['-c', `command -v ${name}`])
        .toString()
        .trim(),
      join(folder, name),
    )
  return folder
}

/** The environment of a user who has run `git lfs install`, and whose password for that server is known to git. */
export function lfsHome(login?: { user: string; password: string; port: number }): Record<string, string> {
  const home = tempDir()
  const filter =
    '[filter "lfs"]\n\tclean = git-lfs clean -- %f\n\tsmudge = git-lfs smudge -- %f\n\tprocess = git-lfs filter-process\n\trequired = true\n'
  writeFileSync(
    join(home, '.gitconfig'),
    `${filter}[credential]\n\thelper = store\n[safe]\n\tdirectory = *\n`,
  )
  if (login) {
    const { user, password, port } = login
    writeFileSync(join(home, '.git-credentials'), `http://${user}:${password}@127.0.0.1%3a${port}\n`)
    chmodSync(join(home, '.git-credentials'), 0o600)
  }
  return { HOME: home, TMPDIR: home, XDG_CONFIG_HOME: home, no_proxy: '*', GIT_TERMINAL_PROMPT: '0' }
}

/** What git says, as a user of git-lfs runs it; throws if it fails. */
export async function gitLfs(
  dir: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  const done = await program('git', args, { cwd: dir, env })
  if (done.code !== 0) throw new Error(`git ${args.join(' ')}: ${done.stderr}`)
  return done.stdout.trimEnd()
}

/** The pointer that the client makes of a content. */
export function clientPointer(content: Buffer): string {
  const file = join(tempDir(), 'content')
  writeFileSync(file, content)
  return execFileSync('git', ['lfs', 'pointer', `--file=${file}`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, HOME: tempDir() },
  }).toString()
}
