import { expect, test } from 'vitest'
import { parseAuthor, parseTime } from '../../src/cli/arguments.ts'

/** What is said of a text, with the hint. */
function refused(text: string): string {
  try {
    return String(parseTime(text))
  } catch (error) {
    const { message, hint } = error as { message: string; hint: string }
    return `${message.replace(`read --time ${JSON.stringify(text)}: `, '')} → ${hint}`
  }
}

const noon = Date.UTC(2026, 0, 31, 12) / 1000

test.each([
  ['0', 0],
  ['99999999', 99_999_999],
  ['1769860800', noon],
  ['253402300799', 253_402_300_799],
  ['2026-01-31', noon - 12 * 3600],
  ['2024-02-29', Date.UTC(2024, 1, 29) / 1000],
  ['2026-01-31T12:00Z', noon],
  ['2026-01-31T12:00:00Z', noon],
  ['2026-01-31T12:00:00.999Z', noon],
  ['2026-01-31T13:00:00+01:00', noon],
  ['2026-01-31T13:00:00+0100', noon],
  ['2026-01-31T07:00-05', noon],
  ['2026-01-31 13:00:00 +0100', noon],
  ['2026-01-31T12:00:00', new Date(2026, 0, 31, 12).getTime() / 1000],
])('--time %s is a time', (text, seconds) => {
  expect(parseTime(text)).toBe(seconds)
})

test.each([
  'teatime',
  '3/4/2025',
  'Jan 1 2026',
  '2026-01',
  '2026-1-31',
  '2026-02-30',
  '2026-13-01',
  '2026-01-31T25:00Z',
  '2026-01-31T12:00:61Z',
  '2026-01-31T12:00+25:00',
  '2026-01-31T12',
  '2026-01-31Z',
  '1969-12-31T23:59:59Z',
  '-1',
  '1e9',
  '0x10',
  ' 1',
  '1.5',
])('--time %s is none', (text) => {
  expect(refused(text)).toBe('it is no time since 1970 → --time 2026-01-31T12:00:00Z')
})

test('digits that are a date or milliseconds are refused with what was meant', () => {
  expect(refused('20260131')).toBe('it is a date without its hyphens → --time 2026-01-31')
  expect(refused('20260131120000')).toBe('it is a date without its hyphens → --time 2026-01-31')
  expect(refused('1769860800000')).toBe(
    'it is later than the year 9999, as milliseconds are → --time 1769860800',
  )
  for (const text of ['253402300800', '99999999999999', '9999-12-31T23:59:59-01:00'])
    expect(refused(text)).toBe('it is later than the year 9999 → --time 2026-01-31T12:00:00Z')
})

test('--author is a name and an address', () => {
  expect(parseAuthor('Ada Lovelace <ada@example.org>')).toEqual({
    name: 'Ada Lovelace',
    email: 'ada@example.org',
  })
})
