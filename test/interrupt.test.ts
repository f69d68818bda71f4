import { expect, test } from 'vitest'
import { interrupt, onInterrupt } from '../src/interrupt.ts'

test('An undoing that fails, as on a disk that is read-only, keeps no other one from being done.', () => {
  const done: string[] = []
  onInterrupt(() => done.push('first'))
  onInterrupt(() => {
    throw new Error('EROFS: read-only file system')
  })
  onInterrupt(() => done.push('last'))
  interrupt()
  expect(done).toEqual(['last', 'first'])
  interrupt()
  expect(done).toHaveLength(2)
})
