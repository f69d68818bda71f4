/** Keys that tests sign with: real ones of ssh-keygen and gpg, in folders that go with the test. */

import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { tempDir } from './temp.ts'

/** Whether a program that makes signatures is here; says where it is not, and throws in CI, where every test must run. */
export function canSign(program: 'ssh-keygen' | 'gpg'): boolean {
  const { error } = spawnSync(program, ['--version'])
  if (error === undefined) return true
  if (process.env.CI) throw new Error(`the tests of signatures need ${program}: ${error.message}`)
  console.warn(`SKIPPED, it needs ${program}: ${error.message}`)
  return false
}

/** Makes an SSH key; returns its line for a file of allowed signers, without a principal. */
export function sshKey(file: string, passphrase = ''): string {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-C', '', '-N', passphrase, '-f', file])
  return readFileSync(`${file}.pub`, 'utf8').trim()
}

/** A keyring of gpg's, with its agent. */
export interface Keyring {
  home: string
  /** Runs gpg; throws if it fails. */
  gpg(...args: string[]): string
  /** Makes a key that signs and returns its fingerprint. */
  make(userId: string, passphrase?: string): string
  /** Ends the agent, which then has no passphrase. */
  endAgent(): void
}

/** An empty keyring. The path of a socket may have 107 bytes, so it lies in a folder of its own. */
export function keyring(): Keyring {
  const home = join(tempDir())
  chmodSync(home, 0o700)
  const env = { ...process.env, GNUPGHOME: home, LC_ALL: 'C' }
  const gpg = (...args: string[]): string =>
    execFileSync('gpg', ['--batch', '--no-tty', '--pinentry-mode', 'loopback', ...args], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).toString()
  const endAgent = (): void => void spawnSync('gpgconf', ['--kill', 'gpg-agent'], { env })
  onTestFinished(endAgent)
  const make = (userId: string, passphrase = ''): string => {
    gpg('--passphrase', passphrase, '--quick-generate-key', userId, 'ed25519', 'sign', 'never')
    return /^fpr:+([0-9A-F]{40}):/m.exec(gpg('--with-colons', '--list-keys', `=${userId}`))?.[1] as string
  }
  return { home, gpg, make, endAgent }
}
