/** What one pass over all pages of a snapshot tells, and the b-trees that they make. */

import { setImmediate } from 'node:timers/promises'
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

/** Walks b-trees; no page belongs to two. Throws OddPages. */
export class TreeWalker {
  /** 1 for each page that a walk came by. */
  readonly seen: Uint8Array
  readonly #pages: Pages
  readonly #scan: PageScan

  constructor(pages: Pages, scan: PageScan) {
    this.#pages = pages
    this.#scan = scan
    this.seen = new Uint8Array(pages.count + 1)
  }

  /** The rows of the tree with that root: a table's, or an index's. */
  walk(root: number): TreePages {
    const found = { pages: [] as number[], rows: [] as number[], cells: [] as number[] }
    this.#visit(root, this.#scan.types[root] as number, found, 0)
    return {
      pages: Uint32Array.from(found.pages),
      rows: Uint16Array.from(found.rows),
      cells: Uint16Array.from(found.cells),
    }
  }

  #visit(
    page: number,
    kind: number,
    found: { pages: number[]; rows: number[]; cells: number[] },
    depth: number,
  ): void {
    const type = this.#scan.types[page]
    const isTable = kind === pageType.leafTable || kind === pageType.interiorTable
    const [leaf, interior] = isTable
      ? [pageType.leafTable, pageType.interiorTable]
      : [pageType.leafIndex, pageType.interiorIndex]
    if ((type !== leaf && type !== interior) || this.seen[page] !== 0 || depth > deepest)
      throw new OddPages(`page ${page} is no page of that tree`)
    this.seen[page] = 1
    if (type === leaf) {
      found.pages.push(page)
      found.rows.push(this.#scan.cells[page] as number)
      found.cells.push(wholeLeaf)
      return
    }
    children(this.#pages.read(page), headerStart(page)).forEach((child, cell, all) => {
      this.#visit(child, kind, found, depth + 1)
      if (isTable || cell === all.length - 1) return
      found.pages.push(page)
      found.rows.push(1)
      found.cells.push(cell)
    })
  }
}

/** Throws OddPages if a page of a tree is said to be free. */
export function refuseFreePages(pages: Pages, seen: Uint8Array): void {
  let trunk = pages.read(1).readUInt32BE(32)
  for (let steps = 0; trunk !== 0; steps++) {
    if (trunk > pages.count || steps > pages.count) throw new OddPages('the list of free pages has no end')
    const bytes = pages.read(trunk)
    const leaves = bytes.readUInt32BE(4)
    for (let index = -1; index < leaves; index++) {
      const page = index < 0 ? trunk : bytes.readUInt32BE(8 + 4 * index)
      if (seen[page] !== 0) throw new OddPages(`page ${page} is free and in use`)
    }
    trunk = bytes.readUInt32BE(0)
  }
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
 * Marks the pages that hold what they held, with all overflow pages of their rows. `seen` says which pages belong to
 * trees; of all others nothing is said. Throws OddPages.
 */
export function samePages(scan: PageScan, before: BigUint64Array, seen: Uint8Array): Uint8Array {
  const { digests, next, overflow } = scan
  const isSame = new Uint8Array(digests.length)
  for (let page = 1; page < digests.length; page++) if (digests[page] === before[page]) isSame[page] = 1
  let steps = digests.length
  for (let index = 0; index < overflow.length; index += 2) {
    const owner = overflow[index] as number
    if (seen[owner] === 0 || isSame[owner] === 0) continue
    for (let page = overflow[index + 1] as number; page !== 0; page = next[page] as number) {
      if (page >= digests.length || --steps < 0) throw new OddPages(`an overflow chain of page ${owner}`)
      if (digests[page] === before[page]) continue
      isSame[owner] = 0
      break
    }
  }
  return isSame
}
