/** A thread that checks the pages or dumps tables of one database and posts their files; see `DumpThread`. */

import { parentPort, workerData } from 'node:worker_threads'
import { allowSchema } from './connection.ts'
import { type DumpMessage, type DumpOrder, type DumpTask, kilobytes, stopped } from './dump-message.ts'
import { type DumpFile, dumpRows, type KeptFile, type TableWork } from './dump-rows.ts'
import { checkIntegrity } from './integrity.ts'
import { openDatabase } from './open-database.ts'
import { plainError } from './plain-error.ts'

/** Kilobytes that may wait for the receiver. */
const aheadKilobytes = 4 * 1024

const { path, file, encoding, extensions, used } = workerData as DumpOrder
const db = openDatabase(path, { readonly: true, fileMustExist: true })
/** Kilobytes of files so far. */
let posted = 0

function fixView(): void {
  allowSchema(db, extensions)
  // Each page is read once; SQLite's own cache would hold 16 MB of them.
  db.pragma('cache_size=-2000')
  db.exec('BEGIN')
  db.prepare('SELECT count(*) FROM sqlite_schema').get()
  post({ kind: 'begun' })
}

function carryOut(task: DumpTask): void {
  if (task.kind === 'end') endWith({ kind: 'done' })
  else if (task.kind === 'table') dumpTable(task.work)
  else {
    checkIntegrity(db, file)
    post({ kind: 'checked' })
  }
}

/** Posts the files of a table, and then the table, unless it is stopped. */
function dumpTable(work: TableWork): void {
  const files = dumpRows(db, work, encoding)
  try {
    let next = files.next()
    for (; !next.done; next = files.next()) {
      // A content that changes hands is empty here afterwards.
      posted += kilobytes(next.value)
      postFile(next.value)
      waitFor(posted - aheadKilobytes)
      if (isStopped()) return
    }
    post({ kind: 'table', table: next.value })
  } finally {
    // A database of which something is read cannot be closed.
    files.return(undefined as never)
  }
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

function isStopped(): boolean {
  return Atomics.load(used, 0) === stopped
}

function waitFor(wanted: number): void {
  for (let seen = Atomics.load(used, 0); seen < wanted; seen = Atomics.load(used, 0))
    Atomics.wait(used, 0, seen)
}

function endWith(message: DumpMessage): void {
  db.close()
  post(message)
  parentPort?.close()
}

function attempt(step: () => void): void {
  try {
    step()
  } catch (error) {
    endWith({ kind: 'failed', error: plainError(error) })
  }
}

parentPort?.on('message', (task: DumpTask) => {
  if (task.kind === 'end' || !isStopped()) attempt(() => carryOut(task))
})
attempt(fixView)
