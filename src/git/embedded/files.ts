/** The file systems that isomorphic-git gets to see. */

import fs from 'node:fs/promises'
import { dirname } from 'node:path'
import { draftBeside } from '../../drafts.ts'
import { syncDirectory, syncFile } from '../../durable.ts'

/** One that is only read: a push would note what a remote of a made-up name has. */
export const readOnlyFiles = {
  promises: { ...fs, writeFile: async () => {}, mkdir: async () => undefined, unlink: async () => {} },
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
