import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { program } from '../src/cli/main.ts'
import { settingsFile } from '../src/config/settings-schema.ts'
import { repositoryReadme } from '../src/dump/readme.ts'
import { exitCodes } from '../src/errors.ts'
import * as api from '../src/index.ts'
import { version } from '../src/package.ts'

const root = join(import.meta.dirname, '..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

describe('the README', () => {
  it.each(program().commands.map((command) => [command.name(), command] as const))(
    'names the verb %s and each of its flags',
    (name, command) => {
      expect(readme).toMatch(new RegExp(`\\| \`${name}[ \`]`))
      for (const option of command.options) expect(readme).toContain(option.long)
    },
  )

  it.each(Object.entries(exitCodes))('names exit code %s', (_, code) => {
    expect(readme).toMatch(new RegExp(`^\\| ${code} \\|`, 'm'))
  })

  it('names every key of a settings file', () => {
    for (const key of Object.keys(settingsFile.shape)) expect(readme).toMatch(new RegExp(`^${key}:`, 'm'))
  })

  it('has the test command where CI looks for it', () => {
    expect(readme).toMatch(/<!-- test-command -->\nRun the tests:\n\n```sh\nnpm ci && npm test\n```/)
  })
})

describe('the guarantees', () => {
  const guarantees = readFileSync(join(root, 'docs', 'guarantees.md'), 'utf8')
  const named = [...guarantees.matchAll(/`(test\/[^`]+)`(?: "([^"]+)")?/g)]

  it.each(named.map(([, file = '', words = '']) => [file, words]))(
    'name tests that exist: %s %s',
    (file, words) => {
      expect(readFileSync(join(root, file), 'utf8')).toContain(words)
    },
  )
})

describe('the help', () => {
  it('names every exit code', () => {
    let help = ''
    program()
      .configureOutput({
        writeOut: (text) => {
          help += text
        },
      })
      .outputHelp()
    for (const code of Object.values(exitCodes)) expect(help).toMatch(new RegExp(`\\b${code}  \\S`))
  })
})

describe('the public API', () => {
  it('is these names', () => {
    expect(Object.keys(api).sort()).toEqual([
      'RowbackError',
      'backup',
      'clone',
      'diff',
      'exitCodes',
      'log',
      'parseSettings',
      'push',
      'readSettings',
      'restore',
      'restoreFile',
      'restoreInPlace',
      'restoreTable',
      'show',
      'undo',
      'verify',
      'verifyAll',
    ])
  })
})

describe('the version', () => {
  it('is that of the changelog', () => {
    expect(readFileSync(join(root, 'CHANGELOG.md'), 'utf8')).toContain(`## ${version}`)
  })
})

describe('the README of a repository', () => {
  it('never changes within format 1', async () => {
    const { blobOid } = await import('../src/git/tree.ts')
    expect(blobOid(Buffer.from(repositoryReadme))).toBe('ee7f52822ee7df56ebea59933ae4572f28ecb990')
  })
})

describe('the documents', () => {
  it('link only to files that exist', () => {
    for (const file of [
      'README.md',
      'CONTRIBUTING.md',
      ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`),
    ]) {
      const text = readFileSync(join(root, file), 'utf8')
      for (const [, target] of text.matchAll(/\]\(([^)#]+)\)/g)) {
        const path = join(root, file, '..', target as string)
        expect(() => readFileSync(path), `${file} links to ${target}`).not.toThrow()
      }
    }
  })
})
