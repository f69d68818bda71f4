import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { collectGarbage, release, releaseArrays } from '../src/buffers.ts'

test('empties a buffer that has its memory for itself', () => {
  const content = Buffer.alloc(100_000, 1)
  const { buffer } = content
  release(content)
  expect([content.length, buffer.byteLength]).toEqual([0, 0])
  release(content)
})

test('leaves a buffer that shares its memory', () => {
  const whole = Buffer.alloc(100_000, 1)
  const [part, pooled] = [whole.subarray(10, 20), Buffer.from('abc')]
  release(part)
  release(pooled)
  expect([part.length, part[0], whole.length, pooled.toString()]).toEqual([10, 1, 100_000, 'abc'])
})

test('empties arrays, with all that lies in the same memory, and leaves those of shared memory', () => {
  const memory = new ArrayBuffer(2 ** 21)
  const [bytes, numbers, small] = [
    new Uint8Array(memory, 8),
    new BigUint64Array(memory),
    new Uint32Array([7]),
  ]
  const pooled = Buffer.from('abc')
  releaseArrays([numbers, small, pooled])
  expect([bytes.length, numbers.length, small[0], pooled.toString()]).toEqual([0, 0, 7, 'abc'])
})

test('collects what nothing holds any more', async () => {
  const gone = new WeakRef({ any: 'object' })
  // A WeakRef holds its object to the end of the turn that made it.
  await setImmediate()
  collectGarbage()
  expect(gone.deref()).toBeUndefined()
})
