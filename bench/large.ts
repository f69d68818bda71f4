/**
 * What is large in one way each, tried for real: many rows, one row, many files, one push. Prints what each work took, and
 * writes it into bench/RESULTS.md, as a section of its own. Usage: npm run large [-- OPTIONS], see `usage`. Ends with 1
 * where a result is not what it must be.
 */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { environment } from './contestants.ts'
import { type LargeCase, largeCases } from './large-cases.ts'
import { describeMachine } from './machine.ts'
import { measure, run } from './measure.ts'
import { type LargeResult, type LargeWork, largeSection, withLargeSection } from './report.ts'
import { checkRoom, withRunFolder } from './run-folder.ts'

const names = largeCases.map(({ name }) => name).join(', ')

const usage = `npm run large [-- OPTIONS]
  --only NAME    one of ${names}; may be given again
  --scale X      sizes and counts times X (default: 1)
  --dir DIR      where the data of the run lies until its end (default: bench-data)
  --output FILE  where results go (default: bench/RESULTS.md where all is tried in its full size)
`

/** What the largest case takes on the disk: measured, with some to spare. */
const ROOM_BYTES = 15e9

const projectRoot = fileURLToPath(new URL('../..', import.meta.url))
const program = join(projectRoot, 'bin', 'rowback.js')

interface Options {
  cases: readonly LargeCase[]
  scale: number
  dir: string
  output: string | undefined
}

function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      scale: { type: 'string', default: '1' },
      dir: { type: 'string', default: 'bench-data' },
      output: { type: 'string' },
    },
  })
  const unknown = values.only.find((only) => !largeCases.some(({ name }) => name === only))
  if (unknown !== undefined) throw new Error(`nothing is called ${unknown}; there are ${names}`)
  const scale = Number(values.scale)
  if (!(scale > 0 && scale <= 1)) throw new Error('--scale is a number above 0 and at most 1')
  const cases = largeCases.filter(({ name }) => values.only.length === 0 || values.only.includes(name))
  const isWhole = scale === 1 && cases.length === largeCases.length
  const kept = isWhole ? join(projectRoot, 'bench', 'RESULTS.md') : undefined
  return { cases, scale, dir: resolve(values.dir), output: values.output ?? kept }
}

/** Runs one case in a folder of its own, which is gone afterwards. */
async function runCase({ title, run: runIn }: LargeCase, scale: number, dir: string): Promise<LargeResult> {
  mkdirSync(dir)
  const works: LargeWork[] = []
  const command = (script: string) => ({
    script: `rowback() { ${process.execPath} ${program} "$@"; }\n${script}`,
    cwd: dir,
    env: environment(dir),
  })
  const work = async (name: string, script: string) => {
    await run(command('sync --file-system .'))
    const figures = await measure(command(script))
    works.push({ name, figures })
    say(`${title}: ${name}: ${figures.seconds?.toFixed(2)} s`)
    return figures
  }
  say(title)
  const found = await runIn({ dir, scale, work, run: (script) => run(command(script)) })
  rmSync(dir, { recursive: true })
  return { title, works, found }
}

function say(text: string): void {
  process.stderr.write(`${text}\n`)
}

async function main({ cases, scale, dir, output }: Options): Promise<void> {
  await withRunFolder(dir, 'large-', async (runDir) => {
    checkRoom(runDir, ROOM_BYTES * scale)
    const results: LargeResult[] = []
    for (const one of cases) results.push(await runCase(one, scale, join(runDir, one.name)))
    const date = new Date().toISOString().slice(0, 10)
    const section = largeSection({ date, scale, machine: describeMachine([], runDir), results })
    if (output !== undefined)
      writeFileSync(output, withLargeSection(existsSync(output) ? readFileSync(output, 'utf8') : '', section))
    process.stdout.write(section)
  })
}

try {
  await main(readOptions(process.argv.slice(2)))
} catch (error) {
  say(`${error instanceof Error ? error.message : String(error)}\n${usage}`)
  process.exitCode = 1
}
