/** Real git servers on loopback, and a network between that can be made bad. All ends with the running test. */

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { onTestFinished } from 'vitest'
import { tempDir } from './temp.ts'

/** As it was when the servers were loaded: the program under test may run in this process with another one. */
const ownPath = process.env.PATH
const backendProgram = join(gitExecPath(), 'git-http-backend')

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

export interface HttpOptions {
  /** What basic authentication must give; nobody is asked without it. */
  login?: { user: string; password: string }
  /** Answers a request itself, where it returns a status. */
  refuse?: (request: IncomingMessage) => number | undefined
  /** Answers a request that may come in, where it returns true. */
  answer?: (request: IncomingMessage, response: ServerResponse) => boolean
  /** Makes it https. */
  tls?: { key: Buffer; cert: Buffer }
}

/** `git http-backend` (smart HTTP) over the repositories in `root`, readable and writable; returns its port. */
export async function httpServer(
  root: string,
  { login, refuse, answer, tls }: HttpOptions = {},
): Promise<number> {
  const expected = login && `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`
  const respond = (request: IncomingMessage, response: ServerResponse): void => {
    const status = refuse?.(request)
    if (status !== undefined) response.writeHead(status).end()
    else if (expected !== undefined && request.headers.authorization !== expected)
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end()
    else if (!answer?.(request, response)) runBackend(root, request, response)
  }
  return listen(tls ? createHttpsServer(tls, respond) : createHttpServer(respond))
}

/**
 * A certificate of its own for 127.0.0.1, and the file that it is in. Without openssl it says so and returns undefined;
 * in CI, where every test must run, it throws.
 */
export function ownCertificate(): { key: Buffer; cert: Buffer; file: string } | undefined {
  const dir = tempDir()
  const [keyFile, file] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1']
  const made = spawnSync(
    'openssl',
    [...args, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', file],
    { stdio: 'ignore' },
  )
  if (made.status === 0) return { key: readFileSync(keyFile), cert: readFileSync(file), file }
  if (process.env.CI) throw new Error('the tests over https need openssl')
  console.warn('SKIPPED, there is no openssl: apt-get install openssl')
  return undefined
}

function gitExecPath(): string {
  return execFileSync('git', ['--exec-path']).toString().trim()
}

function runBackend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const header = (name: string) => String(request.headers[name] ?? '')
  // Not by `git http-backend`: killing that would leave this behind, which waits for the rest of its input in a loop.
  const backend = spawn(backendProgram, {
    env: {
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: 'http.receivepack',
      GIT_CONFIG_VALUE_0: 'true',
      GIT_CONFIG_KEY_1: 'safe.directory',
      GIT_CONFIG_VALUE_1: '*',
      PATH: ownPath,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(path),
      QUERY_STRING: query,
      REQUEST_METHOD: request.method,
      REMOTE_USER: 'somebody',
      CONTENT_TYPE: header('content-type'),
      CONTENT_LENGTH: header('content-length'),
      HTTP_CONTENT_ENCODING: header('content-encoding'),
      GIT_PROTOCOL: header('git-protocol'),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  backend.stdin.on('error', () => {})
  request.pipe(backend.stdin)
  // A client that is gone ends the request as a real server does.
  request.once('close', () => {
    if (!request.complete) backend.kill('SIGKILL')
  })
  let head = Buffer.alloc(0)
  const readHead = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    backend.stdout.off('data', readHead)
    const fields = head
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': '))
    const status = fields.find(([name]) => name === 'Status')?.[1]
    response.writeHead(status === undefined ? 200 : Number.parseInt(status, 10), Object.fromEntries(fields))
    response.write(head.subarray(end + 4))
    backend.stdout.pipe(response)
  }
  backend.stdout.on('data', readHead)
}

export interface SshServer {
  port: number
  /** The ssh command that lets the client in: its key, and the server's. */
  sshCommand: string
  /** Everything the client needs, but for the key. */
  sshOptions: string
  key: string
}

