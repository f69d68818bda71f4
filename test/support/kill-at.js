/**
 * Loaded with --import, it kills the program at one of its steps: right before the call number ROWBACK_KILL_AT of all that
 * change a file or start a process. With ROWBACK_COUNT_TO, it writes to that file how many there were.
 */

import childProcess from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { isMainThread } from 'node:worker_threads'

const isProgram = isMainThread && /rowback\.js$/.test(process.argv[1] ?? '')
const changing =
  /^(?:write|writev|rename|rm|rmdir|mkdir|mkdtemp|unlink|link|symlink|copyFile|chmod|lchown|chown|utimes|appendFile|truncate|fsync|writeFile)(?:Sync)?$/
const { writeFileSync } = fs
const killAt = Number(process.env.ROWBACK_KILL_AT ?? 0)
let steps = 0

function step() {
  steps += 1
  if (steps === killAt) process.kill(process.pid, 'SIGKILL')
}

function watch(object, name) {
  const call = object[name]
  object[name] = function (...args) {
    step()
    return call.apply(this, args)
  }
}

if (isProgram) {
  for (const name of Object.keys(fs)) if (changing.test(name)) watch(fs, name)
  for (const name of Object.keys(fs.promises)) if (changing.test(name)) watch(fs.promises, name)
  for (const name of ['spawn', 'fork']) watch(childProcess, name)
  const handle = await fs.promises.open(process.execPath, 'r')
  const prototype = Object.getPrototypeOf(handle)
  for (const name of ['write', 'writeFile', 'writev', 'sync', 'chmod', 'utimes', 'truncate'])
    if (name in prototype) watch(prototype, name)
  await handle.close()
  syncBuiltinESMExports()
  const countTo = process.env.ROWBACK_COUNT_TO
  if (countTo) process.on('exit', () => writeFileSync(countTo, String(steps)))
}
