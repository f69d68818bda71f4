/** What one pass over all pages of a snapshot tells, and the b-trees that they make. */

import { setImmediate } from 'node:timers/promises'
import { releaseArrays } from '../buffers.ts'
import { type TreePages, wholeLeaf } from '../dump/reuse.ts'
import { cellCount, cellRowid, children, headerStart, overflowHeads, pageType } from './btree.ts'
import type { Pages } from './pages.ts'

/** Facts by page number; the first element stands for no page. */
export interface PageScan {
  /** XXH64 of each page. */
  digests: BigUint64Array
  /** The first byte of each page's header: a `pageType`, if it is a page of a b-tree. */
  types: Uint8Array
  /** Its cells, if it is. */
  cells: Uint16Array
  /** The first four bytes: the next page of the chain, if it is an overflow page. */
  next: Uint32Array
  /** A page with cells and the first overflow page of one of them, one pair after the other. */
  overflow: number[]
}

/** Reads all pages once. Other work goes on in between. */
export async function scanPages(pages: Pages): Promise<PageScan> {
  const { default: xxhash } = await import('xxhash-wasm')
  const { h64Raw } = await xxhash()
  const { count, usable } = pages
  const scan: PageScan = {
    digests: new BigUint64Array(count + 1),
    types: new Uint8Array(count + 1),
    cells: new Uint16Array(count + 1),
    next: new Uint32Array(count + 1),
    overflow: [],
  }
  for (const { first, pages: block } of pages.blocks()) {
    for (const [index, content] of block.entries()) {
      const page = first + index
      scan.digests[page] = h64Raw(content)
      scan.next[page] = content.readUInt32BE(0)
      const start = headerStart(page)
      const type = content[start] as number
      scan.types[page] = type
      if (!hasRows(type)) continue
      scan.cells[page] = cellCount(content, start)
      overflowHeads(content, start, usable, (head) => scan.overflow.push(page, head))
    }
    await setImmediate()
  }
  return scan
}

/** Whether a page of that type holds rows: an interior page of a table has only their ids. */
function hasRows(type: number): boolean {
  return type === pageType.leafTable || type === pageType.leafIndex || type === pageType.interiorIndex
}

/** The pages do not make the trees that the format describes; nothing is to be said of them. */
export class OddPages extends Error {}

/** No tree of 2^32 pages with two children each is deeper. */
const deepest = 32

/** What a page was found to be: one thing only, and `none` as long as nothing has led to it. */
export const pageUse = { none: 0, tree: 1, overflow: 2, free: 3, reserved: 4 } as const

/** The uses of all pages before any is known but those of the pages that no tree may have. */
export function reservedPages(pages: Pages): Uint8Array {
  const uses = new Uint8Array(pages.count + 1)
  uses[0] = pageUse.reserved
  const lockByte = 2 ** 30 / pages.pageSize + 1
  if (lockByte <= pages.count) uses[lockByte] = pageUse.reserved
  // sqlite.org/fileformat2.html, section 1.8: only a database with a largest root page has pointer maps.
  if (pages.read(1).readUInt32BE(52) === 0) return uses
  const mapped = Math.floor(pages.usable / 5) + 1
  for (let page = 2; page <= pages.count; page += mapped)
    uses[page === lockByte ? page + 1 : page] = pageUse.reserved
  return uses
}

/** Walks b-trees, and marks their pages; no page belongs to two. Throws OddPages. */
export class TreeWalker {
  readonly #pages: Pages
  readonly #scan: PageScan
  readonly #uses: Uint8Array
  /** The entries of the tree that is walked: of each page that has been visited one, and one of its row before the next. */
  readonly #found: TreePages
  #length = 0

