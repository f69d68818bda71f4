// An application at work: moves money between accounts until it is killed. Each transaction keeps the sum of all
// balances and counts itself, in the ledger and in both accounts. Run as: node writer.js FILE JOURNAL-MODE
import Database from 'better-sqlite3'

const [file, journalMode] = process.argv.slice(2)
const db = new Database(file, { timeout: 60_000 })
db.pragma(`journal_mode = ${journalMode}`)
const accounts = db.prepare('SELECT count(*) FROM account').pluck().get()
const take = db.prepare('UPDATE account SET balance = balance - ?, moves = moves + 1 WHERE id = ?')
const give = db.prepare('UPDATE account SET balance = balance + ?, moves = moves + 1 WHERE id = ?')
const count = db.prepare('INSERT INTO ledger(amount) VALUES (?)')
const move = db.transaction((from, to, amount) => {
  take.run(amount, from)
  give.run(amount, to)
  count.run(amount)
})

for (let turn = 0n; ; turn++) {
  const from = 1n + ((turn * 7919n) % BigInt(accounts))
  const to = 1n + ((turn * 104_729n + 13n) % BigInt(accounts))
  if (from !== to) move(from, to, turn % 50n)
  if (turn === 1n) process.stdout.write('ready\n')
  // A pause now and then, as applications have.
  if (turn % 20n === 0n) await new Promise((resolve) => setTimeout(resolve, 2))
}
