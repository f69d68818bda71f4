import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { readSettings } from '../../src/config/read-settings.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rowback-settings-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

it('reads a file and resolves its paths against its own directory', async () => {
  const file = join(directory, 'rowback.yaml')
  await writeFile(file, 'source: data\nbranch: nas\n')
  expect(await readSettings(file)).toMatchObject({ source: join(directory, 'data'), branch: 'nas' })
})

it('names a file that is missing, a directory, or no text', async () => {
  const file = join(directory, 'rowback.yaml')
  await expect(readSettings(file)).rejects.toMatchObject({
    code: 'usage',
    message: `read settings ${file}: no such file`,
  })
  await expect(readSettings(directory)).rejects.toMatchObject({
    code: 'usage',
    message: `read settings ${directory}: it is a directory`,
  })
  await writeFile(file, Buffer.from([0x6e, 0x3a, 0xff]))
  await expect(readSettings(file)).rejects.toMatchObject({
    code: 'usage',
    message: `read settings ${file}: it is not UTF-8 text`,
  })
})
