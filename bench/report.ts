/** Results as Markdown. Pure. */

import { size } from '../src/cli/output.ts'
import { number } from '../src/number.ts'
import { type Contestant, type Work, works } from './contestants.ts'
import { figure, type Outcome, outcomes, ratio, type SizeResult, type Spread } from './goals.ts'
import type { Figures } from './measure.ts'

export interface Report {
  date: string
  machine: readonly (readonly [name: string, value: string])[]
  contestants: readonly Contestant[]
  /** Why who did not take part. */
  notes: readonly string[]
  results: readonly SizeResult[]
}

const COLUMNS: readonly (readonly [title: string, metric: keyof Figures, show: (value: number) => string])[] =
  [
    ['time', 'seconds', duration],
    ['CPU', 'cpuSeconds', duration],
    ['peak memory', 'peakBytes', bytes],
    ['without files', 'ownBytes', bytes],
    ['added', 'addedBytes', bytes],
    ['pushed', 'pushedBytes', bytes],
  ]

/** What `npm run large` writes, up to the next section. */
const LARGE = '## Large\n'

/** From here on a file of results is written by hand, and kept. */
const BY_HAND = '## Limits\n'

/** The whole file; what stands under "Large" and "Limits" in `previous`, the file until now, stays. */
export function resultsFile(report: Report, previous = ''): string {
  const kept = previous.includes(LARGE) ? LARGE : BY_HAND
  const rest = previous.includes(kept) ? `\n${previous.slice(previous.indexOf(kept))}` : ''
  return `${reportText(report)}${rest}`
}

/** What one work of `npm run large` took. */
export interface LargeWork {
  name: string
  figures: Figures
}

/** What was tried of one kind of large, and what was found beside the figures. */
export interface LargeResult {
  title: string
  works: readonly LargeWork[]
  found: readonly string[]
}

export interface LargeReport extends Pick<Report, 'date' | 'machine'> {
  /** What the sizes in the titles were multiplied by. */
  scale: number
  results: readonly LargeResult[]
}

/** The section of `npm run large`, with its heading. */
export function largeSection({ date, machine, scale, results }: LargeReport): string {
  const columns = COLUMNS.slice(0, 4)
  const rows = results.flatMap(({ title, works }) =>
    works.map(({ name, figures }, place) => [
      place === 0 ? title : '',
      name,
      ...columns.map(([, metric, show]) => (figures[metric] === undefined ? '' : show(figures[metric]))),
    ]),
  )
  const found = results.flatMap(({ title, found }) => found.map((sentence) => `- ${title}: ${sentence}\n`))
  return `${LARGE}
Written by \`npm run large\` on ${date}, one run${scale === 1 ? '' : `, all sizes times ${scale}`}. The columns are those above. What was restored was
compared with the source: files byte by byte, tables value by value.

${machine.map(([name, value]) => `${name}: ${value}`).join('; ')}.

${table(['large', 'work', ...columns.map(([title]) => title)], rows)}
${found.join('')}`
}

/** The file of results with that section in the place of the one before, or before what is written by hand. */
export function withLargeSection(previous: string, section: string): string {
  const start = previous.indexOf(LARGE)
  if (start >= 0) {
    const next = previous.indexOf('\n## ', start)
    return `${previous.slice(0, start)}${section}${next < 0 ? '' : previous.slice(next)}`
  }
  const byHand = previous.indexOf(BY_HAND)
  if (byHand < 0) return previous === '' ? section : `${previous}\n${section}`
  return `${previous.slice(0, byHand)}${section}\n${previous.slice(byHand)}`
}

/** All sections: how it was measured, the goals, and a table for each size. */
export function reportText(report: Report): string {
  const sections = [
    introduction(report),
    goalsSection(report.results),
    ...report.results.map((result) => sizeSection(result, report.contestants)),
  ]
  return sections.join('\n')
}

