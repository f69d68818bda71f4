/** What is made durable, and what may not pass for it. */

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { syncDirectory, syncFile } from '../src/durable.ts'
import { tempDir } from './support/temp.ts'

describe('Syncing', () => {
  test('a file and a directory works, by names that are bytes too.', async () => {
    const dir = tempDir()
    writeFileSync(join(dir, 'file'), 'x')
    await syncFile(join(dir, 'file'))
    await syncDirectory(dir)
    await syncDirectory(Buffer.from(dir))
  })

  test('what is gone is an error: nobody may rely on it.', async () => {
    const gone = join(tempDir(), 'gone')
    await expect(syncFile(gone)).rejects.toMatchObject({ code: 'ENOENT' })
    await expect(syncDirectory(gone)).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
