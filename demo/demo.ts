/** The main job on a sample application: two backups, the log, the row diff, a restore and its proof. */

import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { changeSampleApp, createSampleApp } from './sample-app.ts'

const program = fileURLToPath(new URL('../../bin/rowback.js', import.meta.url))
const folder = 'demo-data'
const app = `${folder}/bookmarks`
const repository = `${folder}/backups.git`

function say(text: string): void {
  process.stdout.write(`\n# ${text}\n`)
}

/** Runs the command line as a user would, shows it, and ends the demo where it fails. */
function rowback(...args: string[]): void {
  process.stdout.write(`$ rowback ${args.join(' ')}\n`)
  const { status } = spawnSync(process.execPath, [program, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== 0) process.exit(status ?? 1)
}

rmSync(folder, { recursive: true, force: true })
say('A bookmark application: SQLite with full-text search, attachments, icons, settings.json.')
createSampleApp(app)
process.stdout.write(`made ${app}\n`)

say('Its first backup.')
rowback('backup', app, '--repo', repository)

say('A day later: bookmarks added, changed and removed, two attachments, other settings.')
changeSampleApp(app)
rowback('backup', app, '--repo', repository)

say('Nothing has changed since.')
rowback('backup', app, '--repo', repository)

say('The history.')
rowback('log', '--repo', repository)

say('What the day changed, in numbers and row by row.')
rowback('diff', 'latest~1', 'latest', '--stat', '--repo', repository)
rowback('diff', 'latest~1', 'latest', '--repo', repository)

say('The first day, brought back, and the proof that both days come back bit by bit.')
rowback('restore', 'latest~1', '--to', `${folder}/restored`, '--repo', repository)
rowback('verify', 'latest~1', 'latest', '--repo', repository)

process.stdout.write(`\nAll of it is in ${folder}/: look around with git -C ${repository} log -p\n`)
