/** What flags and arguments may be, beyond what commander and the settings know. */

import { isAbsolute } from 'node:path'
import type { Command } from 'commander'
import { authorProblem, lineProblem } from '../config/settings-checks.ts'
import { hasErrno, RowbackError } from '../errors.ts'
import { isRelativePath } from '../git/remote-url.ts'

/** A flag or an argument as messages name it, and what is given for it. */
interface Given {
  name: string
  values: string[]
}

function given(command: Command): Given[] {
  const texts = (value: unknown): string[] => [value].flat().filter((text) => typeof text === 'string')
  const named = command.registeredArguments.map((argument, index) => ({
    name: argument.name().toUpperCase(),
    values: texts(command.processedArgs[index]),
  }))
  const flags = command.options.map((option) => ({
    name: option.long ?? option.flags,
    values: texts(command.getOptionValue(option.attributeName())),
  }))
  return [...named, ...flags]
}

/** Throws a `usage` error for an empty value: as a path it would be the working directory, which nobody has named. */
export function refuseEmpty(command: Command): void {
  const empty = given(command).find(({ values }) => values.includes(''))
  if (empty === undefined) return
  throw new RowbackError('usage', `read ${empty.name} "": is empty`, {
    hint: 'give it a value; a variable that is not set gives none',
  })
}

/** What names a place of this machine, and what may. */
const paths = new Set(['SOURCE', 'DIR', '--config', '--repo', '--to', '--output', '--extension'])
const addresses = new Set(['URL', '--remote'])

/**
 * Goes elsewhere where the working directory has been removed: programs that are started need one. Throws a `usage` error
 * where a path starts there.
 */
export function leaveLostDirectory(command: Command): void {
  if (hasDirectory()) return
  for (const { name, values } of given(command))
    for (const value of values)
      if (addresses.has(name) ? isRelativePath(value) : paths.has(name) && !isAbsolute(value))
        throw new RowbackError(
          'usage',
          `read ${name} ${JSON.stringify(value)}: the working directory, where it starts, is gone; nothing was done`,
          { hint: 'cd to a directory, or give the whole path' },
        )
  process.chdir('/')
}

function hasDirectory(): boolean {
  try {
    process.cwd()
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return false
    throw error
  }
}

/** The value of --name; throws a `usage` error for what the setting `name` cannot be. */
export function parseName(text: string): string {
  return checked('--name', text, lineProblem(text))
}

/** The value of --author; throws a `usage` error for what the setting `author` cannot be. */
export function parseAuthor(text: string): { name: string; email: string } {
  const [, name, email] = /^([^<>\n]+) <([^<>\n]*)>$/.exec(text) ?? []
  if (name === undefined || email === undefined) throw refusal('--author', text, 'it is not "Name <address>"')
  checked('--author', text, authorProblem(name) ?? authorProblem(email))
  return { name: name.trim(), email }
}

/** The last second of the year 9999, the last one that ISO 8601 can write. */
const lastTime = 253_402_300_799

/**
 * The value of --time in seconds since 1970: such a number, or ISO 8601. Throws a `usage` error for anything else, and for
 * digits that are a date without its hyphens, or milliseconds.
 */
export function parseTime(text: string): number {
  const refuse = (problem: string, hint: string) => refusal('--time', text, problem, `--time ${hint}`)
  const [, year, month, day] = /^((?:19|20)\d\d)(0[1-9]|1[0-2])([0-2]\d|3[01])(?:\d{6})?$/.exec(text) ?? []
  if (year !== undefined) throw refuse('it is a date without its hyphens', `${year}-${month}-${day}`)
  const time = /^\d+$/.test(text) ? Number(text) : isoSeconds(text)
  if (time === undefined || time < 0) throw refuse('it is no time since 1970', '2026-01-31T12:00:00Z')
  if (time <= lastTime) return time
  if (text.length !== 13) throw refuse('it is later than the year 9999', '2026-01-31T12:00:00Z')
  throw refuse('it is later than the year 9999, as milliseconds are', text.slice(0, 10))
}

/** A date, which is its midnight in UTC, or a date and a time in the zone that is given; without one it is that of this machine. */
const isoTime =
  /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?) ?(?:(Z)|([+-]\d\d)(?::?(\d\d))?)?)?$/

/** Whole seconds since 1970 of ISO 8601 in its extended form; undefined for what is none, or names a day that is none. */
function isoSeconds(text: string): number | undefined {
  const [, date, time, utc = '', hours, minutes = '00'] = isoTime.exec(text) ?? []
  if (date === undefined) return undefined
  const midnight = Date.parse(date)
  // A day that its month does not have is taken for one of the next.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(date)) return undefined
  const zone = hours === undefined ? utc : `${hours}:${minutes}`
  const found = time === undefined ? midnight : Date.parse(`${date}T${time}${zone}`)
  return Number.isNaN(found) ? undefined : Math.floor(found / 1000)
}

function checked(flag: string, text: string, problem: string | undefined): string {
  if (problem !== undefined) throw refusal(flag, text, problem)
  return text
}

function refusal(flag: string, text: string, problem: string, hint?: string): RowbackError {
  return new RowbackError('usage', `read ${flag} ${JSON.stringify(text)}: ${problem}`, { hint })
}
