/**
 * A thread in which SQLite replays a dump. Only a process that may be killed starts one: a thread that is inside SQLite
 * cannot be ended, and what a commit holds may compute without end there.
 */

import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { packageRoot } from '../package.ts'
import { revivedError } from './plain-error.ts'
import type { Answer, Order } from './replay-message.ts'

/** Bytes of SQL that may wait for the thread. */
const aheadBytes = 2 ** 22

/** Carries out orders in turn, until one fails. */
export class ReplayThread {
  private readonly worker: Worker
  private readonly answers: Answer[] = []
  private readonly ended: Promise<unknown>
  private waiting = 0
  private failure: Error | undefined
  private wake = (): void => {}

  constructor() {
    this.worker = new Worker(join(packageRoot, 'dist', 'program', 'replay-worker.js'))
    this.worker.on('message', (answer: Answer) => {
      if (answer.kind === 'ran') this.waiting -= answer.bytes
      else if (answer.kind === 'failed') this.failure = revivedError(answer.error)
      else this.answers.push(answer)
      this.wake()
    })
    this.worker.on('error', (error) => {
      this.failure = error
      this.wake()
    })
    this.ended = new Promise((resolve) => this.worker.once('exit', resolve))
  }

  /** Hands an order over and waits while too many are waiting. Throws what an order before has failed with. */
  async send(order: Order): Promise<void> {
    if (order.kind === 'statement') this.waiting += Buffer.byteLength(order.sql)
    if (order.kind === 'rows') this.waiting += order.content.length
    this.worker.postMessage(order, order.kind === 'rows' ? ownBuffer(order.content) : [])
    while (this.waiting > aheadBytes && !this.failure) await this.news()
    if (this.failure) throw this.failure
  }

  /** Hands an order over and returns its answer. */
  async ask(order: Order): Promise<Answer> {
    await this.send(order)
    for (;;) {
      if (this.failure) throw this.failure
      const answer = this.answers.shift()
      if (answer) return answer
      await this.news()
    }
  }

  /** Returns when the thread is gone; to be called when it has answered. */
  async end(): Promise<void> {
    this.worker.postMessage({ kind: 'end' } satisfies Order)
    await this.ended
  }

  private news(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve
    })
  }
}

/** A buffer of its own changes hands; a part of a pool is copied. */
function ownBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  return buffer.byteLength === byteLength ? [buffer as ArrayBuffer] : []
}
