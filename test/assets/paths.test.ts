import { execFileSync, spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  bytesText,
  comparePaths,
  isSafeAssetPath,
  isSafePath,
  parentOf,
  shownPath,
  storedPath,
  textBytes,
} from '../../src/assets/paths.ts'
import { testDirectory } from './test-directory.ts'

describe('isSafePath', () => {
  it.each(['a', 'a/b', '.a', '...', 'a b', 'a\nb', 'C:\\x', '-', 'é/😀', 'a'.repeat(4095)])(
    'accepts %j',
    (path) => {
      expect(isSafePath(path)).toBe(true)
    },
  )

  it.each([
    '',
    '/',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    './a',
    'a/.',
    '../a',
    'a/../b',
    'a/..',
    'a\0b',
    '\ud800',
    'é'.repeat(2048),
  ])('refuses %j', (path) => {
    expect(isSafePath(path)).toBe(false)
  })
})

describe('isSafeAssetPath', () => {
  it('also accepts the text of bytes that are not UTF-8, and no other lone surrogate', () => {
    expect(['caf\udce9', 'a/\udcff\udc80/é'].map(isSafeAssetPath)).toEqual([true, true])
    // A byte below 0x80, half of a pair, and two bytes that are a character together.
    expect(['\udc41', '\ud83d', '\udcc3\udca9', '../\udce9'].map(isSafeAssetPath)).toEqual(
      Array(4).fill(false),
    )
    expect(isSafeAssetPath(`${'a'.repeat(4094)}\udce9`)).toBe(true)
    expect(isSafeAssetPath(`${'a'.repeat(4095)}\udce9`)).toBe(false)
  })
})

/** Bytes of which few are UTF-8, though parts are. */
const someBytes = fc
  .array(
    fc.constantFrom('61', 'c3', 'a9', 'c3a9', 'ed', 'b3', 'a0', 'f09f9880', 'f0', '9f', '80', 'ff', '2f'),
    {
      maxLength: 8,
    },
  )
  .map((parts) => Buffer.from(parts.join(''), 'hex'))

it('bytesText and textBytes bring back all bytes, and text that is UTF-8 is itself', () => {
  fc.assert(
    fc.property(fc.oneof(someBytes, fc.uint8Array().map(Buffer.from)), (bytes) => {
      expect(textBytes(bytesText(bytes)).equals(bytes)).toBe(true)
    }),
  )
  expect(bytesText(Buffer.from('é/😀\ufeff'))).toBe('é/😀\ufeff')
  expect(bytesText(Buffer.from('636166e9', 'hex'))).toBe('caf\udce9')
})

it('parentOf cuts the last component', () => {
  expect(['a', 'a/b', 'a/b/c'].map(parentOf)).toEqual(['', 'a', 'a/b'])
})

