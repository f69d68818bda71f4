/** Where the contents of a remote are: settings of git-lfs may say so (git-lfs-config(5)). */

import { gitDirIn, remoteDirectory } from './directory-remote.ts'
import type { SettledRemote } from './remote-address.ts'
import { remoteEnv } from './remote-env.ts'
import { git } from './run.ts'

/** Settings by their keys, with the section and the last word in lower case. */
type Settings = ReadonlyMap<string, string>

/** The addresses that the user has given to the contents of a remote: `lfsurl` and `lfspushurl`, if it has a name that git knows. */
export async function lfsAddresses(gitDir: string, remote: SettledRemote): Promise<Settings> {
  return ofName(await addressSettings(gitDir), remote)
}

/** The git directory that contents are sent to; undefined where they go to a server. */
export async function lfsReceiver(gitDir: string, remote: SettledRemote): Promise<string | undefined> {
  const settings = await addressSettings(gitDir)
  const named = ofName(settings, remote)
  // In the order in which they count for git-lfs.
  const given = [
    settings.get('lfs.pushurl'),
    settings.get('lfs.url'),
    named.get('lfspushurl'),
    named.get('lfsurl'),
  ]
  const directory = remoteDirectory(given.find((one) => one !== undefined) ?? remote.address)
  return directory === undefined ? undefined : gitDirIn(directory)
}

/** Those of the repository and of the user; a `.lfsconfig` of a commit does not count. */
async function addressSettings(gitDir: string): Promise<Settings> {
  const asked = ['--null', '--get-regexp', '^(lfs\\.|remote\\..*\\.lfs)(push)?url$']
  const { stdout } = await git(gitDir, ['config', ...asked], { env: await remoteEnv(gitDir) })
  const lines = stdout.toString().split('\0').slice(0, -1)
  return new Map(lines.map((line) => split(line, line.indexOf('\n'))))
}

function split(line: string, at: number): [string, string] {
  return [line.slice(0, at), line.slice(at + 1)]
}

function ofName(settings: Settings, { name }: SettledRemote): Settings {
  const keys = ['lfsurl', 'lfspushurl'].filter((key) => settings.has(`remote.${name}.${key}`))
  return new Map(keys.map((key) => [key, settings.get(`remote.${name}.${key}`) ?? '']))
}
