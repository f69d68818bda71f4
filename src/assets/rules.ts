/** Which files a commit keeps and of which it only has the line of the manifest; pure. */

import { globs } from './glob.ts'

/** What becomes of files that it is about: those that a glob matches, if any are given, and that are over a size. */
export interface AssetRule {
  match?: readonly string[] | undefined
  /** In bytes. */
  overBytes?: number | undefined
  /** In git, or only as a line of the manifest. */
  store: 'git' | 'manifest'
}

/** Whether only the manifest line of a file is kept; `size` is in bytes. */
export type Listed = (file: { path: string; size: number }) => boolean

/** The first rule that is about a file decides; a file that none is about is kept. */
export function listedBy(rules: readonly AssetRule[]): Listed {
  const tests = rules.map(({ match, overBytes = -1, store }) => {
    const matches = match === undefined ? () => true : globs(match)
    return { store, about: (path: string, size: number) => size > overBytes && matches(path, false) }
  })
  return ({ path, size }) => tests.find(({ about }) => about(path, size))?.store === 'manifest'
}
