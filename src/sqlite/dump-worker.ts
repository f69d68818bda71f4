/** A thread that checks the pages or dumps tables of one database and posts their files; see `DumpThread`. */

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import type { Database } from 'better-sqlite3'
import { allowSchema } from './connection.ts'
import { type DumpMessage, type DumpOrder, type DumpTask, kilobytes, stopped } from './dump-message.ts'
import { type DumpFile, dumpRows, type KeptFile, type TableWork } from './dump-rows.ts'
import { checkIntegrity } from './integrity.ts'
import { openDatabase } from './open-database.ts'
import { plainError } from './plain-error.ts'

/** Kilobytes that may wait for the receiver. */
const aheadKilobytes = 4 * 1024

/** Kilobytes of files so far. */
let posted = 0

function run(order: DumpOrder, port: MessagePort): void {
  const db = openDatabase(order.path, { readonly: true, fileMustExist: true })
  const endWith = (message: DumpMessage): void => {
    db.close()
    post(port, message)
    port.close()
  }
  const attempt = (step: () => void): void => {
    try {
      step()
    } catch (error) {
      endWith({ kind: 'failed', error: plainError(error) })
    }
  }
  port.on('message', (task: DumpTask) => {
    if (task.kind === 'end') endWith({ kind: 'done' })
    else if (!isStopped(order)) attempt(() => carryOut(task, db, order, port))
  })
  attempt(() => {
    fixView(db, order)
    post(port, { kind: 'begun' })
  })
}

function fixView(db: Database, { extensions }: DumpOrder): void {
  allowSchema(db, extensions)
  // Each page is read once; SQLite's own cache would hold 16 MB of them.
  db.pragma('cache_size=-2000')
  db.exec('BEGIN')
  db.prepare('SELECT count(*) FROM sqlite_schema').get()
}

function carryOut(
  task: Exclude<DumpTask, { kind: 'end' }>,
  db: Database,
  order: DumpOrder,
  port: MessagePort,
): void {
  if (task.kind === 'table') dumpTable(task.work, db, order, port)
  else {
    checkIntegrity(db, order.file)
    post(port, { kind: 'checked' })
  }
}

/** Posts the files of a table, and then the table, unless it is stopped. */
function dumpTable(work: TableWork, db: Database, order: DumpOrder, port: MessagePort): void {
  const files = dumpRows(db, work, order.encoding)
  try {
    let next = files.next()
    for (; !next.done; next = files.next()) {
      postFile(port, next.value)
      posted += kilobytes(next.value)
      waitFor(order.used, posted - aheadKilobytes)
      if (isStopped(order)) return
    }
    post(port, { kind: 'table', table: next.value })
  } finally {
    // A database of which something is read cannot be closed.
    files.return(undefined as never)
  }
}

function post(port: MessagePort, message: DumpMessage, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

/** A buffer of its own changes hands; a part of a pool is copied. */
function postFile(port: MessagePort, file: DumpFile | KeptFile): void {
  const content = 'oid' in file ? undefined : file.content
  const isOwn = content !== undefined && content.buffer.byteLength === content.byteLength
  post(port, { kind: 'file', file }, isOwn ? [content.buffer as ArrayBuffer] : [])
}

function isStopped({ used }: DumpOrder): boolean {
  return Atomics.load(used, 0) === stopped
}

function waitFor(used: Int32Array, wanted: number): void {
  for (let seen = Atomics.load(used, 0); seen < wanted; seen = Atomics.load(used, 0))
    Atomics.wait(used, 0, seen)
}

run(workerData as DumpOrder, parentPort as MessagePort)
