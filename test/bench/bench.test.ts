import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { works } from '../../bench/contestants.ts'
import { outcomes, type SizeResult } from '../../bench/goals.ts'
import { keepRound, readRounds } from '../../bench/kept-rounds.ts'
import { entriesByFolder, largeCases } from '../../bench/large-cases.ts'
import { compareDatabases, createLongRow } from '../../bench/large-data.ts'
import { measure } from '../../bench/measure.ts'
import { reportText, resultsFile, withLargeSection } from '../../bench/report.ts'
import { type Sample, sentBytes } from '../../bench/scenarios.ts'
import { program, projectRoot } from '../support/cli.ts'
import { tempDir } from '../support/temp.ts'

describe('npm run bench', () => {
  it('measures every work on a small database, writes what it found, and keeps the round for the next run', async () => {
    const dir = tempDir()
    const results = join(dir, 'RESULTS.md')
    writeFileSync(results, 'old figures\n\n## Limits\n\nThe disk is the limit.\n')
    const args = ['1', '--runs', '1', '--dir', dir, '--keep', join(dir, 'rounds.jsonl'), '--output', results]
    const { code, stdout, stderr } = await bench(...args)
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    for (const work of Object.values(works)) expect(stdout).toContain(`\n| ${work} |`)
    expect(stdout).toMatch(/\| first backup : dump \+ add \+ commit \| 0\.5 \| \d/)
    expect(stdout).toContain('restic was left out.')
    expect(readFileSync(results, 'utf8')).toBe(`${stdout}\n## Limits\n\nThe disk is the limit.\n`)
    const again = await bench(...args)
    expect(again).toEqual({ code: 0, stdout, stderr: expect.not.stringContaining('round') })
  })

  it('does not mix rounds of two machines', () => {
    const file = join(tempDir(), 'rounds.jsonl')
    const machine = [['memory', '1 GiB']] as const
    const round = { machine, megabytes: 1, fileBytes: 1, rows: {}, samples: [] }
    keepRound(file, round)
    expect(readRounds(file, machine)).toEqual([round])
    expect(() => readRounds(file, [['memory', '2 GiB']])).toThrow(`${file} has rounds of another machine`)
  })

  it('refuses numbers and names that are none, and says how it is used', async () => {
    for (const wrong of [['small'], ['30x0'], ['--runs', '0'], ['--without', 'tar']]) {
      const { code, stderr } = await bench(...wrong)
      expect(code).toBe(1)
      expect(stderr).toContain('npm run bench [-- MEGABYTES...')
    }
  })
})

describe('npm run load', () => {
  it('finds whole transactions in every commit, and says how long the writer waited', async () => {
    const args = ['--backups', '2', '--rate', '100', '--megabytes', '1', '--dir', tempDir()]
    const { code, stdout, stderr } = await run('load.js', ...args)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    for (const mode of ['WAL', 'DELETE']) {
      expect(stdout).toMatch(new RegExp(`^\\| ${mode} \\| 2 backups of [\\d.e+]+ ms \\| [1-9]\\d* \\|`, 'm'))
      expect(stdout).toMatch(new RegExp(`^\\| ${mode} \\| alone \\| [1-9]\\d* \\|`, 'm'))
    }
  })

  it('refuses numbers that are none, and says how it is used', async () => {
    const { code, stderr } = await run('load.js', '--backups', 'many')
    expect(code).toBe(1)
    expect(stderr).toContain('npm run load [-- OPTIONS]')
  })
})

describe('npm run large', () => {
  it('tries each case, and puts what it found between other sections', async () => {
    const dir = tempDir()
    const results = join(dir, 'RESULTS.md')
    writeFileSync(results, 'figures\n\n## Large\n\nold\n\n## Limits\n\nThe disk is the limit.\n')
    const args = ['--scale', '0.0005', '--dir', dir, '--output', results]
    const { code, stdout, stderr } = await run('large.js', ...args)
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    for (const { title } of largeCases) expect(stdout).toContain(`\n| ${title} | first backup |`)
    expect(stdout).toMatch(/The fullest of \d+ directories has \d entries/)
    expect(stdout).toContain('The push went in 1 parts, and left 1 packs.')
    expect(readFileSync(results, 'utf8')).toBe(`figures\n\n${stdout}\n## Limits\n\nThe disk is the limit.\n`)
  })

  it('refuses names and numbers that are none, and says how it is used', async () => {
    for (const wrong of [
      ['--only', 'everything'],
      ['--scale', '2'],
    ]) {
      const { code, stderr } = await run('large.js', ...wrong)
      expect(code).toBe(1)
      expect(stderr).toContain('npm run large [-- OPTIONS]')
    }
  })

  it('tells a value that came back different', () => {
    const [one, other] = ['one.db', 'other.db'].map((name) => join(tempDir(), name)) as [string, string]
    for (const file of [one, other]) createLongRow(file, 'text', 1000)
    compareDatabases(one, other)
    const db = new Database(other)
    db.exec('UPDATE document SET content=CAST(content AS BLOB) WHERE id=2')
    db.close()
    expect(() => compareDatabases(one, other)).toThrow('table document came back different: 3,3,2')
  })

  it('counts folders among the entries of the folder that they are in', () => {
    const paths = ['a', 'a/b', 'a/b/c', 'a/b/d', 'e']
    expect(Object.fromEntries(entriesByFolder(paths))).toEqual({ '': 2, a: 1, 'a/b': 2 })
  })
})

