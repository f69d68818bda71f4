import { expect, test } from 'vitest'
import { identityLine, parseCommit } from '../../src/git/commit.ts'

const oid = '1'.repeat(40)

function raw(message: string, ...headers: string[]): Buffer {
  const all = [
    `tree ${'2'.repeat(40)}`,
    ...headers,
    'author Ada <a@b> 12 +0100',
    'committer Bob <b@b> 13 +0000',
  ]
  return Buffer.from(`${all.join('\n')}\n\n${message}`)
}

test('parseCommit reads headers, subject and trailers', () => {
  const message =
    'app: 12 rows\nadded\n\nusers: 12\n\nRowback-Format: 1\nRows: 12\nNote: first\n  second\nRows: 13\n'
  const commit = parseCommit(oid, raw(message, `parent ${'3'.repeat(40)}`, `parent ${'4'.repeat(40)}`))
  expect(commit).toEqual({
    oid,
    tree: '2'.repeat(40),
    parents: ['3'.repeat(40), '4'.repeat(40)],
    author: { name: 'Ada', email: 'a@b', time: 12, timezone: '+0100' },
    message,
    subject: 'app: 12 rows added',
    trailers: new Map([
      ['Rowback-Format', '1'],
      ['Rows', '13'],
      ['Note', 'first second'],
    ]),
  })
})

test('parseCommit takes neither a subject nor prose for trailers, and no signature for the message', () => {
  expect(parseCommit(oid, raw('fix: this\n')).trailers).toEqual(new Map())
  expect(parseCommit(oid, raw('a\n\nKey: value\nand prose\n')).trailers).toEqual(new Map())
  const signed = raw('signed\n', 'gpgsig -----BEGIN-----\n \n author Eve <e@e> 1 +0000\n -----END-----')
  expect(parseCommit(oid, signed)).toMatchObject({ subject: 'signed', author: { name: 'Ada' } })
})

test('parseCommit reads a commit without a message, and refuses what is no commit', () => {
  expect(parseCommit(oid, raw(''))).toMatchObject({ message: '', subject: '' })
  expect(() => parseCommit(oid, Buffer.from('tree x\n'))).toThrow(`read commit ${oid}: it is malformed`)
})

test.each([
  { name: '', email: 'a@b' },
  { name: 'A <x>', email: 'a@b' },
  { name: 'A', email: 'a\nb' },
  { name: ' A', email: 'a@b' },
])('identityLine refuses $name $email', (identity) => {
  expect(() => identityLine(identity, 1)).toThrow('git cannot store it')
})

test('identityLine refuses a time that is no whole second', () => {
  for (const time of [-1, 1.5, Number.NaN])
    expect(() => identityLine({ name: 'A', email: 'a@b' }, time)).toThrow('use time')
})