function introduction({ date, machine, contestants, notes }: Report): string {
  const notesText = notes.map((note) => `- ${note}\n`).join('')
  return `# Results of the benchmark

Written by \`npm run bench\` on ${date}; CONTRIBUTING.md says how to run it.

${table(['machine', ''], machine)}
Taking part, in turns within each round, on the same database:

${contestants.map(({ name, about }) => `- **${name}**: ${about}\n`).join('')}${notesText}
An application has the database open throughout, and its changes are in the file when a backup begins: restic and borg
would otherwise need a copy of it first. A figure is the median of all rounds. In brackets: Rowback's figure divided by this
one, the median of what each round gives; below 1 Rowback takes less.

- **time**: of the clock, start of all processes included, after \`sync\` has emptied the disk's queue.
- **CPU**: user and system time of all processes of the command.
- **peak memory**: the largest sum of the proportional set sizes (Pss in \`/proc\`) of all processes of the command, looked at
  every 5 to 100 ms; pages that processes share count once. **without files**: the same without pages of files, which the
  kernel drops when it needs them.
- **added**: by which the files of the repository grew; for the dump, of its \`.git\`.
- **pushed**: what \`git push\` sends for that commit. restic and borg write their repository where it is, so they send what they add.

What is pushed, and the upkeep of the repository (\`backup --upkeep always\` of what has not changed, in a copy of it), is measured in the first round only.
`
}

function goalsSection(results: readonly SizeResult[]): string {
  const sizes = results.map(({ megabytes }) => megabytes)
  const rows = outcomes(results).map((outcome) => goalRow(outcome, sizes))
  return `## Goals

Ratios, with the range over all rounds where it is wider than the last digit. Whether a goal is met is judged at 300 MB, and
where it says so at 3 GB.

${table(['goal', 'at most', ...sizes.map(sizeName), 'met'], rows)}`
}

function goalRow({ goal, atMost, measured, met }: Outcome, sizes: readonly number[]): string[] {
  const values = sizes.map((megabytes) => ratioWithRange(measured.get(megabytes)))
  return [goal, atMost, ...values, met === undefined ? '–' : met ? 'yes' : '**no**']
}

function sizeSection(result: SizeResult, contestants: readonly Contestant[]): string {
  const tables = Object.entries(result.rows).map(([name, rows]) => `${name} ${number(rows)}`)
  const rows = (Object.keys(works) as Work[]).flatMap((work) =>
    contestants
      .map(({ name }) => figureRow(result, work, name))
      .filter((row) => row !== undefined)
      .map((row, place) => [place === 0 ? works[work] : '', ...row]),
  )
  return `## ${sizeName(result.megabytes)}

${size(result.fileBytes)}, rows: ${tables.join(', ')}. ${result.rounds === 1 ? 'One round' : `${result.rounds} rounds`}.

${table(['work', 'by', ...COLUMNS.map(([title]) => title)], rows)}${lingering(result)}`
}

/** A contestant's name and figures; undefined where it does not do this work. */
function figureRow(result: SizeResult, work: Work, by: string): string[] | undefined {
  if (figure(result, 'seconds', [by, work]) === undefined) return undefined
  const cells = COLUMNS.map(([, metric, show]) => {
    const value = figure(result, metric, [by, work])
    if (value === undefined) return ''
    const compared = by === 'Rowback' ? undefined : ratio(result, metric, ['Rowback', work], [by, work])
    return compared === undefined
      ? show(value.median)
      : `${show(value.median)} (${ratioText(compared.median)})`
  })
  return [by === 'Rowback' ? '**Rowback**' : by, ...cells]
}

/** Says of which commands processes went on after their end. */
function lingering(result: SizeResult): string {
  const sides = new Map(result.samples.map(({ by, work }) => [`${by}, ${works[work]}`, [by, work] as const]))
  const lines = [...sides].flatMap(([name, side]) => {
    const seconds = figure(result, 'lingerSeconds', side)?.high ?? 0
    return seconds < 0.1 ? [] : [`- ${name}: for up to ${duration(seconds)}\n`]
  })
  return lines.length === 0
    ? ''
    : `\nProcesses went on behind the command, which is not in the table:\n\n${lines.join('')}`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`)
  return lines.join('')
}

function ratioWithRange(spread: Spread | undefined): string {
  if (spread === undefined) return '–'
  const [median, low, high] = [spread.median, spread.low, spread.high].map(ratioText)
  return low === high ? `${median}` : `${median} (${low} to ${high})`
}

/** Two digits behind the point, and below 0.1 two that count. */
function ratioText(value: number): string {
  if (value >= 10) return value.toFixed(0)
  return value >= 0.1 || value === 0 ? value.toFixed(2) : String(Number(value.toPrecision(2)))
}

function duration(seconds: number): string {
  if (seconds < 1) return `${seconds.toFixed(3)} s`
  return `${seconds < 100 ? seconds.toPrecision(3) : seconds.toFixed(0)} s`
}

function bytes(value: number): string {
  return value < 0 ? `−${size(-Math.round(value))}` : size(Math.round(value))
}

function sizeName(megabytes: number): string {
  return megabytes < 1000 ? `${megabytes} MB` : `${megabytes / 1000} GB`
}
