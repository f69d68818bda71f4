/**
 * What backups do to an application that writes all the time, and what the application does to them: a writer moves
 * money between accounts while backups run one after the other, and then alone for as long. Each backup is restored and
 * must hold whole transactions only. Usage: npm run load [-- OPTIONS], see `usage`. Ends with 1 where one does not.
 */

import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'

const usage = `npm run load [-- OPTIONS]
  --backups N     in each journal mode (default: 50)
  --rate N        transactions a second (default: 500)
  --megabytes N   of rows that nobody writes to (default: 30)
  --dir DIR       where the data of the run lies until its end (default: bench-data)
`

const projectRoot = fileURLToPath(new URL('../..', import.meta.url))
const program = join(projectRoot, 'bin', 'rowback.js')
const writerScript = fileURLToPath(new URL('load-writer.js', import.meta.url))

const journalModes = ['WAL', 'DELETE'] as const

const accounts = 2000
const startBalance = 1000

interface Options {
  backups: number
  rate: number
  megabytes: number
  dir: string
}

interface Latencies {
  count: number
  medianMs: number
  p99Ms: number
  longestMs: number
}

interface LoadResult {
  mode: string
  backups: number
  /** Median of one backup. */
  backupMs: number
  /** Median of one copy of the file. */
  copyMs: number
  during: Latencies
  alone: Latencies
}

async function main(args: string[]): Promise<void> {
  const options = readOptions(args)
  mkdirSync(options.dir, { recursive: true })
  const results: LoadResult[] = []
  for (const mode of journalModes) {
    const dir = mkdtempSync(join(options.dir, 'load-'))
    try {
      results.push(await runLoad(mode, dir, options))
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
  process.stdout.write(report(results, options))
}

function readOptions(args: string[]): Options {
  try {
    const { values } = parseArgs({
      args,
      options: {
        backups: { type: 'string', default: '50' },
        rate: { type: 'string', default: '500' },
        megabytes: { type: 'string', default: '30' },
        dir: { type: 'string', default: 'bench-data' },
      },
    })
    const [backups, rate, megabytes] = [values.backups, values.rate, values.megabytes].map(positive) as [
      number,
      number,
      number,
    ]
    return { backups, rate, megabytes, dir: resolve(values.dir) }
  } catch (error) {
    process.stderr.write(`load: ${(error as Error).message}\n${usage}`)
    process.exit(1)
  }
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,6}$/.test(text)) throw new Error(`${text} is no positive number`)
  return Number(text)
}

/** One journal mode: backups beside the writer, the writer alone for as long, then the proof. */
async function runLoad(mode: string, dir: string, options: Options): Promise<LoadResult> {
  const [source, repository] = [join(dir, 'app.db'), join(dir, 'repo.git')]
  createBank(source, options.megabytes)
  const writer = fork(writerScript, [source, mode, String(options.rate)])
  try {
    await sleep(1000)
    await latenciesOf(writer, 'report')
    const commits: string[] = []
    const times: number[] = []
    const startedAt = performance.now()
    for (let run = 0; run < options.backups; run++) {
      const { commit, ms } = backUp(source, repository)
      commits.push(commit)
      times.push(ms)
    }
    const during = await latenciesOf(writer, 'report')
    await sleep(performance.now() - startedAt)
    const alone = await latenciesOf(writer, 'end')
    const copies = Array.from({ length: 5 }, () => copyTime(source, join(dir, 'copy')))
    for (const commit of commits) proveBank(repository, commit, join(dir, 'restored'))
    return { mode, backups: commits.length, backupMs: median(times), copyMs: median(copies), during, alone }
  } finally {
    writer.kill('SIGKILL')
  }
}

function createBank(file: string, megabytes: number): void {
  const db = new Database(file)
  db.exec(`CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT, moves INT, note TEXT);
    CREATE TABLE ledger(id INTEGER PRIMARY KEY AUTOINCREMENT, amount INT);
    CREATE TABLE article(id INTEGER PRIMARY KEY, body TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${accounts})
    INSERT INTO account SELECT i, ${startBalance}, 0, hex(zeroblob(200)) FROM n;
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${megabytes * 1000})
    INSERT INTO article SELECT i, hex(randomblob(500)) FROM n;`)
  db.close()
}

function backUp(source: string, repository: string): { commit: string; ms: number } {
  const startedAt = performance.now()
  const printed = execFileSync(program, ['backup', source, '--repo', repository, '--json'])
  const { latest } = JSON.parse(printed.toString()) as { latest: string }
  return { commit: latest, ms: performance.now() - startedAt }
}

async function latenciesOf(writer: ChildProcess, order: 'report' | 'end'): Promise<Latencies> {
  const ended = once(writer, 'exit').then(([code, signal]) => {
    throw new Error(`the writer has ended with ${code ?? signal}`)
  })
  writer.send(order)
  const [latencies] = (await Promise.race([once(writer, 'message'), ended])) as [number[]]
  ended.catch(() => {})
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor((latencies.length - 1) * share)] ?? 0
  return { count: latencies.length, medianMs: at(0.5), p99Ms: at(0.99), longestMs: at(1) }
}

function copyTime(from: string, to: string): number {
  const startedAt = performance.now()
  copyFileSync(from, to)
  return performance.now() - startedAt
}

/** Restores a commit; throws where it holds part of a transaction. */
function proveBank(repository: string, commit: string, folder: string): void {
  mkdirSync(folder)
  const target = join(folder, 'app.db')
  const restore = ['restore', commit, '--output', target, '--repo', repository, '--file', 'app.db']
  execFileSync(program, [...restore, '--quiet'])
  const db = new Database(target, { readonly: true })
  const found = db
    .prepare(
      `SELECT (SELECT sum(balance) FROM account) balance, (SELECT sum(moves) FROM account) moves,
       (SELECT count(*) FROM ledger) ledger`,
    )
    .get() as { balance: number; moves: number; ledger: number }
  db.close()
  rmSync(folder, { recursive: true })
  if (found.balance !== accounts * startBalance || found.moves !== 2 * found.ledger)
    throw new Error(`commit ${commit} holds part of a transaction: ${JSON.stringify(found)}`)
}

function median(numbers: number[]): number {
  return [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0
}

function report(results: LoadResult[], { rate, megabytes }: Options): string {
  const ms = (value: number): string => `${value.toPrecision(3)} ms`
  const rows = results.flatMap(({ mode, backups, backupMs, copyMs, during, alone }) => [
    `| ${mode} | ${backups} backups of ${ms(backupMs)} | ${during.count} | ${ms(during.medianMs)} | ${ms(during.p99Ms)} | ${ms(during.longestMs)} | ${ms(copyMs)} |`,
    `| ${mode} | alone | ${alone.count} | ${ms(alone.medianMs)} | ${ms(alone.p99Ms)} | ${ms(alone.longestMs)} | |`,
  ])
  return `A writer at ${rate} transactions a second beside backups of ${megabytes} MB and more, one after the other; every one of
them was restored and holds whole transactions only.

| journal | beside the writer | transactions | median | p99 | longest | a copy of the file |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`
}

await main(process.argv.slice(2))
