import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  assetTreePath,
  lfsAttributes,
  lfsPointer,
  parseLfsPointer,
  storedAssetPath,
} from '../../src/assets/lfs.ts'
import { placesBy } from '../../src/assets/rules.ts'
import { clientPointer, hasGitLfs } from '../support/lfs.ts'

const object = { sha256: '4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393', size: 12345 }

describe('a pointer', () => {
  it('has the bytes that the specification of git-lfs shows', () => {
    expect(lfsPointer(object).toString()).toBe(
      `version https://git-lfs.github.com/spec/v1\noid sha256:${object.sha256}\nsize 12345\n`,
    )
    expect(parseLfsPointer(lfsPointer(object))).toEqual(object)
  })

  it('is byte for byte the one that git-lfs makes of a content', (context) => {
    if (!hasGitLfs()) return context.skip('it needs git-lfs')
    const content = fc.uint8Array({ minLength: 1, maxLength: 5000 })
    fc.assert(
      fc.property(content, (bytes) => {
        const sha256 = createHash('sha256').update(bytes).digest('hex')
        expect(lfsPointer({ sha256, size: bytes.length }).toString()).toBe(clientPointer(Buffer.from(bytes)))
      }),
      { numRuns: 25 },
    )
  })

  it.each([
    '',
    lfsPointer(object).toString().trimEnd(),
    lfsPointer(object).toString().replace('sha256', 'sha1'),
    lfsPointer(object).toString().replace('12345', '-1'),
    `${lfsPointer(object)}x`,
  ])('is nothing else: %j', (text) => {
    expect(parseLfsPointer(Buffer.from(text))).toBeUndefined()
  })
})

describe('the tree', () => {
  it('has pointers in a folder of their own, which is all that the attributes are about', () => {
    expect(assetTreePath({ path: 'a/.git', lfs: true })).toBe('assets-lfs/a/%2Egit')
    expect(assetTreePath({ path: 'a/.git' })).toBe('assets/a/%2Egit')
    expect(lfsAttributes.content.toString()).toBe('/assets-lfs/** filter=lfs diff=lfs merge=lfs -text\n')
    expect(
      ['assets/a', 'assets-lfs/a/b', 'assets-manifest/x', '.gitattributes'].map(storedAssetPath),
    ).toEqual(['a', 'a/b', undefined, undefined])
  })
})

describe('rules', () => {
  it('send a file where the first that is about it says, and leave all others in git', () => {
    const placeOf = placesBy([
      { match: ['keep/'], store: 'git' },
      { match: ['*.iso'], store: 'manifest' },
      { overBytes: 100, store: 'lfs' },
    ])
    const places = [
      ['keep/a.iso', 1000],
      ['a.iso', 1],
      ['a', 101],
      ['a', 100],
    ].map(([path, size]) => placeOf({ path: path as string, size: size as number }))
    expect(places).toEqual(['git', 'manifest', 'lfs', 'git'])
    expect(placesBy([])({ path: 'a', size: 1e12 })).toBe('git')
  })
})
