/** Where the contents of files are kept; pure. */

import { globs } from './glob.ts'

/** In git; in Git LFS, with a pointer in git; or nowhere, with the line of the asset manifest alone. */
export type AssetPlace = 'git' | 'lfs' | 'manifest'

/** What becomes of files that it is about: those that a glob matches, if any are given, and that are over a size. */
export interface AssetRule {
  match?: readonly string[] | undefined
  /** In bytes. */
  overBytes?: number | undefined
  store: AssetPlace
}

/** Where the content of a file is kept; `size` is in bytes. */
export type PlaceOf = (file: { path: string; size: number }) => AssetPlace

/** The first rule that is about a file decides; one that none is about is kept in git. */
export function placesBy(rules: readonly AssetRule[]): PlaceOf {
  const tests = rules.map(({ match, overBytes = -1, store }) => {
    const matches = match === undefined ? () => true : globs(match)
    return { store, about: (path: string, size: number) => size > overBytes && matches(path, false) }
  })
  return ({ path, size }) => tests.find(({ about }) => about(path, size))?.store ?? 'git'
}
