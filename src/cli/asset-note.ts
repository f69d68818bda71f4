/** What `rowback diff` says of an asset behind its path: pure. */

import type { AssetFact, AssetItem } from '../asset-items.ts'
import { displayName } from '../summary.ts'

/** What came or went, if it is no file; else what differs, which is the content where nothing is said. */
export function assetNote({ kind, what, facts = [], manifestOnly }: AssetItem): string {
  if (what !== undefined && kind !== 'changed') return ` (${whatText(what, facts)})`
  const texts = facts.map(factText)
  if (kind === 'changed' && !manifestOnly && texts.length > 0) texts.unshift('content')
  return texts.length > 0 ? `: ${texts.join(', ')}` : ''
}

function whatText(what: string, facts: readonly AssetFact[]): string {
  const [fact] = facts
  const value = fact?.after ?? fact?.before
  if (fact === undefined || value === undefined) return what
  return fact.name === 'target' ? `${what} to ${displayName(value)}` : `${what} ${value}`
}

function factText({ name, before = '', after = '' }: AssetFact): string {
  if (name === 'mtime') return `time ${timeText(before)} → ${timeText(after)}`
  return `${name} ${displayName(before)} → ${displayName(after)}`
}

const second = 10n ** 9n

/** A time of the manifest as ISO 8601 has it; as it is where that has no form for it. */
function timeText(mtime: string): string {
  const ns = BigInt(mtime.replace('.', ''))
  const fraction = ((ns % second) + second) % second
  const date = new Date(Number((ns - fraction) / second) * 1000)
  if (Number.isNaN(date.getTime())) return mtime
  const digits = String(fraction).padStart(9, '0').replace(/0+$/, '')
  return `${date.toISOString().slice(0, -'.000Z'.length)}${digits === '' ? '' : `.${digits}`}Z`
}
