/** A thread that dumps tables, and what it has posted. */

import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { packageRoot } from '../package.ts'
import { type DumpMessage, type DumpOrder, type DumpTask, stopped } from './dump-message.ts'

/** Pages of rows are small objects to V8, which would keep many; with 16 MB, as usual, 50 MB more at 3 GB of rows. */
const maxYoungGenerationSizeMb = 3

export class DumpThread {
  readonly #worker: Worker
  readonly #ended: Promise<unknown>
  readonly #used = new Int32Array(new SharedArrayBuffer(4))
  readonly #tasks: DumpTask[]
  readonly #waiting: DumpMessage[] = []
  #failure: Error | undefined
  #wake = (): void => {}

  /**
   * `tasks` are what all threads of a dump take from, one at a time: what is known of a large table is too much to be held
   * by each of them to the end.
   */
  constructor(order: Omit<DumpOrder, 'used'>, tasks: DumpTask[]) {
    const file = join(packageRoot, 'dist', 'program', 'dump-worker.js')
    const workerData = { ...order, used: this.#used } satisfies DumpOrder
    this.#tasks = tasks
    this.#worker = new Worker(file, { workerData, resourceLimits: { maxYoungGenerationSizeMb } })
    this.#worker.on('message', (message: DumpMessage) => {
      if (message.kind === 'table' || message.kind === 'checked') this.takeTask()
      this.#waiting.push(message)
      this.#wake()
    })
    this.#ended = new Promise((resolve) => this.#worker.once('exit', resolve))
    this.#worker.on('error', (error) => {
      this.#failure = error
      this.#wake()
    })
  }

  /** Waits for its first message: whether it has opened the database, and what it sees of it is fixed. */
  async hasBegun(): Promise<boolean> {
    try {
      return (await this.next()).message.kind === 'begun'
    } catch {
      return false
    }
  }

  /** Goes on with the next task, or ends behind the last one. */
  takeTask(): void {
    this.#worker.postMessage(this.#tasks.shift() ?? ({ kind: 'end' } satisfies DumpTask))
  }

  /** The next message, in the order they were posted. */
  async next(): Promise<{ thread: DumpThread; message: DumpMessage }> {
    for (;;) {
      const message = this.#waiting.shift()
      if (message) return { thread: this, message: message.kind === 'file' ? asBuffer(message) : message }
      if (this.#failure) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Makes room for so many kilobytes more. */
  use(size: number): void {
    Atomics.add(this.#used, 0, size)
    Atomics.notify(this.#used, 0)
  }

  async stop(): Promise<void> {
    Atomics.store(this.#used, 0, stopped)
    Atomics.notify(this.#used, 0)
    this.#worker.postMessage({ kind: 'end' } satisfies DumpTask)
    await this.#ended
  }
}

/** A Buffer arrives as the plain array of bytes that it is. */
function asBuffer(message: Extract<DumpMessage, { kind: 'file' }>): DumpMessage {
  if ('oid' in message.file) return message
  const { buffer, byteOffset, byteLength } = message.file.content
  return { ...message, file: { ...message.file, content: Buffer.from(buffer, byteOffset, byteLength) } }
}
