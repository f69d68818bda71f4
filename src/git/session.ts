/**
 * The private repository that new packs are made in. It borrows the objects of the real one, so a dropped session leaves
 * nothing behind but its own folder, and no setting of the real one changes what is written.
 */

import { readdir, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncDirectory } from '../durable.ts'
import { makeFolders } from '../folders.ts'
import { makeWorkDir, removeWorkDir, type WorkDirs } from './work-dir.ts'

/** What git is to do in it, and why. */
const config = `[core]
	repositoryFormatVersion = 0
	bare = true
# Two paths that differ in case are two files, even on a disk that cannot hold both.
	ignoreCase = false
# A backup must survive a power cut.
	fsync = all
# Git looks into the pack of blobs in the order in which it was written, and would map all of it for that.
	packedGitWindowSize = 1m
	packedGitLimit = 16m
[fastimport]
# One pack moves in one step, loose objects do not.
	unpackLimit = 0
[pack]
# Deltas are left to the upkeep.
	depth = 0
# One session, one pack.
	packSizeLimit = 0
`

/** Makes a session's repository for the real one at `gitDir`, and returns its git directory. */
export async function makeSession(gitDir: string, whose: WorkDirs = 'tmp'): Promise<string> {
  const session = await makeWorkDir(gitDir, whose)
  try {
    await fillSession(session)
    return session
  } catch (error) {
    await removeWorkDir(session)
    throw error
  }
}

async function fillSession(session: string): Promise<void> {
  await makeGitDirectory(session, 'session')
  await writeFile(join(session, 'config'), config)
  // Relative to objects/, so that no path has to be quoted (gitrepository-layout(5)).
  await writeFile(join(session, 'objects', 'info', 'alternates'), '../../../../objects\n')
}

/** Makes an empty repository, whose HEAD is that branch. */
export async function makeGitDirectory(dir: string, branch: string): Promise<void> {
  await makeFolders(join(dir, 'refs'))
  await makeFolders(join(dir, 'objects', 'info'))
  await makeFolders(packFolder(dir))
  await writeFile(join(dir, 'HEAD'), `ref: refs/heads/${branch}\n`)
}

/** The folder of a git directory's packs. */
export function packFolder(gitDir: string): string {
  return join(gitDir, 'objects', 'pack')
}

/** Moves what a session wrote into the real repository, where no ref names it yet. */
export async function publishObjects(session: string, gitDir: string): Promise<void> {
  const from = packFolder(session)
  const to = packFolder(gitDir)
  await makeFolders(to)
  const files = (await readdir(from)).filter((file) => file.startsWith('pack-'))
  // The index comes last: git takes a pack for complete as soon as it sees that.
  files.sort((a, b) => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx')))
  for (const file of files) await rename(join(from, file), join(to, file))
  // The ref that will name them may reach the disk before these names do, and outlive a power cut without them.
  for (const folder of [to, dirname(to), gitDir]) await syncDirectory(folder)
}
