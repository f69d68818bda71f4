import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Chunk, Cutter, integerKeys, literalKeys } from '../../src/dump/cut.ts'

function cut(rows: string[], keys = integerKeys): Chunk[] {
  const lines = Buffer.from(rows.map((row) => `,(${row})\n`).join(''))
  const ends: number[] = []
  for (let at = lines.indexOf(10); at >= 0; at = lines.indexOf(10, at + 1)) ends.push(at + 1)
  const cutter = new Cutter()
  return [...cutter.push(lines, ends, keys), ...cutter.end()]
}

const text = 'x'.repeat(90)

function rowsOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${index + 1},'${text}'`)
}

describe('chunks', () => {
  it('are near 64 KiB each for rowids that follow one another', () => {
    const chunks = cut(rowsOf(100_000))
    const sizes = chunks.map(({ lines }) => Buffer.concat(lines).length)
    expect(chunks.length).toBeGreaterThan(100)
    expect(Math.max(...sizes)).toBeLessThan(3 * 65536)
    expect(sizes.reduce((sum, size) => sum + size) / sizes.length).toBeGreaterThan(50_000)
  })

  it('are near 64 KiB each for keys that are texts', () => {
    const rows = rowsOf(60_000).map((row) => `'key ${row.slice(0, row.indexOf(','))}',1,'${text}'`)
    const sizes = cut(rows, literalKeys(1)).map(({ lines }) => Buffer.concat(lines).length)
    expect(sizes.reduce((sum, size) => sum + size) / sizes.length).toBeGreaterThan(45_000)
    expect(Math.max(...sizes)).toBeLessThan(1_000_000)
  })

  it('keep every row in its order', () => {
    const rows = rowsOf(5000)
    expect(Buffer.concat(cut(rows).flatMap(({ lines }) => lines)).toString()).toBe(
      rows.map((row) => `,(${row})\n`).join(''),
    )
  })

  it('sort by path in the order of their keys, from the smallest rowid to the largest', () => {
    const big = `'${'x'.repeat(70_000)}'`
    const keys = [-(2n ** 63n), -5n, -1n, 0n, 9n, 10n, 2n ** 40n, 2n ** 63n - 1n]
    const paths = cut(keys.map((key) => `${key},${big}`)).map(({ path }) => path)
    expect(paths).toHaveLength(keys.length)
    const asBytes = [...paths].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(paths).toEqual(asBytes)
  })

  it('differ in one chunk, or two, after one row is inserted, changed or removed', () => {
    const rows = rowsOf(20_000)
    fc.assert(
      fc.property(
        fc.nat(rows.length - 2),
        fc.constantFrom('insert', 'change', 'remove'),
        fc.string({ maxLength: 500, unit: 'grapheme-ascii' }),
        (at, kind, value) => {
          const changed = [...rows]
          const key = kind === 'change' ? at + 1 : 30_000 + at
          if (kind === 'remove') changed.splice(at, 1)
          else
            changed.splice(
              kind === 'insert' ? rows.length : at,
              kind === 'insert' ? 0 : 1,
              `${key},'${value.replaceAll("'", '')}'`,
            )
          const before = new Set(cut(rows).map(({ path, lines }) => `${path} ${lines.toString()}`))
          const after = cut(changed).map(({ path, lines }) => `${path} ${lines.toString()}`)
          expect(after.filter((chunk) => !before.has(chunk)).length).toBeLessThanOrEqual(2)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('keep a table of 700 MB below 3,000 entries a directory', () => {
    const directories = new Map<string, number>()
    const cutter = new Cutter()
    const line = (key: number): string => `,(${key},'${'y'.repeat(690)}')\n`
    for (let from = 1; from <= 1_000_000; from += 5000) {
      const lines: string[] = []
      const ends: number[] = []
      let end = 0
      for (let key = from; key < from + 5000; key++) {
        lines.push(line(key))
        end += (lines.at(-1) as string).length
        ends.push(end)
      }
      for (const { path } of cutter.push(Buffer.from(lines.join('')), ends, integerKeys)) {
        const directory = path.slice(0, path.indexOf('/'))
        directories.set(directory, (directories.get(directory) ?? 0) + 1)
      }
    }
    expect(Math.max(...directories.values())).toBeLessThan(3000)
    expect(directories.size).toBeGreaterThan(10)
    expect(directories.size).toBeLessThan(3000)
  })
})
