/**
 * Refs as files, as git keeps them (gitrepository-layout(5), git-pack-refs(1)). One is moved with its lock file, as git does
 * it, and is durable when that is done. Every function throws an Error whose text is the cause.
 */

import { rmSync } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, sep } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { syncDirectory } from '../../durable.ts'
import { errorText, hasErrno, RowbackError } from '../../errors.ts'
import { removeHollowFolder } from '../../folders.ts'
import { onInterrupt } from '../../interrupt.ts'
import { appendLogs, type LogEntry } from './reflog.ts'

/** How long the lock of another git is waited for, and how often it is asked for. */
const patienceMs = 10_000
const pollMs = 50

const noCommit = '0'.repeat(40)

/** The error of a ref whose file holds no id, as after a power cut. */
class BrokenRef extends Error {
  override readonly name = 'BrokenRef'
}

/** What a ref points at, through symbolic ones; undefined if there is no such ref. */
export async function readRef(gitDir: string, ref: string, depth = 5): Promise<string | undefined> {
  const text = await looseText(gitDir, ref)
  if (text === undefined) return (await packedRefs(gitDir)).get(ref)
  if (/^[0-9a-f]{40}\s*$/.test(text) && !text.startsWith(noCommit)) return text.slice(0, 40)
  const target = symbolicTarget(text)
  if (target === undefined || depth === 0) throw new BrokenRef(`ref ${ref} is broken`)
  return readRef(gitDir, target, depth - 1)
}

/** What the file of a ref holds; undefined if there is none. */
async function looseText(gitDir: string, ref: string): Promise<string | undefined> {
  return await readFile(join(gitDir, ref), 'utf8').catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR')) return undefined
    throw error
  })
}

/** The ref that the text of a symbolic one names. Only ASCII white space is no part of a name (git-check-ref-format(1)). */
function symbolicTarget(text: string): string | undefined {
  return /^ref:[ \t]*(refs\/[^ \t\r\n]+)[ \t\r\n]*$/.exec(text)?.[1]
}

/** The refs below a folder, such as `refs/heads/`, by full name and in order. */
export async function listRefs(gitDir: string, folder: string): Promise<Map<string, string>> {
  const { refs, broken } = await readRefs(gitDir, folder)
  for (const error of broken.values()) throw error
  return refs
}

/**
 * All refs that can be read, and the names of those whose files hold no id, as after a power cut. Throws
 * RowbackError('repository') where this user may not read them.
 */
export async function soundRefs(gitDir: string): Promise<{ oids: string[]; broken: string[] }> {
  try {
    const { refs, broken } = await readRefs(gitDir, 'refs/')
    return { oids: [...refs.values()], broken: [...broken.keys()] }
  } catch (cause) {
    throw new RowbackError('repository', `read refs of ${gitDir}: ${errorText(cause)}`, { cause })
  }
}

async function readRefs(
  gitDir: string,
  folder: string,
): Promise<{ refs: Map<string, string>; broken: Map<string, BrokenRef> }> {
  const refs = new Map<string, string>()
  const broken = new Map<string, BrokenRef>()
  for (const name of await refNames(gitDir, folder))
    try {
      const oid = await readRef(gitDir, name)
      if (oid !== undefined) refs.set(name, oid)
    } catch (error) {
      if (!(error instanceof BrokenRef)) throw error
      broken.set(name, error)
    }
  return { refs, broken }
}

/** The names of refs below a folder, in order, whatever is in them. */
async function refNames(gitDir: string, folder: string): Promise<string[]> {
  const under = folder.endsWith('/') ? folder : `${folder}/`
  const names = new Set((await packedRefs(gitDir)).keys())
  const loose = await readdir(join(gitDir, under), { recursive: true, withFileTypes: true }).catch(
    (error: unknown) => {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return []
      throw error
    },
  )
  for (const entry of loose)
    if (entry.isFile() && !entry.name.endsWith('.lock'))
      names.add(
        join(entry.parentPath, entry.name)
          .slice(gitDir.length + 1)
          .replaceAll(sep, '/'),
      )
  return [...names].filter((name) => name.startsWith(under)).sort()
}

async function packedRefs(gitDir: string): Promise<Map<string, string>> {
  const text = await readFile(join(gitDir, 'packed-refs'), 'utf8').catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return ''
    throw error
  })
  const lines = text.split('\n').filter((line) => /^[0-9a-f]{40} /.test(line))
  return new Map(lines.map((line) => [line.slice(41), line.slice(0, 40)]))
}

/** The error of a ref that is not where it should be. */
export class RefMoved extends Error {
  override readonly name = 'RefMoved'
  readonly tip: string | undefined

