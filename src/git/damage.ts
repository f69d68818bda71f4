/** Finds objects of a repository that are damaged or missing: each is read and hashed by git itself (git-fsck(1)). */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { RowbackError } from '../errors.ts'
import { looseFile } from './loose-object.ts'
import { git, gitCause, mapsLittle } from './run.ts'

export interface Damage {
  /** Ids of objects, as far as git could tell which. */
  objects: string[]
  /** Names of packs, as `pack-<digits>`. */
  packs: string[]
  /** Files of objects, relative to the git directory. */
  loose: string[]
  /** What git says, a line each. */
  lines: string[]
}

/**
 * What is damaged in the objects of a git directory, indexes of packs included; undefined if nothing is. What git has noted
 * beside them, and could make anew, is removed where that alone is wrong. Throws RowbackError('repository') where git did not
 * come to the end, or says nothing of any object.
 */
export async function findDamage(gitDir: string): Promise<Damage | undefined> {
  if (isSound(await readAll(gitDir, []))) return undefined
  // An upkeep may have joined packs since git listed them, too.
  const checked = await readAll(gitDir, noNotes)
  if (!isSound(checked)) return damageIn(gitDir, checked)
  await removeNotes(gitDir)
  return undefined
}

const noNotes = ['-c', 'core.commitGraph=false', '-c', 'core.multiPackIndex=false']

/** Where they cannot be removed, the next check says it again. */
async function removeNotes(gitDir: string): Promise<void> {
  const notes = [
    ['info', 'commit-graph'],
    ['info', 'commit-graphs'],
    ['pack', 'multi-pack-index'],
  ]
  for (const names of notes)
    await rm(join(gitDir, 'objects', ...names), { recursive: true, force: true }).catch(() => {})
}

type Checked = Awaited<ReturnType<typeof git>>

async function readAll(gitDir: string, settings: readonly string[]): Promise<Checked> {
  const only = ['--full', '--no-dangling', '--no-progress', '--no-reflogs']
  return git(gitDir, [...mapsLittle, ...settings, 'fsck', ...only], { stderrChars: mostSaid })
}

/** A line for each of half a million objects. */
const mostSaid = 2 ** 26

/** What git's exit code is made of where an object or a ref is not as it should be (builtin/fsck.c): 2 is for either. */
const badObject = 1 | 4
const badRef = 2 | 8

/** Whether git dislikes nothing but how objects are worded, or refs. */
function isSound({ code, stdout, stderr }: Checked): boolean {
  if (code === 0) return true
  const all = linesOf(stdout, stderr)
  const isTold = all.some((line) => isOfFormat(line) || isOfRef(line))
  const isLost = all.some((line) => isProblem(line) || line.startsWith('broken link'))
  return (code & ~(badObject | badRef)) === 0 && stderr.length < mostSaid && isTold && !isLost
}

function linesOf(stdout: Buffer, stderr: string): string[] {
  return `${stdout}\n${stderr}`.split('\n').map((line) => line.trim())
}

/** What git says is damaged, where it was not kept from looking. */
function damageIn(gitDir: string, checked: Checked): Damage {
  const lines = linesOf(checked.stdout, checked.stderr)
  const problems = [...new Set(lines.filter((line) => isProblem(line) && !isOfMachine.test(line)))]
  const [signal] = /git was ended by SIG(?:KILL|TERM|INT|HUP)$/.exec(checked.stderr) ?? []
  if (signal || problems.length === 0)
    throw new RowbackError('repository', `read the objects of ${gitDir}: ${signal ?? gitCause(checked)}`)
  const text = problems.join('\n')
  const loose = matches(text, /objects\/([0-9a-f]{2}\/[0-9a-f]{38})\b/g).map((path) => path.replace('/', ''))
  const named = matches(text, /(?<!pack-|[0-9a-f])([0-9a-f]{40})(?![0-9a-f])/g).filter(isObject)
  const objects = [...new Set([...named, ...loose])]
  return {
    objects,
    packs: matches(text, /\b(pack-[0-9a-f]{40})\b/g),
    loose: objects.map(looseFile),
    lines: problems,
  }
}

/** A tree may name this one, and a ref; nothing has it. */
const isObject = (oid: string) => oid !== '0'.repeat(40)

/** A broken link begins at an object that is whole. */
function isProblem(line: string): boolean {
  return /^(?:error|fatal|missing)\b/.test(line) && !isOfFormat(line) && !isOfRef(line)
}

/**
 * Whether git dislikes how an object is worded (git-fsck(1), FSCK MESSAGES), as old importers have left some. It has read such
 * an object, and its id is right. Of one that it cannot make sense of it says more, in other lines.
 */
function isOfFormat(line: string): boolean {
  return /^error in (?:commit|tag|tree|blob) [0-9a-f]{40}: [a-zA-Z]+: /.test(line)
}

/** Whether a ref is broken, or leads to what no ref of its kind should: no object is damaged by that; see `brokenRefs`. */
function isOfRef(line: string): boolean {
  return /^error: (?:invalid \S*HEAD$|refs\/[^:\s]+: (?:invalid sha1 pointer 0{40}$|not a commit$|[a-zA-Z]+: ))/.test(
    line,
  )
}

/** What git lacked, and not the repository. */
const isOfMachine = /out of memory|: (?:Cannot allocate memory|Resource temporarily unavailable)$/i

function matches(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map(([, found]) => found as string))]
}

/** Where the history of a branch has these files: paths by id, as far as its trees can be read. */
export async function pathsOf(
  gitDir: string,
  branch: string,
  oids: readonly string[],
): Promise<Map<string, string>> {
  const form = ['--raw', '--no-abbrev', '--no-renames', '--root', '-r', '-z', '--format=']
  const listed = await git(gitDir, ['log', ...form, `refs/heads/${branch}`, '--'])
  const wanted = new Set(oids)
  // Of each change: `:<mode> <mode> <old id> <new id> <kind>`, NUL, the path, NUL.
  const changes = listed.stdout.toString().matchAll(/:\d+ \d+ ([0-9a-f]+) ([0-9a-f]+) \w\0([^\0]+)/g)
  return new Map(
    [...changes]
      .flatMap(([, old = '', now = '', path = '']): [string, string][] => [
        [old, path],
        [now, path],
      ])
      .filter(([oid]) => wanted.has(oid)),
  )
}

/** The error that names what is damaged. */
export function damageError(
  dir: string,
  { objects, lines }: Damage,
  paths: ReadonlyMap<string, string>,
  { remedy, hint }: { remedy: string; hint: string | undefined },
): RowbackError {
  const named = objects.map((oid) => (paths.has(oid) ? `${oid} (${paths.get(oid)})` : oid))
  const shown = (named.length > 0 ? named : lines).slice(0, mostShown)
  const more = Math.max(named.length, shown.length) - shown.length
  const rest = more > 0 ? [`and ${more} more`] : []
  return new RowbackError(
    'repository',
    `verify ${dir}: objects are damaged or missing, ${remedy}${[...shown, ...rest].map((line) => `\n  ${line}`).join('')}`,
    { hint, result: { damage: { objects, lines } } },
  )
}

const mostShown = 20
