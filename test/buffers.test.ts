import { expect, test } from 'vitest'
import { release } from '../src/buffers.ts'

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
