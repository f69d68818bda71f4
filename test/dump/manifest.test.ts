import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { manifestText, parseManifest } from '../../src/dump/manifest.ts'
import { manifestOf } from '../support/manifest.ts'

const manifest = manifestOf(
  [
    { name: 'note', rows: 12, key: 'rowid' },
    { name: 'tag', rows: 0, key: ['a', 'b'] },
    { name: 'log', rows: 3, key: 'position' },
  ],
  { excludedTables: ['session'], assets: { files: 2, bytes: 2 ** 40 } },
)

/** The shape as another implementation has it. */
const count = z.number().int().nonnegative()
const shape = z.strictObject({
  format: z.literal(1),
  source: z.literal(['file', 'directory']),
  databases: z.array(
    z.strictObject({
      name: z.string(),
      path: z.string().optional(),
      fullText: z.literal(['logical', 'exact']),
      excludedTables: z.array(z.string()),
      tables: z.array(
        z.strictObject({
          name: z.string(),
          rows: count,
          key: z.union([z.literal('rowid'), z.literal('position'), z.array(z.string())]),
        }),
      ),
    }),
  ),
  assets: z.strictObject({ files: count, bytes: count }),
})

type Json = { [key: string]: Json } | Json[] | string | number | boolean | null

/** The places of a document, each as a list of keys. */
function places(value: Json, at: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...at, key]))]
}

/** A copy in which the value at a place is another, or gone, or has one key more. */
function changed(value: Json, [key, ...rest]: string[], change: (old: Json) => Json | undefined): Json {
  if (key === undefined) return change(value) ?? null
  const copy = structuredClone(value) as { [key: string]: Json }
  const inner = rest.length > 0 ? changed(copy[key] as Json, rest, change) : change(copy[key] as Json)
  if (inner === undefined) delete copy[key]
  else copy[key] = inner
  return copy
}

const values = fc.oneof(
  fc.jsonValue() as fc.Arbitrary<Json>,
  fc.constantFrom<Json>(0, -1, 1.5, 2 ** 53, '', 'rowid', 'exact', 'file', [], {}, ['x'], [1], null, true),
)
const change = fc.oneof(
  values.map((value) => () => value),
  fc.constant(() => undefined),
  values.map((value) => (old: Json) => (Array.isArray(old) ? [...old, value] : old)),
  fc.tuple(fc.constantFrom('extra', '__proto__', 'constructor', 'path'), values).map(
    ([key, value]) =>
      (old: Json): Json =>
        typeof old === 'object' && old !== null && !Array.isArray(old)
          ? (JSON.parse(
              `{"${key}":${JSON.stringify(value)},${JSON.stringify(old).slice(1)}`.replace(',}', '}'),
            ) as Json)
          : old,
  ),
)

describe('a manifest', () => {
  it('reads what it writes', () => {
    expect(parseManifest(manifestText(manifest), 'HEAD')).toEqual(manifest)
  })

  it('is refused wherever it has not the shape of one, as another implementation says', () => {
    const where = fc.constantFrom(...places(manifest as unknown as Json))
    fc.assert(
      fc.property(fc.array(fc.tuple(where, change), { minLength: 1, maxLength: 2 }), (changes) => {
        let document = manifest as unknown as Json
        for (const [place, how] of changes)
          if (places(document).some((each) => each.join('\0') === place.join('\0')))
            document = changed(document, place, how)
        const problem = problemOf(JSON.stringify(document))
        if (shape.safeParse(document).success)
          expect(problem ?? 'named after its path').toMatch(
            /named after its path|one database, not|have one path/,
          )
        else expect(problem).toMatch(/^read (manifest of )?HEAD: /)
      }),
      { numRuns: 3000 },
    )
  })

  it.each([
    ['{', /JSON/],
    ['null', /: expected an object$/],
    [JSON.stringify({ ...manifest, assets: { files: -1, bytes: 0 } }), /: assets\.files: expected a count$/],
    [JSON.stringify({ ...manifest, more: 1 }), /: more: unknown key$/],
    [JSON.stringify({ ...manifest, format: 2 }), /it is of format 2, this program reads 1$/],
  ])('that is %s is refused by the place', (document, message) => {
    expect(problemOf(document)).toMatch(message)
  })
})

function problemOf(document: string): string | undefined {
  try {
    parseManifest(document, 'HEAD')
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
