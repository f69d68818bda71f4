import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AssetEntry, assetLine, parseAssetLine } from '../../src/assets/manifest.ts'
import { bytesText, isSafeAssetPath } from '../../src/assets/paths.ts'

const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const line = `{"path":"a","size":12,"mode":"0644","mtime":"1700000000.123456789","sha256":"${sha256}"}`

/** An entry and its one text. */
const golden: [AssetEntry, string][] = [
  [{ kind: 'file', path: 'a', size: 12, mode: 0o644, mtimeNs: 1700000000123456789n, sha256 }, line],
  [
    { kind: 'file', path: 'ü/"\n\u2028', size: 0, mode: 0, mtimeNs: 0n, sha256 },
    `{"path":"ü/\\"\\n\u2028","size":0,"mode":"0000","mtime":"0.000000000","sha256":"${sha256}"}`,
  ],
  [
    { kind: 'file', path: 'old', size: 1, mode: 0o777, mtimeNs: -1n, sha256 },
    `{"path":"old","size":1,"mode":"0777","mtime":"-0.000000001","sha256":"${sha256}"}`,
  ],
  [{ kind: 'symlink', path: 'l', target: '../x' }, '{"path":"l","symlink":"../x"}'],
  [{ kind: 'directory', path: 'd', mode: 0o700 }, '{"path":"d","directory":true,"mode":"0700"}'],
  [{ kind: 'unreadable', path: 'u/v' }, '{"path":"u/v","unreadable":true}'],
  [
    { kind: 'file', path: 'a', size: 12, mode: 0o644, mtimeNs: 1700000000123456789n, sha256, unstable: true },
    line.replace('}', ',"unstable":true}'),
  ],
  [
    { kind: 'listed', path: 'a', size: 12, mode: 0o644, mtimeNs: 1700000000123456789n, sha256 },
    line.replace('}', ',"store":"manifest"}'),
  ],
  [
    { kind: 'file', path: 'a', size: 12, mode: 0o644, mtimeNs: 1700000000123456789n, sha256, lfs: true },
    line.replace('}', ',"store":"lfs"}'),
  ],
  [{ kind: 'symlink', path: 'caf\udce9', target: '\udcff' }, '{"path":"caf\\udce9","symlink":"\\udcff"}'],
]

describe('assetLine', () => {
  it.each(golden)('has one text for each entry: %#', (entry, text) => {
    expect(assetLine(entry)).toBe(text)
    expect(parseAssetLine(text)).toEqual(entry)
  })

  it('brings back every entry', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((array) => bytesText(Buffer.from(array)))
    const text = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
    const path = fc.oneof(bytes, text).filter(isSafeAssetPath)
    const mode = fc.integer({ min: 0, max: 0o777 })
    const file = fc.record({
      kind: fc.constant('file' as const),
      path,
      size: fc.maxSafeNat(),
      mode,
      mtimeNs: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 63n }),
      sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
    })
    const symlink = fc.record({ kind: fc.constant('symlink' as const), path, target: path })
    const directory = fc.record({ kind: fc.constant('directory' as const), path, mode })
    fc.assert(
      fc.property(fc.oneof(file, symlink, directory), (entry) => {
        expect(assetLine(entry)).not.toContain('\n')
        expect(parseAssetLine(assetLine(entry))).toEqual(entry)
      }),
    )
  })
})

describe('parseAssetLine refuses', () => {
  it.each([
    ['', 'it is no JSON'],
    ['null', 'it is no JSON object'],
    ['[]', 'it has no path'],
    ['{"path":1}', 'it has no path'],
    ['{"path":"a"}', 'its keys are not'],
    ['{"path":"a","symlink":"b","mode":"0644"}', 'its keys are not'],
    [line.replace('"size":12,', ''), 'its keys are not'],
    [line.replace('"size":12,"mode":"0644"', '"mode":"0644","size":12'), 'its keys are not'],
    [line.replace('}', ',"owner":"root"}'), 'its keys are not'],
    [line.replace('12', '"12"'), 'its size'],
    [line.replace('12', '-1'), 'its size'],
    [line.replace('12', '1.5'), 'its size'],
    [line.replace('12', '12.0'), 'it is not in canonical form'],
    [line.replace(':12', ': 12'), 'it is not in canonical form'],
    [line.replace('"size":12', '"size":1,"size":12'), 'it is not in canonical form'],
    [line.replace('"a"', '"\\u0061"'), 'it is not in canonical form'],
    [`${line} `, 'it is not in canonical form'],
    [line.replace('0644', '4755'), 'its mode'],
    [line.replace('0644', '644'), 'its mode'],
    [line.replace('1700000000.123456789', '1700000000'), 'its mtime'],
    [line.replace('1700000000.123456789', '01.000000000'), 'it is not in canonical form'],
    [line.replace('1700000000.123456789', '-0.000000000'), 'it is not in canonical form'],
    [line.replace('e3b0', 'E3B0'), 'its sha256'],
    [line.replace('"a"', '"../a"'), 'its path is not safe'],
    [line.replace('"a"', '"/a"'), 'its path is not safe'],
    [line.replace('"a"', '""'), 'its path is not safe'],
    [line.replace('"a"', '"a\\u0000"'), 'its path is not safe'],
    [line.replace('"a"', '"\\ud800"'), 'its path is not safe'],
    ['{"path":"l","symlink":""}', 'its symlink'],
    ['{"path":"l","symlink":"a\\u0000"}', 'its symlink'],
    ['{"path":"d","directory":false,"mode":"0700"}', 'its directory'],
    [line.replace('}', ',"unstable":false}'), 'its unstable'],
    [line.replace('}', ',"store":"git"}'), 'its store'],
    [line.replace('}', ',"store":"manifest","unstable":true}'), 'its keys are not'],
    [line.replace(':12', ':0').replace('}', ',"store":"lfs"}'), 'Git LFS has no empty files'],
    [line.replace('"a"', '"\\udcc3\\udca9"'), 'its path is not safe'],
    [line.replace('"a"', '"\\udc41"'), 'its path is not safe'],
    ['{"path":"l","symlink":"\\udcc3\\udca9"}', 'its symlink'],
    ['{"path":"u","unreadable":false}', 'its unreadable'],
    ['{"path":"d","__proto__":{"directory":true},"mode":"0700"}', 'its keys are not'],
  ])('%s', (text, problem) => {
    expect(() => parseAssetLine(text)).toThrow(
      expect.objectContaining({
        code: 'dump',
        message: expect.stringContaining(`read asset manifest: ${problem}`),
      }),
    )
  })
})