describe('resultsFile', () => {
  const report = { date: '', machine: [], contestants: [], notes: [], results: [] }

  it('keeps what npm run large has written, and what is written by hand', () => {
    const kept = '## Large\n\nlarge\n\n## Limits\n\nby hand\n'
    expect(resultsFile(report, `old figures\n\n${kept}`)).toBe(`${reportText(report)}\n${kept}`)
  })

  it('gets the first large section before what is written by hand, or at its end', () => {
    const byHand = '## Limits\n\nby hand\n'
    expect(withLargeSection(`figures\n\n${byHand}`, '## Large\n')).toBe(`figures\n\n## Large\n\n${byHand}`)
    expect(withLargeSection('figures\n', '## Large\n')).toBe('figures\n\n## Large\n')
  })
})

describe('measure', () => {
  it('counts the time and memory of all processes of a command', async () => {
    const half = `node -e 'const held = Buffer.alloc(50e6, 1); const end = Date.now() + 1000; while (Date.now() < end);'`
    const figures = await measure({ script: `${half} & ${half} & wait`, cwd: tempDir(), env: process.env })
    expect(figures.seconds).toBeGreaterThan(1)
    expect(figures.cpuSeconds).toBeGreaterThan(0.1)
    expect(figures.ownBytes).toBeGreaterThan(100e6)
    expect(figures.peakBytes).toBeGreaterThan(figures.ownBytes as number)
  })

  it('waits for what a command leaves behind, but does not count it', async () => {
    const script = 'setsid sleep 1 > /dev/null 2>&1 3>&1 & true'
    const figures = await measure({ script, cwd: tempDir(), env: process.env })
    expect(figures.seconds).toBeLessThan(0.8)
    expect(figures.lingerSeconds).toBeGreaterThan(0.1)
  })

  it('throws what a command said that fails, also within a pipe', async () => {
    const failing = { script: '{ echo no such page >&2; exit 3; } | cat', cwd: tempDir(), env: process.env }
    await expect(measure(failing)).rejects.toThrow(/ended with 3: no such page/)
  })
})

describe('sentBytes', () => {
  it('reads what pushes say at their end', () => {
    const first =
      'Writing objects: 100% (9/9), 3.50 MiB | 6.99 MiB/s\rWriting objects: 100% (9/9), 4.00 MiB | 6.99 MiB/s, done.\n'
    expect(sentBytes(first)).toBe(4 * 2 ** 20)
    expect(sentBytes(`${first}Writing objects: 100% (3/3), 254 bytes | 254.00 KiB/s, done.\n`)).toBe(
      4 * 2 ** 20 + 254,
    )
    expect(sentBytes('Everything up-to-date\n')).toBe(0)
  })
})

describe('outcomes', () => {
  it('compares within each round, and takes the median of that', () => {
    const [first] = outcomes([result(300, { Rowback: [1, 9, 2], 'dump, add, commit': [2, 90, 8] })])
    expect(first?.measured.get(300)).toEqual({ median: 0.25, low: 0.1, high: 0.5 })
    expect(first?.met).toBe(true)
  })

  it('leaves goals open whose size was not measured', () => {
    const [first] = outcomes([result(30, { Rowback: [1], 'dump, add, commit': [2] })])
    expect(first?.measured.get(30)?.median).toBe(0.5)
    expect(first?.met).toBeUndefined()
  })

  it('asks 3 GB for memory that does not grow', () => {
    const memory = (large: number) =>
      outcomes([result(300, { Rowback: [1] }, 100e6), result(3000, { Rowback: [1] }, large)])
        .filter(({ goal }) => goal.startsWith('highest peak memory'))
        .map(({ met }) => met)
    expect(memory(119e6)).toEqual([true, true])
    expect(memory(121e6)).toEqual([false, true])
    expect(memory(301e6)).toEqual([false, false])
  })
})

/** Without the peers that take a second for each command. */
function bench(...args: string[]) {
  return run('bench.js', ...args, '--without', 'restic', '--without', 'borg')
}

function run(script: string, ...args: string[]) {
  return program(process.execPath, [join(projectRoot, 'dist', 'bench', script), ...args])
}

/** First backups that took so many seconds in each round. */
function result(megabytes: number, seconds: Record<string, number[]>, peakBytes = 50e6): SizeResult {
  const samples = Object.entries(seconds).flatMap(([by, rounds]) =>
    rounds.map((value, index): Sample => {
      return { work: 'first', by, round: index + 1, figures: { seconds: value, peakBytes } }
    }),
  )
  return { megabytes, fileBytes: megabytes * 1e6, rows: {}, rounds: 3, samples }
}