  constructor(pages: Pages, scan: PageScan, uses: Uint8Array) {
    this.#pages = pages
    this.#scan = scan
    this.#uses = uses
    const most = 2 * scan.types.length
    this.#found = {
      pages: new Uint32Array(most),
      rows: new Uint16Array(most),
      cells: new Uint16Array(most),
    }
  }

  /** The rows of the tree with that root: a table's, or an index's. */
  walk(root: number): TreePages {
    this.#length = 0
    this.#visit(root, this.#scan.types[root] as number, 0)
    const { pages, rows, cells } = this.#found
    return {
      pages: pages.slice(0, this.#length),
      rows: rows.slice(0, this.#length),
      cells: cells.slice(0, this.#length),
    }
  }

  /** Gives its memory back; it cannot walk any more. */
  end(): void {
    releaseTrees([this.#found])
  }

  #visit(page: number, kind: number, depth: number): void {
    const type = this.#scan.types[page]
    const isTable = kind === pageType.leafTable || kind === pageType.interiorTable
    const [leaf, interior] = isTable
      ? [pageType.leafTable, pageType.interiorTable]
      : [pageType.leafIndex, pageType.interiorIndex]
    if ((type !== leaf && type !== interior) || this.#uses[page] !== pageUse.none || depth > deepest)
      throw new OddPages(`page ${page} is no page of that tree`)
    this.#uses[page] = pageUse.tree
    if (type === leaf) {
      this.#note(page, this.#scan.cells[page] as number, wholeLeaf)
      return
    }
    children(this.#pages.read(page), headerStart(page)).forEach((child, cell, all) => {
      this.#visit(child, kind, depth + 1)
      if (!isTable && cell < all.length - 1) this.#note(page, 1, cell)
    })
  }

  #note(page: number, rows: number, cell: number): void {
    const { pages, rows: counts, cells } = this.#found
    pages[this.#length] = page
    counts[this.#length] = rows
    cells[this.#length] = cell
    this.#length += 1
  }
}

/** Gives the memory of trees back. */
export function releaseTrees(trees: Iterable<TreePages>): void {
  releaseArrays([...trees].flatMap(({ pages, rows, cells }) => [pages, rows, cells]))
}

/**
 * Marks the free pages, and throws OddPages if one is in use, or if a page is neither: all trees and overflow chains
 * must have been marked.
 */
export function refuseStrayPages(pages: Pages, uses: Uint8Array): void {
  const free = (page: number): void => {
    if (uses[page] !== pageUse.none) throw new OddPages(`page ${page} is free and in use`)
    uses[page] = pageUse.free
  }
  let trunk = pages.read(1).readUInt32BE(32)
  while (trunk !== 0) {
    free(trunk)
    const bytes = pages.read(trunk)
    const leaves = bytes.readUInt32BE(4)
    for (let index = 0; index < leaves; index++) free(bytes.readUInt32BE(8 + 4 * index))
    trunk = bytes.readUInt32BE(0)
  }
  const lost = uses.indexOf(pageUse.none)
  if (lost >= 0) throw new OddPages(`page ${lost} is never used`)
}

/**
 * Throws OddPages if the rowids of a table do not grow over the changed pages of its tree, and from them to their
 * neighbours.
 */
export function refuseDisorder(pages: Pages, tree: TreePages, isSame: (page: number) => boolean): void {
  let checked = -1
  let last: bigint | undefined
  const differs = (index: number): boolean => {
    const page = tree.pages[index]
    return page !== undefined && !isSame(page)
  }
  for (let index = 0; index < tree.pages.length; index++) {
    if (!differs(index - 1) && !differs(index) && !differs(index + 1)) continue
    if (checked !== index - 1) last = undefined
    const bytes = pages.read(tree.pages[index] as number)
    const start = headerStart(tree.pages[index] as number)
    for (let cell = 0; cell < (tree.rows[index] as number); cell++) {
      const rowid = cellRowid(bytes, start, cell)
      if (last !== undefined && rowid <= last) throw new OddPages(`rowid ${rowid} is out of order`)
      last = rowid
    }
    checked = index
  }
}

/**
 * Marks the overflow pages of all rows in trees, and tells which pages of trees hold what they held, with those of their
 * rows. Of pages that are in no tree nothing is said. Throws OddPages if an overflow page has another use.
 */
export function samePages(scan: PageScan, before: BigUint64Array, uses: Uint8Array): Uint8Array {
  const { digests, next, overflow } = scan
  const isSame = new Uint8Array(digests.length)
  for (let page = 1; page < digests.length; page++) if (digests[page] === before[page]) isSame[page] = 1
  for (let index = 0; index < overflow.length; index += 2) {
    const owner = overflow[index] as number
    // A page that is in no tree looks like one of rows by chance.
    if (uses[owner] !== pageUse.tree) continue
    for (let page = overflow[index + 1] as number; page !== 0; page = next[page] as number) {
      if (uses[page] !== pageUse.none) throw new OddPages(`an overflow chain of page ${owner}`)
      uses[page] = pageUse.overflow
      if (digests[page] !== before[page]) isSame[owner] = 0
    }
  }
  return isSame
}
