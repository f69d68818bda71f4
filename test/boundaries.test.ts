import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', 'src')

/** Every import of every source file: [file, what it imports], relative to `src/` or a package's name. */
const imports = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8')
    return [...text.matchAll(/^(?:import|export)[^'"]*?from '([^']+)'/gm)].map(([, target]) => {
      const found = target as string
      return [file, found.startsWith('.') ? relative(root, join(root, dirname(file), found)) : found] as const
    })
  })

function importsOf(folder: string): string[] {
  return imports.filter(([file]) => file.startsWith(`${folder}/`)).map(([, target]) => target)
}

describe('who may import what', () => {
  it('src/dump is pure: itself, errors, memory, zod and hashing', () => {
    const allowed = /^(?:dump\/|errors\.ts$|buffers\.ts$|zod$|node:crypto$|node:buffer$)/
    expect(importsOf('dump').filter((target) => !allowed.test(target))).toEqual([])
  })

  it('src/sqlite knows neither git nor assets', () => {
    expect(importsOf('sqlite').filter((target) => /^(?:git|assets|config|cli)\//.test(target))).toEqual([])
  })

  it('src/git and src/assets know neither SQLite nor dumps', () => {
    const others = [...importsOf('git'), ...importsOf('assets')]
    expect(others.filter((target) => /^(?:sqlite|dump|config|cli)\/|better-sqlite3/.test(target))).toEqual([])
  })

  it('only src/cli prints, reads arguments or the environment, or ends the process', () => {
    const offenders = readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && !file.startsWith('cli/'))
      .filter((file) =>
        /\bconsole\.|(?<![.\w])process\.(?:stdout|stderr|argv|exit)\b/.test(
          readFileSync(join(root, file), 'utf8'),
        ),
      )
    expect(offenders).toEqual([])
    expect(imports.filter(([file, target]) => !file.startsWith('cli/') && target.startsWith('cli/'))).toEqual(
      [],
    )
  })

  it('each package is imported in one folder', () => {
    const users = new Map<string, Set<string>>()
    for (const [file, target] of imports) {
      if (target.startsWith('node:') || target.endsWith('.ts')) continue
      users.set(target, (users.get(target) ?? new Set()).add(file.includes('/') ? dirname(file) : file))
    }
    expect([...(users.get('simple-git') ?? [])]).toEqual(['git'])
    expect([...(users.get('commander') ?? [])]).toEqual(['cli'])
    expect([...(users.get('yaml') ?? [])]).toEqual(['config'])
  })
})
