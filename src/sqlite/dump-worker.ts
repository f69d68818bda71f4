/** A thread that checks the pages or dumps tables of one database and posts their files; see `startDump`. */

import { parentPort, workerData } from 'node:worker_threads'
import { allowSchema } from './connection.ts'
import { type DumpMessage, type DumpOrder, kilobytes, stopped } from './dump-message.ts'
import { type DumpFile, dumpRows, type KeptFile } from './dump-rows.ts'
import { checkIntegrity } from './integrity.ts'
import { openDatabase } from './open-database.ts'
import { plainError } from './plain-error.ts'

/** Kilobytes that may wait for the receiver. */
const aheadKilobytes = 4 * 1024

function run({ path, file, encoding, extensions, works, isChecked, taken, used }: DumpOrder): void {
  const db = openDatabase(path, { readonly: true, fileMustExist: true })
  let posted = 0
  try {
    allowSchema(db, extensions)
    // Each page is read once; SQLite's own cache would hold 16 MB of them.
    db.pragma('cache_size=-2000')
    db.exec('BEGIN')
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    post({ kind: 'begun' })
    for (let index = take(taken); index <= works.length; index = take(taken)) {
      if (Atomics.load(used, 0) === stopped) return
      if (index === 0) {
        if (!isChecked) checkIntegrity(db, file)
        continue
      }
      const files = dumpRows(db, works[index - 1] as DumpOrder['works'][number], encoding)
      let next = files.next()
      while (!next.done) {
        const size = kilobytes(next.value)
        postFile(next.value)
        posted += size
        waitFor(used, posted - aheadKilobytes)
        if (Atomics.load(used, 0) === stopped) return
        next = files.next()
      }
      post({ kind: 'table', table: next.value })
    }
    post({ kind: 'done' })
  } catch (error) {
    post({ kind: 'failed', error: plainError(error) })
  } finally {
    db.close()
  }
}

function take(taken: Int32Array): number {
  return Atomics.add(taken, 0, 1)
}

function post(message: DumpMessage, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer)
}

/** A buffer of its own changes hands; a part of a pool is copied. */
function postFile(file: DumpFile | KeptFile): void {
  const content = 'oid' in file ? undefined : file.content
  const isOwn = content !== undefined && content.buffer.byteLength === content.byteLength
  post({ kind: 'file', file }, isOwn ? [content.buffer as ArrayBuffer] : [])
}

function waitFor(used: Int32Array, wanted: number): void {
  for (let seen = Atomics.load(used, 0); seen < wanted; seen = Atomics.load(used, 0))
    Atomics.wait(used, 0, seen)
}

run(workerData as DumpOrder)
