/** Signs commits by ssh-keygen or gpg. Nothing is ever asked for: a key that needs it must be unlocked in its agent. */

import { spawn } from 'node:child_process'
import { noteChild } from '../child-processes.ts'
import { RowbackError } from '../errors.ts'
import { inheritedEnv } from './env.ts'

/** What commits are signed with. */
export interface SigningKey {
  format: 'ssh' | 'openpgp'
  /** Of `ssh` the path of a private key, or of a public one whose private key an agent holds; of `openpgp` what gpg finds it by. */
  key: string
}

/** A token that waits to be touched, or an agent that does not answer, must not hold a backup up for ever. */
const patienceMs = 120_000

/** Variables by which a program would ask somebody at a screen. */
const asking = /^(?:GIT_.*|DISPLAY|WAYLAND_DISPLAY|SSH_ASKPASS.*|GPG_TTY)$/

/** A commit with the header `gpgsig`, which is what SSH signatures are called, too; for what is thrown see `sign`. */
export async function signedCommit(content: Buffer, key: SigningKey): Promise<Buffer> {
  const armor = await sign(content, key)
  const end = content.indexOf('\n\n') + 1
  const header = `gpgsig ${armor.trimEnd().replaceAll('\n', '\n ')}\n`
  return Buffer.concat([content.subarray(0, end), Buffer.from(header), content.subarray(end)])
}

/**
 * The armored signature of `content`, line by line. Throws RowbackError('usage') if the key cannot be used: the
 * settings name it.
 */
async function sign(content: Buffer, signingKey: SigningKey): Promise<string> {
  const { format, key } = signingKey
  const [program, ...args] = format === 'ssh' ? sshCommand(key) : gpgCommand(key)
  const signed = await run(program as string, args, content)
  const armor = signed.stdout.replaceAll('\r', '')
  if (signed.code === 0 && armor.startsWith('-----BEGIN ')) return armor
  const name = `${format === 'ssh' ? 'SSH' : 'OpenPGP'} key ${JSON.stringify(key)}`
  throw new RowbackError('usage', `sign with ${name}: ${cause(signed)}; nothing was committed`, {
    hint: hint(signingKey, signed.stderr),
  })
}

/** ssh-keygen(1), -Y sign; `git` is the namespace of git's signatures. */
function sshCommand(key: string): string[] {
  return ['ssh-keygen', '-Y', 'sign', '-n', 'git', '-f', key]
}

/** gpg(1); with that pinentry mode it takes what its agent has, and fails where that would ask. */
function gpgCommand(key: string): string[] {
  const quiet = ['--batch', '--no-tty', '--pinentry-mode', 'error']
  return ['gpg', ...quiet, '--armor', '--detach-sign', '--local-user', key]
}

interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs a program that has no terminal to ask on: it is in a session of its own (setsid(2)). */
function run(program: string, args: readonly string[], input: Buffer): Promise<Ended> {
  const env = { ...inheritedEnv((name) => !asking.test(name)), LC_ALL: 'C', SSH_ASKPASS_REQUIRE: 'never' }
  const child = spawn(program, args, { env, detached: true, windowsHide: true })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      if (output[name].length < 65_536) output[name] += text
    })
  for (const stream of child.stdio) stream?.on('error', () => {})
  noteChild(child)
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  child.stdin.end(input)
  return new Promise<Ended>((resolve) => {
    child.once('error', ({ message }) => resolve({ ...output, code: 127, stderr: message }))
    child.once('close', (code, signal) => {
      const stderr =
        code === null ? `it was ended by ${signal}, or did not answer for two minutes` : output.stderr
      resolve({ ...output, code: code ?? 128, stderr })
    })
  }).finally(() => clearTimeout(timer))
}

const lockedKey = /incorrect passphrase|No pinentry|Bad passphrase|Inappropriate ioctl|Operation cancelled/i

function cause({ stderr }: Ended): string {
  if (lockedKey.test(stderr)) return 'it is locked, and there is nobody to ask for its passphrase'
  if (/ENOENT$/.test(stderr)) return `there is no program ${stderr.split(' ')[1]} in PATH`
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  const said = lines.findLast((line) => !/^gpg: (?:using|WARNING|Note)/.test(line)) ?? 'it made no signature'
  return said.replace(/^gpg: (?:signing failed: )?|[\r.]+$/g, '').trim()
}

function hint({ format, key }: SigningKey, stderr: string): string {
  const isSsh = format === 'ssh'
  if (/ENOENT$/.test(stderr)) return `apt-get install ${isSsh ? 'openssh-client' : 'gnupg'}`
  if (lockedKey.test(stderr))
    return isSsh
      ? 'ssh-add, with SSH_AUTH_SOCK set where backups run'
      : 'unlock it in gpg-agent, see docs/signing.md'
  return isSsh ? `ssh-keygen -y -f ${JSON.stringify(key)}` : `gpg --list-secret-keys ${JSON.stringify(key)}`
}
