/**
 * Globs over paths separated by `/`; pure. A pattern becomes a list of steps that is walked with the set of all
 * places it may be at, so the time is the pattern's length times the path's, whatever the pattern
 * (R. Cox, Regular Expression Matching Can Be Simple And Fast, swtch.com/~rsc/regexp).
 */

import { type Token, type TokenTest, tokens } from './glob-tokens.ts'
import { foldersAbove } from './paths.ts'

/** Whether a path, relative to the source, matches; `directory` tells what is at the path. */
export type Glob = (path: string, directory: boolean) => boolean

/**
 * Whether a path matches any of the patterns.
 *
 * `?` is one character and `*` any number of them, never a `/`; `**` as a whole component is any number of
 * components; `[a-z]` and `[!a-z]` are one character; `{a,b}` is either; `\` takes the next character as it is.
 * A dot is a character like others. A pattern without `/` matches at any depth, one that begins with `/` or
 * `./` from the source; one that ends in `/` matches a directory and all below. What does not pair up, as a
 * lone `[` or `{`, stands for itself.
 */
export function globs(patterns: readonly string[]): Glob {
  const matchers = patterns.map(glob)
  return (path, directory) => {
    const characters = [...path]
    return matchers.some((matches) => matches(characters, directory))
  }
}

/** Whether a path matches any of the patterns, or a directory that it is in does. */
export function globsFromAbove(patterns: readonly string[]): Glob {
  const matches = globs(patterns)
  return (path, directory) =>
    matches(path, directory) || foldersAbove(path).some((folder) => matches(folder, true))
}

/** The pattern that matches this path only; bytes that are not UTF-8, which nobody can type, become `?`. */
export function literalGlob(path: string): string {
  return `/${path.replace(/[*?[\]{},\\]/g, '\\$&').replace(/\p{Surrogate}/gu, '?')}`
}

type Matcher = (characters: readonly string[], directory: boolean) => boolean

function glob(pattern: string): Matcher {
  if (pattern === '**') return () => true
  const body = pattern.replace(/\/$/, '')
  const anchored = body.includes('/') ? body.replace(/^\.?\//, '') : `**/${body}`
  const pieces = tokens(anchored)
  const whole = automaton(steps(pieces))
  if (body === pattern) return whole
  const below = automaton(steps([...pieces, { kind: 'slash' }, { kind: 'rest' }]))
  return (characters, directory) => (directory && whole(characters)) || below(characters)
}

/** Takes a character that passes the test and goes on, or goes to any of some places without one. */
type Step = { test: TokenTest } | { to: number[] }

const slash: Step = { test: (character) => character === '/' }
const noSlash: Step = { test: (character) => character !== '/' }
const anything: Step = { test: () => true }

/** The steps of a pattern; the place behind the last one is the match. */
function steps(pattern: readonly Token[]): Step[] {
  const list: Step[] = []
  const groups: { starts: number[]; exits: number[][] }[] = []
  for (const token of pattern) {
    const at = list.length
    const group = groups.at(-1)
    if (token.kind === 'one') list.push({ test: token.test })
    else if (token.kind === 'slash') list.push(slash)
    else if (token.kind === 'star') list.push(...repeated(at, noSlash))
    else if (token.kind === 'components')
      list.push({ to: [at + 1, at + 5] }, ...repeated(at + 1, anything), slash)
    else if (token.kind === 'rest') list.push(anything, ...repeated(at + 1, anything))
    else if (token.kind === 'open') {
      groups.push({ starts: [at + 1], exits: [] })
      list.push({ to: groups.at(-1)?.starts ?? [] })
    } else if (token.kind === 'comma') {
      const exit: number[] = []
      group?.exits.push(exit)
      group?.starts.push(at + 1)
      list.push({ to: exit })
    } else for (const exit of groups.pop()?.exits ?? []) exit.push(at)
  }
  return list
}

/** A step taken any number of times, from place `at` on: three steps. */
function repeated(at: number, step: Step): Step[] {
  return [{ to: [at + 1, at + 3] }, step, { to: [at] }]
}

/** All places that a pattern may be at after some characters, and where each further character led so far. */
interface State {
  places: ReadonlySet<number>
  next: Map<string, State>
}

/** The places of all remembered states together, beyond which all are forgotten: some megabytes. */
const mostRemembered = 100_000

/** The test of a pattern. States are made when first met: each costs the pattern's length, a known one nothing. */
function automaton(list: readonly Step[]): (characters: readonly string[]) => boolean {
  let states = new Map<string, State>()
  let remembered = 0

  function stateAt(from: readonly number[]): State {
    const places = reached(list, from)
    const key = [...places].join()
    remembered += states.has(key) ? 1 : places.size
    if (remembered > mostRemembered) {
      states = new Map()
      remembered = 0
    }
    const state = states.get(key) ?? { places, next: new Map() }
    states.set(key, state)
    return state
  }

  function following(state: State, character: string): State {
    const next = stateAt(taken(list, state.places, character))
    state.next.set(character, next)
    return next
  }

  return (characters) => {
    let state = states.get('start') ?? stateAt([0])
    states.set('start', state)
    for (const character of characters) {
      state = state.next.get(character) ?? following(state, character)
      if (state.places.size === 0) return false
    }
    return state.places.has(list.length)
  }
}

/** The places behind those whose test takes the character. */
function taken(list: readonly Step[], places: ReadonlySet<number>, character: string): number[] {
  const next: number[] = []
  for (const place of places) {
    const step = list[place]
    if (step !== undefined && 'test' in step && step.test(character)) next.push(place + 1)
  }
  return next
}

/** The places themselves and those that need no further character; a set may grow while it is iterated. */
function reached(list: readonly Step[], from: readonly number[]): ReadonlySet<number> {
  const places = new Set(from)
  for (const place of places) {
    const step = list[place]
    if (step !== undefined && 'to' in step) for (const to of step.to) places.add(to)
  }
  return places
}
