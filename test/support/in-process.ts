/**
 * The command line within the process of the tests: the same arguments, output and exit code without the start of a
 * program, for tests of what a verb does and says. What a process is has to be tested with that of cli.ts: signals,
 * users, memory, how it ends.
 */

import type { EventEmitter } from 'node:events'
import { main } from '../../src/cli/main.ts'
import { documentOf, type Ended, ownEnv, type RunOptions } from './cli.ts'

type Options = Omit<RunOptions, 'uid'>

let isRunning = false

/** `rowback` of cli.ts, one at a time: it takes this process' working directory, environment and output meanwhile. */
export async function rowback(args: readonly string[], { cwd, env }: Options = {}): Promise<Ended> {
  if (isRunning) throw new Error('this process can be one command line at a time')
  isRunning = true
  const giveBack = [takeDirectory(cwd), takeEnv({ ...ownEnv(), ...env }), takeListeners()]
  const [out, err] = [takeOutput(process.stdout), takeOutput(process.stderr)]
  try {
    const code = await main(args)
    return { code, stdout: out.text(), stderr: err.text() }
  } finally {
    for (const back of [out.giveBack, err.giveBack, ...giveBack]) back()
    isRunning = false
  }
}

/** `rowbackJson` of cli.ts in the same way. */
export function rowbackJson<T>(args: readonly string[], options: Options = {}): Promise<T> {
  return documentOf<T>(args, rowback([...args, '--json'], options))
}

function takeDirectory(cwd: string | undefined): () => void {
  const before = process.cwd()
  if (cwd !== undefined) process.chdir(cwd)
  return () => process.chdir(before)
}

function takeEnv(env: Record<string, string | undefined>): () => void {
  const before = { ...process.env }
  putEnv(env)
  return () => putEnv(before)
}

/** Sets the variables themselves: Node.js reads some of them past `process.env`. */
function putEnv(env: Record<string, string | undefined>): void {
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name]
  for (const [name, value] of Object.entries(env))
    if (value !== undefined && process.env[name] !== value) process.env[name] = value
}

/** What the program listens to until it ends. */
function takeListeners(): () => void {
  const listened: [EventEmitter, string][] = [
    [process, 'SIGINT'],
    [process, 'SIGTERM'],
    [process.stdout, 'error'],
    [process.stderr, 'error'],
  ]
  const before = listened.map(([emitter, event]) => emitter.listeners(event))
  return () => {
    for (const [index, [emitter, event]] of listened.entries())
      for (const listener of emitter.listeners(event))
        if (!before[index]?.includes(listener)) emitter.off(event, listener as () => void)
  }
}

function takeOutput(stream: NodeJS.WriteStream): { text(): string; giveBack(): void } {
  const { write } = stream
  let said = ''
  stream.write = (text: string | Uint8Array): boolean => {
    said += typeof text === 'string' ? text : Buffer.from(text).toString()
    return true
  }
  return {
    text: () => said,
    giveBack: () => {
      stream.write = write
    },
  }
}
