/**
 * The public API: each verb of the command line is a function that returns its result and throws RowbackError.
 *
 * @example
 * const { commit } = await backup({ source: '/srv/app/data', repository: '/backup/app.git' })
 * await verify({ repository: '/backup/app.git', rev: 'latest' })
 */

export type { Agreement, AssetColumn, MissingFile } from './agreement.ts'
export type { AssetFact, AssetItem } from './asset-items.ts'
export type { AssetRule } from './assets/rules.ts'
export { type BackupOptions, type BackupResult, backup } from './backup.ts'
export { type CloneOptions, type CloneResult, clone } from './clone.ts'
export { readSettings } from './config/read-settings.ts'
export { parseSettings, type Settings } from './config/settings.ts'
export { type DiffItem, type DiffOptions, diff } from './diff.ts'
export { type ErrorCode, exitCodes, RowbackError } from './errors.ts'
export type { EngineChoice } from './git/engine.ts'
export type { Remote } from './git/remote-url.ts'
export type { SigningKey } from './git/sign.ts'
export type { Signature, Signers } from './git/signature.ts'
export {
  type InPlaceOptions,
  type InPlaceResult,
  restoreInPlace,
  type UndoOptions,
  undo,
} from './in-place.ts'
export { type LogEntry, type LogOptions, log, type ShowOptions, type ShowResult, show } from './log.ts'
export type { OnProgress, Progress } from './progress.ts'
export { type PushOptions, type PushResult, push } from './push.ts'
export { type RestoreOptions, type RestoreResult, restore, restoreFile } from './restore.ts'
export { type RestoreTableOptions, restoreTable } from './restore-table.ts'
export type { RowChange } from './row-change.ts'
export type { ColumnsChange } from './row-pairing.ts'
export type { AssetSummary, Summary, TableSummary } from './summary.ts'
export type { UpkeepResult } from './upkeep.ts'
export { type VerifyOptions, type VerifyResult, verify } from './verify.ts'
export {
  type VerifyAllOptions,
  type VerifyAllResult,
  type VerifyFailure,
  verifyAll,
} from './verify-all.ts'
