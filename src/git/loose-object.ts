/** Objects that are a file each: `objects/<two digits>/<the others>` (gitrepository-layout(5)). */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createInflate } from 'node:zlib'
import { errorText, hasErrno, RowbackError } from '../errors.ts'

/** The file of an object, relative to the git directory. */
export function looseFile(oid: string): string {
  return join('objects', oid.slice(0, 2), oid.slice(2))
}

/** The files of all loose objects of a git directory, relative to it. */
export async function looseObjects(gitDir: string): Promise<string[]> {
  const folders = (await readdir(join(gitDir, 'objects')).catch(() => [])).filter((name) =>
    /^[0-9a-f]{2}$/.test(name),
  )
  const listed = folders.map(async (folder) =>
    (await readdir(join(gitDir, 'objects', folder))).map((name) => join('objects', folder, name)),
  )
  return (await Promise.all(listed)).flat().filter((file) => /\/[0-9a-f]{38}$/.test(file))
}

/**
 * Whether a file holds the object that its name says, and nothing behind it. Throws RowbackError('repository') where this user
 * may not read it, which says nothing of the object.
 */
export async function isWholeObject(file: string): Promise<boolean> {
  const oid = basename(dirname(file)) + basename(file)
  const hash = createHash('sha1')
  const inflate = createInflate()
  try {
    await pipeline(createReadStream(file), inflate, async (content) => {
      for await (const bytes of content) hash.update(bytes as Buffer)
    })
    return hash.digest('hex') === oid && inflate.bytesWritten === (await stat(file)).size
  } catch (error) {
    if (!hasErrno(error, 'EACCES', 'EPERM')) return false
    throw new RowbackError('repository', `read object ${oid}: ${errorText(error)}`, { cause: error })
  }
}
