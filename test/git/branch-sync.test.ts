/** A branch whose new place is no more than in memory: the folder that holds its name cannot be synced. */

import { beforeEach, expect, test, vi } from 'vitest'
import type * as durable from '../../src/durable.ts'
import { commitFiles, testStore } from './testdir.ts'

const failing = vi.hoisted(() => ({ folder: '' }))

vi.mock('../../src/durable.ts', async (original) => {
  const real = await original<typeof durable>()
  return {
    ...real,
    syncDirectory: async (folder: string): Promise<void> => {
      if (failing.folder !== '' && folder.endsWith(failing.folder)) throw new Error('EIO: i/o error, fsync')
      await real.syncDirectory(folder)
    },
  }
})

beforeEach(() => {
  failing.folder = ''
})

test.each(['native', 'embedded'] as const)('is told as moved, by the %s engine.', async (engine) => {
  const store = await testStore({ engine })
  const parent = await commitFiles(store, { a: '1' })
  failing.folder = 'refs/heads'
  const error = await commitFiles(store, { a: '2' }, { parent }).catch((error) => error)
  const tip = await store.tip()
  expect(tip).not.toBe(parent)
  expect(error).toMatchObject({
    code: 'repository',
    message: `write ${store.dir}: EIO: i/o error, fsync; branch main has moved to ${tip?.slice(0, 12)}, which a power cut may undo`,
  })
})
