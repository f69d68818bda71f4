/** Dumps a replayed database again for a proof, which needs the ids of its files and the first one that differs. */

import { release } from './buffers.ts'
import { compareDumped } from './difference.ts'
import type { ManifestDatabase } from './dump/manifest.ts'
import { blobOid } from './git/tree.ts'
import type { OnReplay, ReplayJob, ReplayProof } from './replay-job.ts'
import { dumpReplayed } from './sqlite/dump-replayed.ts'
import { writeDatabase } from './write-tree.ts'

export async function dumpAgain(
  { files: stored, target, extensions }: ReplayJob,
  { name, path, fullText, excludedTables, tables }: ManifestDatabase,
  { onRows, onFile }: OnReplay,
): Promise<Omit<ReplayProof, 'foreignKeyViolations'>> {
  const expected = new Map(stored.map((file) => [file.path, file.oid]))
  const folder = `databases/${name}/`
  let different: ReplayProof['different']
  const add = async (whole: string, content: Buffer, rows = 0): Promise<string> => {
    const file = { path: whole.slice(folder.length), oid: blobOid(content), bytes: content.length }
    onFile?.(file)
    onRows(rows, content.length)
    const isFirst = !different || compareDumped(whole, different.path) < 0
    if (isFirst && expected.get(file.path) !== file.oid) different = { path: whole, content }
    else release(content)
    return file.oid
  }
  const dumped = new Set(tables.map((table) => table.name))
  const options = { excludeTables: excludedTables, dumped, fullText, extensions }
  // Nothing is known of it, so all of it is dumped.
  const tree = { add, addKnown: async () => {} }
  const { entry } = await writeDatabase(tree, dumpReplayed(target, options), { name, path }, options)
  return { entry, different }
}
