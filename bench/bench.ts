/**
 * Rowback beside what it replaces, `sqlite3 .dump` and `git add` and `git commit`, on the same data in the same run,
 * in turn. Prints medians and ratios. Usage: npm run bench [-- MEGABYTES [RUNS]]
 */

import { spawn, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { changeBenchDatabase, createBenchDatabase } from './sample-data.ts'

interface Run {
  seconds: number
  /** Largest resident set of all processes of the command at one time, in megabytes. */
  peakMegabytes: number
}

const program = fileURLToPath(new URL('../../bin/rowback.js', import.meta.url))
const rowback = `${process.execPath} ${program}`

/** Runs a shell command and watches the memory of all its processes. */
async function measure(command: string, cwd: string): Promise<Run> {
  const started = performance.now()
  const child = spawn('bash', ['-ec', command], {
    cwd,
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  })
  let peakMegabytes = 0
  const timer = setInterval(() => {
    peakMegabytes = Math.max(peakMegabytes, groupMemory(child.pid as number))
  }, 25)
  const code = await new Promise((done) => child.on('exit', done))
  clearInterval(timer)
  if (code !== 0) throw new Error(`${command} ended with ${code}`)
  return { seconds: (performance.now() - started) / 1000, peakMegabytes }
}

/** Proportional memory (Pss) of a process group: pages that processes share count once. */
function groupMemory(group: number): number {
  let kilobytes = 0
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      if (Number(stat.slice(stat.lastIndexOf(')')).split(' ')[3]) !== group) continue
      kilobytes += Number(
        /^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0,
      )
    } catch {
      // The process has ended meanwhile.
    }
  }
  return kilobytes / 1024
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number
}

interface Task {
  name: string
  /** Commands of Rowback and of the scripts that it replaces, run in `dir`. */
  ours: string
  theirs: string
  /** Run before both commands, not measured. */
  prepare: (dir: string) => void
}

function tasks(database: string): Task[] {
  const fresh = (dir: string): void => {
    for (const name of ['ours.git', 'theirs', 'out', 'out.db'])
      rmSync(join(dir, name), { recursive: true, force: true })
    copyFileSync(database, join(dir, 'app.db'))
    run(
      'git init -q theirs && git -C theirs config user.name a && git -C theirs config user.email a@localhost',
      dir,
    )
  }
  const committed = (dir: string): void => {
    fresh(dir)
    run(`${backup} && ${dump}`, dir)
  }
  const dump =
    'sqlite3 app.db .dump > theirs/app.sql && git -C theirs add app.sql && git -C theirs commit -qm backup'
  const backup = `${rowback} backup app.db --repo ours.git --no-hook --quiet`
  return [
    { name: 'first backup', ours: backup, theirs: dump, prepare: fresh },
    {
      name: 'first backup, verified : dump, add, commit',
      ours: `${backup} --verify always`,
      theirs: dump,
      prepare: fresh,
    },
    {
      name: 'nothing changed',
      ours: backup,
      theirs: `${dump.replace('git -C theirs commit -qm backup', 'true')}`,
      prepare: committed,
    },
    {
      name: '100 updates, 200 rows added',
      ours: backup,
      theirs: dump,
      prepare: (dir) => {
        committed(dir)
        changeBenchDatabase(join(dir, 'app.db'), 'small')
      },
    },
    {
      name: 'restore',
      ours: `${rowback} restore latest --to out --repo ours.git --quiet`,
      theirs: 'git -C theirs show HEAD:app.sql | sqlite3 out.db',
      prepare: committed,
    },
    {
      name: 'verify : dump, add, commit',
      ours: `${rowback} verify --repo ours.git --quiet`,
      theirs: dump,
      prepare: (dir) => {
        committed(dir)
        run(
          'rm -rf theirs && git init -q theirs && git -C theirs config user.name a && git -C theirs config user.email a@localhost',
          dir,
        )
      },
    },
  ]
}

function run(command: string, cwd: string): void {
  const { status, stderr } = spawnSync('bash', ['-ec', command], { cwd })
  if (status !== 0) throw new Error(`${command}: ${stderr}`)
}

const megabytes = Number(process.argv[2] ?? 300)
const runs = Number(process.argv[3] ?? 5)
const folder = resolve('bench-data')
mkdirSync(folder, { recursive: true })
const database = join(folder, `bench-${megabytes}.db`)
if (!existsSync(database)) createBenchDatabase(database, megabytes)
process.stdout.write(`${(statSync(database).size / 1e6).toFixed(0)} MB, ${runs} runs each, medians\n`)
process.stdout.write(
  '| work | Rowback | script | ratio | peak memory of Rowback |\n| --- | --- | --- | --- | --- |\n',
)
for (const { name, ours, theirs, prepare } of tasks(database)) {
  const [left, right]: [Run[], Run[]] = [[], []]
  for (let index = 0; index < runs; index++) {
    const dir = mkdtempSync(join(folder, 'run-'))
    prepare(dir)
    left.push(await measure(ours, dir))
    right.push(await measure(theirs, dir))
    rmSync(dir, { recursive: true, force: true })
  }
  const [a, b] = [left, right].map((list) => median(list.map(({ seconds }) => seconds))) as [number, number]
  const ratio = median(left.map(({ seconds }, index) => seconds / (right[index] as Run).seconds))
  const peak = Math.max(...left.map(({ peakMegabytes }) => peakMegabytes))
  process.stdout.write(
    `| ${name} | ${a.toFixed(2)} s | ${b.toFixed(2)} s | ${ratio.toFixed(2)} | ${peak.toFixed(0)} MB |\n`,
  )
}