it('comparePaths agrees with the order of the bytes', () => {
  const text = fc.string({
    unit: fc.constantFrom('a', '/', '\x01', 'é', '\uffff', '\ue000', '😀', '𐀀'),
    maxLength: 4,
  })
  fc.assert(
    fc.property(text, text, (a, b) => {
      expect(Math.sign(comparePaths(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
    }),
  )
  fc.assert(
    fc.property(someBytes, someBytes, (a, b) => {
      expect(Math.sign(comparePaths(bytesText(a), bytesText(b)))).toBe(Buffer.compare(a, b))
    }),
    { numRuns: 2000 },
  )
})

it('shownPath quotes what could mislead', () => {
  expect(shownPath('icons/ü.png')).toBe('icons/ü.png')
  expect(shownPath('a b')).toBe('"a b"')
  expect(shownPath('ü\u{e0001}\ufffd')).toBe('"ü\\udb40\\udc01\\ufffd"')
  expect(shownPath('a\u202eb\nc\x9b')).toBe('"a\\u202eb\\nc\\u009b"')
})

/** Paths that git refuses or obeys, and how they are stored. */
const refused = [
  ['.git', '%2Egit'],
  ['.GIT/config', '%2EGIT/config'],
  ['a/.git/HEAD', 'a/%2Egit/HEAD'],
  ['.git ', '%2Egit '],
  ['.git. .', '%2Egit. .'],
  ['.git:x', '%2Egit:x'],
  ['.git::$INDEX_ALLOCATION', '%2Egit::$INDEX_ALLOCATION'],
  ['git~1', '%67it~1'],
  ['GIT~1.', '%47IT~1.'],
  ['.g\u200cit', '%2Eg\u200cit'],
  ['\ufeff.git', '%EF%BB%BF.git'],
  ['a\\.git', 'a\\%2Egit'],
  ['a\\git~1\\b', 'a\\%67it~1\\b'],
  ['.gitmodules', '%2Egitmodules'],
  ['.GitModules ', '%2EGitModules '],
  ['gitmod~1', '%67itmod~1'],
  ['gi7eba~1', '%67i7eba~1'],
  ['gi7e~123', '%67i7e~123'],
  ['.gitattributes', '%2Egitattributes'],
  ['x/gitatt~4', 'x/%67itatt~4'],
  ['gi7d29~9', '%67i7d29~9'],
] as const

const ordinary = [
  'icons/a.png',
  '.gitignore',
  '.gitkeep',
  '.github/x',
  '.gitx',
  'a.git',
  'git',
  'git~2x',
  '..a',
  'con',
  '100%',
  '%',
  '%zz',
  '% 2E',
  '%2e',
  'é/😀',
  '.mailmap',
]

describe('storedPath', () => {
  it.each(refused)('encodes %j as %j', (path, stored) => {
    expect(storedPath(path)).toBe(stored)
  })

  it.each(ordinary)('keeps %j', (path) => {
    expect(storedPath(path)).toBe(path)
  })

  it('encodes what looks encoded', () => {
    expect(storedPath('%2Egit')).toBe('%252Egit')
    expect(storedPath('a/%41')).toBe('a/%2541')
  })

  it('marks what is not UTF-8 by %FF, and writes its odd bytes and its percent signs in digits', () => {
    expect(storedPath('up/caf\udce9')).toBe('up/%FFcaf%E9')
    expect(storedPath('\udcff%é/x')).toBe('%FF%FF%25é/x')
    expect(storedPath('.git\udce9')).toBe('%FF.git%E9')
    expect(storedPath('%FFcaf%E9')).toBe('%25FFcaf%E9')
  })

  it('is injective, keeps paths safe and changes nothing that it could leave', () => {
    const unit = fc.constantFrom(
      '.',
      'g',
      'i',
      't',
      '.git',
      'git~1',
      '%',
      '%2E',
      '2',
      '5',
      'E',
      '/',
      '\\',
      '\u200c',
      'é',
      ' ',
      ':',
      'F',
      '\udcff',
      '\udce9',
    )
    const path = fc.string({ unit, minLength: 1, maxLength: 7 }).filter(isSafeAssetPath)
    const seen = new Map<string, string>()
    fc.assert(
      fc.property(path, (text) => {
        const stored = storedPath(text)
        expect(seen.get(stored) ?? text).toBe(text)
        seen.set(stored, text)
        expect(isSafePath(stored)).toBe(true)
        expect(decoded(stored)).toBe(text)
        if (!/git|%|[\udc80-\udcff]/iu.test(text)) expect(stored).toBe(text)
      }),
      { numRuns: 20_000 },
    )
  })

  it('gives paths that git fsck accepts, and no attributes that git archive obeys', () => {
    const repository = testDirectory()
    const git = (args: string[], input = '') =>
      execFileSync('git', args, { cwd: repository, input, encoding: 'utf8' }).trim()
    git(['init', '-q'])
    const hostile = git(
      ['hash-object', '-w', '--stdin'],
      '* export-ignore\n[submodule "x"]\n\turl = --upload-pack=x\n',
    )
    const tree = (names: string[]) =>
      git(['mktree', '-z'], names.map((name) => `100644 blob ${hostile}\t${name}\0`).join(''))
    const names = [
      ...refused.map(([path]) => path.replaceAll('/', '\\')),
      ...ordinary.map((path) => path.replaceAll('/', '-')),
    ]
    const stored = tree(names.map(storedPath))
    git([
      'update-ref',
      'refs/heads/good',
      git(['-c', 'user.name=x', '-c', 'user.email=x', 'commit-tree', stored, '-m', 'x']),
    ])
    expect(
      spawnSync('git', ['fsck', '--strict', '--no-dangling'], { cwd: repository, encoding: 'utf8' }).stderr,
    ).not.toMatch(/error|warning/)
    const archived = git(['archive', '--format=tar', stored])
    expect(archived.match(/\* export-ignore/g)).toHaveLength(names.length)
  })

  it.each(refused)('has a reason for %j', (path) => {
    const repository = testDirectory()
    const git = (args: string[], input = '') =>
      execFileSync('git', args, { cwd: repository, input, encoding: 'utf8' }).trim()
    git(['init', '-q'])
    const content = `[submodule "x"]\n\turl = --upload-pack=x\n${'y'.repeat(3000)}`
    const blob = git(['hash-object', '-w', '--stdin'], content)
    const name = path.split('/').find((component) => storedPath(component) !== component) ?? ''
    git(['mktree', '-z'], `100644 blob ${blob}\t${name}\0`)
    const fsck = spawnSync('git', ['fsck', '--strict', '--no-dangling'], {
      cwd: repository,
      encoding: 'utf8',
    })
    expect(fsck.stderr).toMatch(/hasDotgit|gitmodules|gitattributes/)
  })
})

/** What a reader of the format does: behind %FF all that is encoded is decoded, else the first character. */
function decoded(stored: string): string {
  return stored
    .split(/([/\\])/)
    .map((component) =>
      component.startsWith('%FF') ? decodedBytes(component.slice(3)) : decodedFirst(component),
    )
    .join('')
}

function decodedBytes(component: string): string {
  const latin1 = Buffer.from(component).toString('latin1')
  const bytes = latin1.replace(/%(..)/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  )
  return bytesText(Buffer.from(bytes, 'latin1'))
}

function decodedFirst(stored: string): string {
  const first = /(^|[/\\])((?:%[0-9A-F]{2})+)/g
  return stored.replace(first, (_, before, run: string) => {
    const lead = Number.parseInt(run.slice(1, 3), 16)
    const bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    const character = Buffer.from(run.slice(0, 3 * bytes).replaceAll('%', ''), 'hex').toString('utf8')
    return before + character + run.slice(3 * bytes)
  })
}