/**
 * sshd for the user who runs the tests. Without Debian's openssh-server it says so and returns undefined; in CI, where
 * every test must run, it throws. `keyOptions` stand before the key of the client (sshd(8), AUTHORIZED_KEYS).
 */
export async function sshServer(keyOptions = ''): Promise<SshServer | undefined> {
  const program = '/usr/sbin/sshd'
  if (!existsSync(program)) {
    if (process.env.CI) throw new Error(`the tests over ssh need ${program}`)
    console.warn(`SKIPPED, there is no ${program}: apt-get install openssh-server`)
    return undefined
  }
  const dir = tempDir()
  const [hostKey, key] = [join(dir, 'host_key'), join(dir, 'key')]
  for (const file of [hostKey, key])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file])
  const line = `${keyOptions} ${readFileSync(`${key}.pub`, 'utf8')}`.trimStart()
  writeFileSync(join(dir, 'authorized_keys'), line, { mode: 0o600 })
  const port = await freePort()
  // Run by root it needs an empty folder for the part of it that talks to strangers.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 })
  writeFileSync(
    join(dir, 'sshd_config'),
    `ListenAddress 127.0.0.1:${port}
HostKey ${hostKey}
PidFile none
AuthorizedKeysFile ${join(dir, 'authorized_keys')}
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
# What the shell of the tests' user reads at its start is not for them.
SetEnv HOME=${dir}
`,
  )
  const server = spawn(program, ['-D', '-e', '-f', join(dir, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  onTestFinished(() => void server.kill())
  await started(server)
  const known = join(dir, 'known_hosts')
  const [type, publicKey] = readFileSync(`${hostKey}.pub`, 'utf8').split(' ')
  writeFileSync(known, `* ${type} ${publicKey}\n`)
  const sshOptions = `-F none -oBatchMode=yes -oUserKnownHostsFile=${known} -oIdentitiesOnly=no -l ${userInfo().username}`
  return { port, key, sshOptions, sshCommand: `ssh -i ${key} ${sshOptions}` }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  probe.listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

async function started(server: ChildProcess): Promise<void> {
  let said = ''
  for await (const text of server.stderr as AsyncIterable<Buffer>) {
    said += String(text)
    if (said.includes('Server listening')) {
      server.stderr?.resume()
      return
    }
  }
  throw new Error(`sshd ended with: ${said}`)
}

/** What a network does to connections, one after another; those behind the last entry are left alone. */
export type Weather = readonly {
  /** After so many bytes of the client the connection is cut. */
  cutAfterBytes?: number
  /** After so many bytes of the client nothing moves any more, and nothing is closed. */
  stallAfterBytes?: number
  /** Bytes of the client go on at this speed. */
  bytesPerSecond?: number
}[]

/** A port that leads to `port` of this machine; `connections` are those that were made. */
export async function network(
  port: number,
  weather: Weather,
): Promise<{ port: number; connections: () => number }> {
  let count = 0
  const server = createServer((client) => {
    const { cutAfterBytes, stallAfterBytes, bytesPerSecond } = weather[count++] ?? {}
    const target = connect(port, '127.0.0.1')
    let seen = 0
    const road = new Transform({
      transform(chunk: Buffer, _, done) {
        seen += chunk.length
        if (cutAfterBytes !== undefined && seen > cutAfterBytes) {
          client.resetAndDestroy()
          target.destroy()
        } else if (stallAfterBytes !== undefined && seen > stallAfterBytes) return
        else if (bytesPerSecond === undefined) done(null, chunk)
        else setTimeout(() => done(null, chunk), (chunk.length / bytesPerSecond) * 1000)
      },
    })
    client.pipe(road).pipe(target)
    target.pipe(client)
    for (const end of [client, target])
      end
        .on('error', () => {})
        .on('close', () => {
          client.destroy()
          target.destroy()
        })
  })
  return { port: await listen(server), connections: () => count }
}
