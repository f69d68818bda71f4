/**
 * The settings of a backup, read from the text of `rowback.yaml`. Pure but for relative paths, which start at the
 * settings file's directory. A file with problems gives no settings: all of them are reported at once.
 */

import { dirname, resolve } from 'node:path'
import type { AssetColumn } from '../agreement.ts'
import type { AssetRule } from '../assets/rules.ts'
import { RowbackError } from '../errors.ts'
import { isRelativePath } from '../git/remote-url.ts'
import type { engineModes, signatureFormats, unstableModes, upkeepModes, verifyModes } from './defaults.ts'
import { sizeBytes } from './settings-checks.ts'
import { type Problem, problemLines } from './settings-problems.ts'
import { type SettingsFile, settingsFile } from './settings-schema.ts'
import { schemaProblems } from './settings-values.ts'
import { parseYaml } from './settings-yaml.ts'

/** What a settings file says, with its defaults filled in; local paths are absolute. */
export interface Settings {
  /** A SQLite file or a data directory. */
  source?: string | undefined
  /** The git repository that holds the backups. */
  repository?: string | undefined
  /** A URL without a password, a local path or the name of a git remote. */
  remote?: string | undefined
  /** Further remotes; `passwordVariable` is the environment variable that holds the password or token of one. */
  remotes: { url: string; passwordVariable?: string | undefined }[]
  /** How often a push that a fault of the network has ended is tried again; default 4. */
  retries: number
  /** Default: the one that HEAD of the repository names, `main` in a new one; see `openStore`. */
  branch: string | undefined
  /**
   * What reads and writes the repository: the git binary (`native`), isomorphic-git (`embedded`), or the git binary where a
   * usable one is in PATH, and else the other (`auto`, the default).
   */
  engine: (typeof engineModes)[number]
  /** The application's name in commit subjects. */
  name?: string | undefined
  assets: {
    /** Globs (see `globs`) over paths relative to the source: what becomes an asset, and what is left out. */
    include: string[]
    exclude: string[]
    /** Which files are kept in git, in Git LFS, or only as a line of the manifest; the first that is about a file counts. */
    rules: AssetRule[]
    /** Whether files that do not stop changing give exit code 10 (`fail`) or only a warning (the default). */
    unstable: (typeof unstableModes)[number]
  }
  /** Columns that hold paths of assets. */
  assetColumns: AssetColumn[]
  /** Tables whose schema is kept and whose rows are not. */
  excludeTables: string[]
  /** Whether a full-text index is kept as its rows (`logical`, the default) or byte for byte (`exact`). */
  fullText: 'logical' | 'exact'
  /** SQLite extensions to load into every connection, by path. */
  extensions: string[]
  /** Who commits. */
  author?: { name: string; email: string } | undefined
  /** What commits are signed with: `key` is an absolute path (`ssh`), or what gpg finds the key by (`openpgp`). */
  sign?: { format: (typeof signatureFormats)[number]; key: string } | undefined
  /** Whose signatures count: a file of allowed signers, and fingerprints of OpenPGP keys in upper case without spaces. */
  signers?:
    | {
        ssh?: string | undefined
        openpgp?: string[] | undefined
        /** Whether restore and verify demand one. */
        required: boolean
      }
    | undefined
  /**
   * Which commits a backup proves before the branch moves to them: each; where a push follows, the first one and
   * those that change the schema (the default); or none.
   */
  verify: (typeof verifyModes)[number]
  /** Whether `hooks/pre-push` is installed into a new repository; default true. */
  hook: boolean
  /** When packs are joined after a backup: when they have become many or large (the default), each time, or never. */
  upkeep: (typeof upkeepModes)[number]
  /** How long a locked source is waited for, in milliseconds; default 10000. */
  busyTimeoutMs: number
  /** How long another backup of the repository is waited for, in milliseconds; default 0. */
  lockTimeoutMs: number
}

/**
 * The settings that `text` holds; an empty text gives the defaults. `file` is the text's own path, which
 * messages name and relative paths start from. Throws a `usage` error whose message lists every problem,
 * one a line, as `file:line: key: what is wrong`; it never shows a password.
 */
export function parseSettings(text: string, file: string): Settings {
  const yaml = parseYaml(text)
  const parsed = settingsFile.safeParse(yaml.data ?? {})
  const sure = schemaProblems(parsed, yaml).filter(({ line }) => line < yaml.unsureFrom)
  const problems = [...yaml.problems, ...sure]
  if (!parsed.success || problems.length > 0) throw settingsError(file, problems)
  return settings(parsed.data, dirname(file))
}

function settingsError(file: string, problems: Problem[]): RowbackError {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  const lines = problemLines(file, problems).map((line) => `\n  ${line}`)
  return new RowbackError('usage', `read settings ${file}: ${count}${lines.join('')}`)
}

function assetRule({ match, over, store }: SettingsFile['assets']['rules'][number]): AssetRule {
  return { match, overBytes: over === undefined ? undefined : sizeBytes(over), store }
}

function settings(file: SettingsFile, directory: string): Settings {
  const remoteUrl = (url: string) => (isRelativePath(url) ? resolve(directory, url) : url)
  const absolute = (path: string | undefined) => (path === undefined ? undefined : resolve(directory, path))
  return {
    source: absolute(file.source),
    repository: absolute(file.repository),
    remote: file.remote === undefined ? undefined : remoteUrl(file.remote),
    remotes: file.remotes.map(({ url, 'password-variable': passwordVariable }) => ({
      url: remoteUrl(url),
      passwordVariable,
    })),
    retries: file.retries,
    branch: file.branch,
    engine: file.engine,
    name: file.name,
    assets: { ...file.assets, rules: file.assets.rules.map(assetRule) },
    assetColumns: file['asset-columns'],
    excludeTables: file['exclude-tables'],
    fullText: file['full-text'],
    extensions: file.extensions.map((path) => resolve(directory, path)),
    author: file.author,
    sign: file.sign && {
      ...file.sign,
      key: file.sign.format === 'ssh' ? resolve(directory, file.sign.key) : file.sign.key,
    },
    signers: file.signers && {
      ssh: absolute(file.signers.ssh),
      openpgp: file.signers.openpgp?.map((fingerprint) => fingerprint.replaceAll(' ', '').toUpperCase()),
      required: file.signers.required,
    },
    verify: file.verify,
    hook: file.hook,
    upkeep: file.upkeep,
    busyTimeoutMs: Math.round(file['busy-timeout'] * 1000),
    lockTimeoutMs: Math.round(file['lock-timeout'] * 1000),
  }
}
