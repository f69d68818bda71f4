/** The two streams that the command line prints to: whose reader may go, and whose disk may be full. */

import { fstatSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { errorText, hasErrno } from '../errors.ts'

type Name = 'stdout' | 'stderr'

/** Why nothing more is written to a stream. */
const ended: Record<Name, unknown> = { stdout: undefined, stderr: undefined }

/** To be called once, before anything is printed: what a stream fails with is kept, and ends no verb. */
export function watchStreams(): void {
  for (const name of ['stdout', 'stderr'] as const) {
    ended[name] = undefined
    process[name].on('error', (error) => end(name, error))
  }
  // Node.js takes a text of which a full disk had room for a part as written.
  if (isFileOrDevice(1)) process.stdout._write = writeWhole
}

/** Writes to a stream; nothing once that has failed. */
export function print(name: Name, text: string): void {
  if (ended[name] === undefined) process[name].write(text)
}

/**
 * What is printed, until nobody reads it or it cannot be written: what gives these items is ended then. A reader that is
 * slow is waited for.
 */
export async function* whileRead<T>(items: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const item of items) {
    if (ended.stdout === undefined && process.stdout.writableNeedDrain) await drained()
    if (ended.stdout !== undefined) return
    yield item
  }
}

/** Why a part of what was printed to stdout is lost; undefined where none is, or only as its reader has gone. */
export async function stdoutFault(): Promise<string | undefined> {
  // A stream tells its errors a turn later.
  await new Promise((resolve) => setImmediate(resolve))
  const error = ended.stdout
  if (error === undefined || hasErrno(error, 'EPIPE', 'ECONNRESET')) return undefined
  return errorText(error).replace(/^E[A-Z]+: (.*), write$/, '$1')
}

function end(name: Name, error: unknown): void {
  ended[name] ??= error
}

function drained(): Promise<void> {
  const { stdout } = process
  return new Promise((resolve) => {
    const settle = (): void => {
      for (const event of ['drain', 'error']) stdout.off(event, settle)
      resolve()
    }
    for (const event of ['drain', 'error']) stdout.on(event, settle)
  })
}

/** Whether it is neither a terminal nor leads to another process. */
function isFileOrDevice(descriptor: number): boolean {
  try {
    const stats = fstatSync(descriptor)
    return stats.isFile() || (stats.isCharacterDevice() && !isatty(descriptor))
  } catch {
    return false
  }
}

/** `_write` of a stream whose chunks are bytes. */
function writeWhole(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
  try {
    for (let written = 0; written < chunk.length; ) written += writeSync(1, chunk, written)
    callback()
  } catch (error) {
    callback(error as Error)
  }
}
