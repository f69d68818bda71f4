/**
 * Loaded with --import, it kills the program at one of its steps: right before the call number ROWBACK_KILL_AT of all that
 * change a file or start a process. With ROWBACK_COUNT_TO, it writes to that file how many there were. With
 * ROWBACK_STOP_BEHIND it gets a SIGTERM at the step behind a rename to a file of that name, the ROWBACK_STOP_TIMES-th one.
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
const stopBehind = process.env.ROWBACK_STOP_BEHIND
let renamesLeft = Number(process.env.ROWBACK_STOP_TIMES ?? 1)
let steps = 0

function step() {
  steps += 1
  if (steps === killAt) process.kill(process.pid, 'SIGKILL')
  // Its handler runs here and now: a signal from outside comes between two steps, and not to be told which.
  if (stopBehind !== undefined && renamesLeft === 0) {
    renamesLeft = -1
    process.emit('SIGTERM')
  }
}

function watch(object, name) {
  const call = object[name]
  object[name] = function (...args) {
    step()
    if (name === 'rename' && stopBehind !== undefined && String(args[1]).endsWith(stopBehind)) {
      return call.apply(this, args).then(() => {
        renamesLeft -= 1
      })
    }
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
