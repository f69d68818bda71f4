/**
 * An application at work, for `load.ts`: moves money between accounts at a steady rate and measures how long each
 * transaction takes. Run by fork() as: load-writer.js FILE JOURNAL-MODE RATE. Each message asks for the latencies since the
 * one before.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'

const [file = '', journalMode = '', rate = ''] = process.argv.slice(2)
const db = new Database(file, { timeout: 60_000 })
db.pragma(`journal_mode=${journalMode}`)
db.pragma('synchronous=NORMAL')

const accounts = db.prepare('SELECT count(*) FROM account').pluck().get() as number
const take = db.prepare('UPDATE account SET balance=balance-?, moves=moves+1 WHERE id=?')
const give = db.prepare('UPDATE account SET balance=balance+?, moves=moves+1 WHERE id=?')
const note = db.prepare('INSERT INTO ledger(amount) VALUES (?)')
const move = db.transaction((from: number, to: number, amount: number) => {
  take.run(amount, from)
  give.run(amount, to)
  note.run(amount)
})

/** In milliseconds. */
let latencies: number[] = []
let isOver = false

process.on('message', (order: 'report' | 'end') => {
  isOver = order === 'end'
  process.send?.(latencies, () => {
    if (isOver) process.disconnect()
  })
  latencies = []
})

const startedAt = performance.now()
for (let turn = 0; !isOver; ) {
  const due = ((performance.now() - startedAt) / 1000) * Number(rate)
  // After a long wait many are due; messages must come through in between.
  for (const end = Math.min(due, turn + 50); turn < end; turn++) {
    const began = performance.now()
    move(1 + ((turn * 7919) % accounts), 1 + ((turn * 104_729 + 13) % accounts), turn % 50)
    latencies.push(performance.now() - began)
  }
  await sleep(1)
}
db.close()
