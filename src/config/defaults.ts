/** The settings where nobody says anything else; apart from the schema, whose library takes long to load. */

import type { Settings } from './settings.ts'

/** Which commits a backup proves before the branch moves to them. */
export const verifyModes = ['always', 'schema', 'never'] as const

/** When packs are joined after a backup. */
export const upkeepModes = ['auto', 'always', 'never'] as const

/** What reads and writes the repository: the git binary, isomorphic-git, or the first of them that there is. */
export const engineModes = ['auto', 'native', 'embedded'] as const

/** What a file that does not stop changing does to the exit code of a backup. */
export const unstableModes = ['warn', 'fail'] as const

/** The formats of signatures, by git's names for them (git-config(1), gpg.format). */
export const signatureFormats = ['ssh', 'openpgp'] as const

export const defaultSettings = {
  remotes: [],
  retries: 4,
  branch: undefined,
  engine: 'auto',
  assets: { include: ['**'], exclude: [], rules: [], unstable: 'warn' },
  assetColumns: [],
  excludeTables: [],
  fullText: 'logical',
  extensions: [],
  verify: 'schema',
  hook: true,
  upkeep: 'auto',
  busyTimeoutMs: 10_000,
  lockTimeoutMs: 0,
} satisfies Settings
