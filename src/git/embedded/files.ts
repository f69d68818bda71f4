/** The file systems that isomorphic-git gets to see. */

import fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { draftBeside } from '../../drafts.ts'
import { syncDirectory, syncFile } from '../../durable.ts'

/** One that is only read: a push would note what a remote of a made-up name has. */
export const readOnlyFiles = {
  promises: { ...fs, writeFile: async () => {}, mkdir: async () => undefined, unlink: async () => {} },
}

/** One without loose objects: isomorphic-git looks for these first, git for packs. */
export const packedFiles = {
  promises: {
    ...readOnlyFiles.promises,
    readFile: async (...[file, options]: Parameters<typeof fs.readFile>) => {
      if (!/\/objects\/[0-9a-f]{2}\/[0-9a-f]{38}$/.test(String(file))) return fs.readFile(file, options)
      throw Object.assign(new Error(`${file} is left out`), { code: 'ENOENT' })
    },
  },
}

/**
 * One for settings. isomorphic-git makes booleans of some that are named in lower case, and throws for what else git takes there; named
 * in upper case, which is the same (git-config(1)), they are given as they are written.
 */
export const settingFiles = {
  promises: {
    ...readOnlyFiles.promises,
    readFile: async (file: string) => inUpperCase(await fs.readFile(file, 'utf8')),
  },
}

/** Settings with their names in upper case; a line behind a backslash goes on with a value. */
function inUpperCase(settings: string): string {
  return settings.replace(/(?<![^\n])(?<!\\\n)[ \t]*[a-z][a-z0-9-]*/gi, (name) => name.toUpperCase())
}

/** One in which a file is replaced as a whole, and stays so after a power cut. */
export const durableFiles = { promises: { ...fs, writeFile: writeDurably } }

/** Replaces a file by a new one with that text. */
export async function writeDurably(file: string, text: string | Uint8Array): Promise<void> {
  const draft = draftBeside(file, 'new')
  try {
    await fs.writeFile(draft, text, { flag: 'wx' })
    await syncFile(draft)
    await fs.rename(draft, file)
    await syncDirectory(dirname(file))
  } finally {
    await fs.rm(draft, { force: true })
  }
}
