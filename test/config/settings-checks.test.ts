import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { branchProblem, globProblem } from '../../src/config/settings-checks.ts'

/** Names that are valid below `refs/heads/`, yet not as the name of a branch: git-check-ref-format(1), --branch. */
const noBranches = /^-|^HEAD$|^@$/

function gitAccepts(branch: string): boolean {
  return spawnSync('git', ['check-ref-format', `refs/heads/${branch}`]).status === 0
}

it('accepts the names of branches that git accepts, and no others', () => {
  const piece = fc.constantFrom(
    'a',
    'B',
    '.',
    '..',
    '/',
    '.lock',
    '@',
    '{',
    '-',
    ' ',
    '~',
    '^',
    ':',
    '\\',
    'é',
    '😀',
  )
  const control = fc.constantFrom('\x01', '\x7f', '?', '*', '[', ']', 'HEAD', '\u0085')
  const branch = fc.array(fc.oneof({ weight: 8, arbitrary: piece }, control), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(branch, (pieces) => {
      const name = pieces.join('')
      expect(branchProblem(name) === undefined).toBe(gitAccepts(name) && !noBranches.test(name))
    }),
    { numRuns: 400 },
  )
})

it.each(['main', 'hosts/nas-1', 'v1.0', 'ünï', 'a@b'])('accepts the branch %s', (branch) => {
  expect(branchProblem(branch)).toBeUndefined()
})

it.each([
  '',
  '-x',
  'HEAD',
  '@',
  'a b',
  'a..b',
  'a.lock',
  '.a',
  'a/',
  '/a',
  'a//b',
  'a@{1}',
  'a\\b',
  '\ud800',
])('refuses the branch %j', (branch) => {
  expect(branchProblem(branch)).toBeTypeOf('string')
})

it.each(['.', './', '/', './.', 'a//b', '//', 'a/./b', '/a/.'])(
  'accepts no glob that matches nothing: %s',
  (glob) => {
    expect(globProblem(glob)).toBe(
      'matches nothing: paths below the source have no part that is empty or "."',
    )
  },
)

it.each(['**', './a', '/a', 'a/', '/a/b/', '.a', 'a.', '*.', '..a', 'a/.b/**'])(
  'accepts the glob %s',
  (glob) => {
    expect(globProblem(glob)).toBeUndefined()
  },
)