  constructor(ref: string, tip: string | undefined) {
    super(`cannot lock ref '${ref}': it is at ${tip ?? 'no commit'}`)
    this.tip = tip
  }
}

export interface RefMove {
  ref: string
  oid: string
  /** What the ref must point at, or null where it must not exist; anything without it. */
  expected?: string | null
  /** What the reflog says, if there is one to be kept. */
  log?: LogEntry | undefined
}

/**
 * Points a ref at a commit, in one step. A symbolic one leads to that which moves, as with git-update-ref(1); `through` are those
 * that have led to this one, and log the move, too. Throws RefMoved where it is not as expected.
 */
export async function moveRef(gitDir: string, move: RefMove, through: readonly string[] = []): Promise<void> {
  const { ref, oid, expected, log } = move
  await refuseConflict(gitDir, ref)
  const file = join(gitDir, ref)
  await makeFolders(gitDir, dirname(file))
  await withLock(file, `cannot lock ref '${ref}'`, async (lock, place) => {
    const before = await readRef(gitDir, ref)
    if (expected !== undefined && before !== (expected ?? undefined)) throw new RefMoved(ref, before)
    const names = [...through, ref]
    const target = symbolicTarget((await looseText(gitDir, ref)) ?? '')
    if (target !== undefined) return moveRef(gitDir, { ...move, ref: target }, names)
    await removeHollowFolder(file)
    await lock.writeFile(`${oid}\n`)
    await lock.sync()
    if (log) await appendLogs(gitDir, await withHead(gitDir, names), `${before ?? noCommit} ${oid}`, log)
    await place()
  })
}

/** The names, and HEAD where that means one of them. */
async function withHead(gitDir: string, names: readonly string[]): Promise<readonly string[]> {
  const target = symbolicTarget((await looseText(gitDir, 'HEAD')) ?? '')
  return target !== undefined && names.includes(target) ? [...names, 'HEAD'] : names
}

/** A ref cannot be the folder of another one. */
async function refuseConflict(gitDir: string, ref: string): Promise<void> {
  const other = (await refNames(gitDir, 'refs/')).find(
    (name) => name.startsWith(`${ref}/`) || ref.startsWith(`${name}/`),
  )
  if (other !== undefined) throw new Error(`cannot lock ref '${ref}': '${other}' exists`)
}

/** Makes the folder of a ref; its name in the one above is synced, too. */
async function makeFolders(gitDir: string, folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let made = folder; made.length >= first.length && made !== gitDir; made = dirname(made))
    await syncDirectory(dirname(made))
}

/** Removes a ref; nothing happens where there is none. */
export async function removeRef(gitDir: string, ref: string): Promise<void> {
  if ((await readRef(gitDir, ref).catch(() => '')) === undefined) return
  const file = join(gitDir, ref)
  await makeFolders(gitDir, dirname(file))
  await withLock(file, `cannot lock ref '${ref}'`, async () => {
    if ((await packedRefs(gitDir)).has(ref)) await unpackRef(gitDir, ref)
    await removeHollowFolder(file)
    await rm(file, { force: true })
    await rm(join(gitDir, 'logs', ref), { force: true })
    await syncDirectory(dirname(file))
  })
}

/** Writes the packed refs without one, and without the line that says what a tag of that name leads to. */
async function unpackRef(gitDir: string, ref: string): Promise<void> {
  const file = join(gitDir, 'packed-refs')
  await withLock(file, 'cannot lock the packed refs', async (lock, place) => {
    const lines = (await readFile(file, 'utf8')).split('\n')
    const at = lines.findIndex((line) => line.slice(41) === ref)
    if (at >= 0) lines.splice(at, lines[at + 1]?.startsWith('^') ? 2 : 1)
    await lock.writeFile(lines.join('\n'))
    await lock.sync()
    await place()
  })
}

/** Runs `use` with the lock file of a file; what it writes there takes the file's place when it calls `place`. */
async function withLock(
  file: string,
  what: string,
  use: (lock: FileHandle, place: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const path = `${file}.lock`
  const lock = await takeLock(path, what)
  const forget = onInterrupt(() => rmSync(path, { force: true }))
  let isPlaced = false
  try {
    await use(lock, async () => {
      await rename(path, file)
      isPlaced = true
      await syncDirectory(dirname(file))
    })
  } finally {
    forget()
    await lock.close()
    if (!isPlaced) await rm(path, { force: true })
  }
}

async function takeLock(path: string, what: string): Promise<FileHandle> {
  for (const givesUpAt = performance.now() + patienceMs; ; await sleep(pollMs)) {
    try {
      return await open(path, 'wx')
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error
      if (performance.now() > givesUpAt)
        throw new Error(`${what}: Unable to create '${path}': File exists`, { cause: error })
    }
  }
}
