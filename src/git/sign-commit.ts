/** Puts a signature into a commit that `git fast-import` has made, as that cannot (git's gitformat-signature(5)). */

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { git, gitCause } from './run.ts'
import { packFolder } from './session.ts'
import { type SigningKey, signedCommit } from './sign.ts'

/**
 * Replaces a commit of the session's packs by the same one with a signature, and returns its id. Throws
 * RowbackError('usage') if the key cannot be used, an Error of git's words if the session cannot be written.
 */
export async function signCommit(session: string, unsigned: string, key: SigningKey): Promise<string> {
  const content = await run(session, ['cat-file', 'commit', unsigned])
  const signed = await signedCommit(content, key)
  const written = await run(session, ['hash-object', '-w', '-t', 'commit', '--stdin'], signed)
  const oid = written.toString('latin1').trim()
  await replaceInPack(session, unsigned, oid)
  return oid
}

/** Packs the objects of the pack that holds `unsigned` anew, with `signed` in its place: nothing else would ever remove it. */
async function replaceInPack(session: string, unsigned: string, signed: string): Promise<void> {
  const folder = packFolder(session)
  for (const file of (await readdir(folder)).filter((name) => name.endsWith('.idx'))) {
    const listed = await run(session, ['show-index'], await readFile(join(folder, file)))
    const oids = listed
      .toString('latin1')
      .split('\n')
      .flatMap((line) => line.split(' ')[1] ?? [])
    if (!oids.includes(unsigned)) continue
    const kept = oids.map((oid) => `${oid === unsigned ? signed : oid}\n`).join('')
    await run(session, ['pack-objects', '--quiet', '--window=0', join(folder, 'pack')], kept)
    for (const end of ['idx', 'pack', 'rev'])
      await rm(join(folder, file.replace(/idx$/, end)), { force: true })
  }
}

async function run(session: string, args: string[], input?: string | Buffer): Promise<Buffer> {
  const { code, stdout, stderr } = await git(session, args, input === undefined ? {} : { input })
  if (code !== 0) throw new Error(gitCause({ code, stderr }))
  return stdout
}
