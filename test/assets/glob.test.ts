import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { globs, literalGlob } from '../../src/assets/glob.ts'
import { testDirectory, writeTree } from './test-directory.ts'

function matches(pattern: string, path: string): boolean {
  return path.endsWith('/') ? globs([pattern])(path.slice(0, -1), true) : globs([pattern])(path, false)
}

describe('globs', () => {
  it.each([
    ['**', ['a', 'a/b/c', '.x']],
    ['*', ['a', 'a/b', '.x']],
    ['*.png', ['a.png', 'x/y/b.png', '.png']],
    ['/*.png', ['a.png']],
    ['./*.png', ['a.png']],
    ['icons/*.png', ['icons/a.png', 'icons/.png']],
    ['icons/**', ['icons/a', 'icons/a/b']],
    ['**/icons/a', ['icons/a', 'x/icons/a', 'x/y/icons/a']],
    ['a/**/b', ['a/b', 'a/x/b', 'a/x/y/b']],
    ['cache/', ['cache/', 'cache/a', 'x/cache/', 'x/cache/a/b']],
    ['/cache/', ['cache/', 'cache/a/b']],
    ['x/cache/', ['x/cache/', 'x/cache/a']],
    ['a?c', ['abc', 'x/a😀c', 'a.c']],
    ['[a-c]x', ['ax', 'bx', 'y/cx']],
    ['[!a-c]x', ['dx', '-x', '😀x']],
    ['[^a]x', ['bx']],
    ['[]a]x', [']x', 'ax']],
    ['[a-]x', ['ax', '-x']],
    ['[\\]]x', [']x']],
    ['{a,b/c}/d', ['a/d', 'b/c/d']],
    ['*.{png,jp{,e}g}', ['a.png', 'a.jpg', 'x/a.jpeg']],
    ['{a}', ['{a}']],
    ['{a', ['{a']],
    ['a}', ['a}']],
    ['{a,b', ['{a,b']],
    ['[a', ['[a']],
    ['[a/]', ['[a/]']],
    ['a\\*', ['a*', 'x/a*']],
    ['\\{a,b}', ['{a,b}']],
    ['{a\\,b,c}', ['a,b', 'c']],
    ['a\\', ['a\\']],
    ['a**b', ['ab', 'axxb']],
    ['ünï*', ['ünïcode']],
  ])('%s matches', (pattern, paths) => {
    for (const path of paths) expect(matches(pattern, path), path).toBe(true)
  })

  it.each([
    ['*.png', ['a.pngx', 'a.png/b', 'apng']],
    ['/*.png', ['x/a.png']],
    ['icons/*.png', ['x/icons/a.png', 'icons/x/a.png']],
    ['icons/**', ['icons/', 'icons', 'x/icons/a', 'iconsx/a']],
    ['a/**/b', ['ab', 'a/xb', 'x/a/b']],
    ['cache/', ['cache', 'mycache/', 'cache2/a']],
    ['a?c', ['ac', 'a/c', 'abbc']],
    ['[a-c]x', ['dx', 'x', '/x', 'Ax']],
    ['[!a]x', ['ax', 'y/']],
    ['a[!b]c', ['a/c', 'abc']],
    ['{a,b}', ['{a,b}', 'c']],
    ['a\\*', ['ab', 'a\\b']],
    ['a**b', ['a/b']],
    ['', ['a']],
  ])('%s does not match', (pattern, paths) => {
    for (const path of paths) expect(matches(pattern, path), path).toBe(false)
  })

  it('matches if any pattern does, and nothing without patterns', () => {
    expect(globs(['a', 'b'])('b', false)).toBe(true)
    expect(globs([])('b', false)).toBe(false)
  })

  it('agrees with .gitignore, where a directory that matches covers all below', () => {
    const root = testDirectory()
    const paths = [
      'a',
      'b',
      'ab',
      'a.b',
      'd/a',
      'd/b',
      'd/ab',
      'd/e/a',
      'd/e/ab',
      'b.d/a',
      'e/d/a',
      'ad/e/b',
      '-/a',
    ]
    execFileSync('git', ['init', '-q', root])
    writeTree(root, Object.fromEntries(paths.map((path) => [path, ''])))
    const piece = fc.constantFrom(
      'a',
      'b',
      'd',
      'e',
      '.',
      '*',
      '**',
      '***',
      '?',
      '/',
      '**/',
      '/**',
      '[ab]',
      '[!a]',
      '[a-d]',
      '\\a',
    )
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        const pattern = pieces.join('')
        fc.pre(!pattern.includes('//') && pattern !== '/' && !pattern.includes('./'))
        // git cuts a literal beginning off first, and then takes the stars of "a**/b" for a whole component.
        fc.pre(!/[^/*]\*\*/.test(pattern))
        writeFileSync(join(root, '.gitignore'), `${pattern}\n`)
        const options = { cwd: root, input: paths.join('\0'), encoding: 'utf8' } as const
        const ignored = spawnSync('git', ['check-ignore', '--no-index', '--stdin', '-z'], options).stdout
        expect(paths.filter((path) => covers(pattern, path))).toEqual(ignored.split('\0').slice(0, -1))
      }),
      { numRuns: 400 },
    )
  })

  it('stays fast on hostile patterns', () => {
    const path = 'a'.repeat(4000)
    const hostile = [
      `${'*a'.repeat(500)}b`,
      `${'{a,a*}'.repeat(500)}b`,
      `${'**/'.repeat(500)}b`,
      `${'{'.repeat(50_000)}`,
      `${'{a,'.repeat(20_000)}${'}'.repeat(20_000)}`,
      '['.repeat(2000),
      `${'?*'.repeat(1000)}b`,
    ]
    const start = performance.now()
    for (const pattern of hostile) {
      const glob = globs([pattern])
      expect(glob(path, false)).toBe(false)
      expect(glob(`${'a/'.repeat(2000)}c`, false)).toBe(false)
    }
    expect(performance.now() - start).toBeLessThan(20_000)
  })

  it('forgets what it remembers before that grows without bound', () => {
    const glob = globs([`${'*a'.repeat(200)}b`])
    const letters = fc.sample(
      fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 900, maxLength: 1000 }),
      50,
    )
    for (const path of letters) {
      expect(glob(path, false)).toBe(path.endsWith('ab') && path.replaceAll('b', '').length >= 200)
    }
  })
})

/** Whether a pattern matches a file or a directory above it. */
function covers(pattern: string, path: string): boolean {
  const parts = path.split('/')
  const glob = globs([pattern])
  return parts.some((_, index) => glob(parts.slice(0, index + 1).join('/'), index + 1 < parts.length))
}

describe('literalGlob', () => {
  it('matches its path and no other', () => {
    const unit = fc.constantFrom('a', 'b', '*', '?', '[', ']', '{', '}', ',', '\\', '!', '-', '/')
    const path = fc.string({ unit, minLength: 1, maxLength: 8 }).filter((text) => !/^\/|\/$|\/\//.test(text))
    fc.assert(
      fc.property(path, path, (one, other) => {
        expect(globs([literalGlob(one)])(other, false)).toBe(one === other)
        expect(globs([literalGlob(one)])(one, false)).toBe(true)
      }),
    )
  })
})
