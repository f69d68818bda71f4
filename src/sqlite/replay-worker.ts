/** The thread of `ReplayThread`: SQLite beside the check of what it is to run. */

import { parentPort } from 'node:worker_threads'
import { release } from '../buffers.ts'
import { utf8Text } from '../dump/literal.ts'
import { checkReplayed } from './check-replayed.ts'
import { plainError } from './plain-error.ts'
import type { Answer, Order } from './replay-message.ts'
import { ReplayTarget } from './replay-target.ts'

/** Of a row file: one of its rows is long, and the text of a statement would be held again and again. */
const longBytes = 2 ** 20

let target: ReplayTarget
let hasFailed = false

function carryOut(order: Order): Answer | undefined {
  switch (order.kind) {
    case 'open':
      target = new ReplayTarget(order.target, order.extensions)
      return undefined
    case 'statement': {
      const bytes = Buffer.byteLength(order.sql)
      target.runStatement(order.path, order.sql, bytes)
      return { kind: 'ran', bytes }
    }
    case 'rows': {
      const { buffer, byteOffset, byteLength: bytes } = order.content
      const content = Buffer.from(buffer, byteOffset, bytes)
      if (bytes > longBytes) target.insertValues(order, content)
      else target.insertRows(order, utf8Text(content), bytes)
      release(content)
      return { kind: 'ran', bytes }
    }
    case 'finish':
      target.finish()
      return { kind: 'done' }
    case 'settle':
      return { kind: 'done' }
    case 'check':
      return { kind: 'checked', ...checkReplayed(order.file, order.extensions) }
    case 'end':
      parentPort?.close()
      return undefined
  }
}

parentPort?.on('message', (order: Order) => {
  if (hasFailed && order.kind !== 'end') return
  try {
    const answer = carryOut(order)
    if (answer) parentPort?.postMessage(answer)
  } catch (error) {
    hasFailed = true
    parentPort?.postMessage({ kind: 'failed', error: plainError(error) } satisfies Answer)
  }
})
