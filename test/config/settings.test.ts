import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSettings } from '../../src/config/settings.ts'
import { RowbackError } from '../../src/errors.ts'

const file = '/etc/rowback/rowback.yaml'

/** The lines of the message that a bad text gives, without the file's name. */
function problems(text: string): string[] {
  try {
    parseSettings(text, file)
  } catch (error) {
    if (!(error instanceof RowbackError)) throw error
    expect(error.code).toBe('usage')
    const [head, ...lines] = error.message.split('\n  ')
    expect(head).toBe(`read settings ${file}: ${lines.length} problem${lines.length === 1 ? '' : 's'}`)
    return lines.map((line) => {
      expect(line.startsWith(`${file}:`)).toBe(true)
      return line.slice(file.length + 1)
    })
  }
  throw new Error('the text was accepted')
}

describe('parseSettings', () => {
  it('fills in every default of an empty file', () => {
    const defaults = {
      remotes: [],
      retries: 4,
      branch: undefined,
      engine: 'auto',
      assets: { include: ['**'], exclude: [], rules: [], unstable: 'warn' },
      assetColumns: [],
      excludeTables: [],
      fullText: 'logical',
      extensions: [],
      verify: 'schema',
      hook: true,
      upkeep: 'auto',
      busyTimeoutMs: 10_000,
      lockTimeoutMs: 0,
    }
    for (const text of ['', '\n# nothing yet\n', '---\n', '{}', '\ufeff']) {
      expect(parseSettings(text, file)).toEqual(defaults)
    }
  })

  it('names what is wrong with rules and asset columns', () => {
    const text = `assets:
  rules:
    - { store: manifest }
    - { match: ['*'], over: 5 parsecs, store: annex, glob: x }
asset-columns:
  - { column: file, folder: ../up }
`
    expect(problems(text)).toEqual([
      '3: assets.rules: needs "match" or "over"',
      expect.stringMatching(/^4: assets.rules.over: is no size/),
      '4: assets.rules.store: expected "git" or "lfs" or "manifest", found "annex"',
      '4: assets.rules.glob: is not known',
      '6: asset-columns.table: is missing',
      expect.stringMatching(/^6: asset-columns.folder: is no directory of the source/),
    ])
  })

  it('names each choice that is missing or empty, with all else that is wrong', () => {
    const text = `assets:
  rules:
    - { match: [videos/] }
    - {}
    - { over: 1 GB, store: }
sign: { key: ./key }
signers: { required: often }
verify:
`
    const nothing = 'found nothing: give a value or remove the key'
    expect(problems(text)).toEqual([
      '3: assets.rules.store: is missing',
      '4: assets.rules.store: is missing',
      '4: assets.rules: needs "match" or "over"',
      `5: assets.rules.store: expected "git" or "lfs" or "manifest", ${nothing}`,
      '6: sign.format: is missing',
      '7: signers.required: expected true or false, found "often"',
      '7: signers: needs "ssh" or "openpgp"',
      `8: verify: expected "always" or "schema" or "never", ${nothing}`,
    ])
  })

  it('reads every key', () => {
    const text = `
source: data
repository: ../backups/app.git
remote: ssh://git@backup.example/app.git
remotes:
  - ./copy.git
  - { url: https://git.example/app.git, password-variable: APP_TOKEN }
retries: 2
branch: hosts/nas
engine: embedded
name: Linkding
assets:
  include: ['favicons/', '*.json']
  exclude:
    - cache/
  rules:
    - { match: [thumbs/, '*.iso'], over: 1.5 MB, store: manifest }
    - { over: 50 MB, store: lfs }
    - { over: 2000, store: git }
  unstable: fail
asset-columns:
  - { table: asset, column: file, folder: assets }
  - { database: app.db, table: bookmark, column: favicon }
exclude-tables: [session, "django_session"]
full-text: exact
extensions: [./vec0.so, /usr/lib/mod_x.so]
author: { name: Backup, email: backup@example.org }
sign: { format: ssh, key: ./key }
signers:
  ssh: allowed
  openpgp: [0123 4567 89ab cdef 0123  4567 89ab cdef 0123 4567]
verify: always
hook: false
upkeep: never
busy-timeout: 2.5
lock-timeout: 600
`
    expect(parseSettings(text, file)).toEqual({
      source: '/etc/rowback/data',
      repository: '/etc/backups/app.git',
      remote: 'ssh://git@backup.example/app.git',
      remotes: [
        { url: '/etc/rowback/copy.git' },
        { url: 'https://git.example/app.git', passwordVariable: 'APP_TOKEN' },
      ],
      retries: 2,
      branch: 'hosts/nas',
      engine: 'embedded',
      name: 'Linkding',
      assets: {
        include: ['favicons/', '*.json'],
        exclude: ['cache/'],
        rules: [
          { match: ['thumbs/', '*.iso'], overBytes: 1_500_000, store: 'manifest' },
          { match: undefined, overBytes: 50_000_000, store: 'lfs' },
          { match: undefined, overBytes: 2000, store: 'git' },
        ],
        unstable: 'fail',
      },
      assetColumns: [
        { table: 'asset', column: 'file', folder: 'assets' },
        { database: 'app.db', table: 'bookmark', column: 'favicon', folder: '' },
      ],
      excludeTables: ['session', 'django_session'],
      fullText: 'exact',
      extensions: ['/etc/rowback/vec0.so', '/usr/lib/mod_x.so'],
      author: { name: 'Backup', email: 'backup@example.org' },
      sign: { format: 'ssh', key: '/etc/rowback/key' },
      signers: {
        ssh: '/etc/rowback/allowed',
        openpgp: ['0123456789ABCDEF0123456789ABCDEF01234567'],
        required: false,
      },
      verify: 'always',
      hook: false,
      upkeep: 'never',
      busyTimeoutMs: 2500,
      lockTimeoutMs: 600_000,
    })
  })

  it('names what is wrong with keys and signers', () => {
    const text = `sign: { format: gpg, key: x, passphrase: y }
signers: { required: true, opengpg: [x] }
`
    expect(problems(text)).toEqual([
      '1: sign.format: expected "ssh" or "openpgp", found "gpg"',
      '1: sign.passphrase: is not known',
      '2: signers.opengpg: is not known; did you mean "openpgp"?',
      '2: signers: needs "ssh" or "openpgp"',
    ])
    expect(problems('signers: { required: true }')).toEqual(['1: signers: needs "ssh" or "openpgp"'])
    expect(problems('signers: { openpgp: [] }')).toEqual(['1: signers.openpgp: is empty'])
    expect(problems('signers: { openpgp: [0xABCDEF, backup@nas] }')).toEqual([
      '1: signers.openpgp: expected text, found 11259375',
      '1: signers.openpgp: is no fingerprint of 40 or 64 hexadecimal digits: gpg --list-keys shows it',
    ])
    expect(problems('sign: { format: openpgp, key: --output=x }')).toEqual([
      '1: sign.key: must not begin with "-"',
    ])
    expect(problems('sign: { format: ssh, key: ~/.ssh/id }')).toEqual([
      '1: sign.key: "~" is not expanded: write the whole path',
    ])
    expect(parseSettings('sign: { format: openpgp, key: a@b }', file).sign?.key).toBe('a@b')
  })

  it('keeps the default of the one asset list that is not given', () => {
    expect(parseSettings('assets: { exclude: [cache/] }', file).assets.include).toEqual(['**'])
  })

  it('resolves local paths against the directory of the file, and leaves URLs and remote names alone', () => {
    expect(parseSettings('source: /srv/data', file).source).toBe('/srv/data')
    expect(parseSettings('remote: ./copy.git', file).remote).toBe('/etc/rowback/copy.git')
    expect(parseSettings('remote: ../copy.git', file).remote).toBe('/etc/copy.git')
    expect(parseSettings('remote: copy.git', file).remote).toBe('/etc/rowback/copy.git')
    expect(parseSettings('remotes: [usb/copy]', file).remotes[0]?.url).toBe('/etc/rowback/usb/copy')
    const others = [
      '/srv/copy.git',
      'git@host:app.git',
      'https://host:8080/a@b.git',
      'file:///srv/a.git',
      'origin',
    ]
    for (const remote of [...others, 'C:\\copy.git', 'codecommit::eu-west-1://copy.git'])
      expect(parseSettings(`remote: ${remote}`, file).remote).toBe(remote)
  })

  it('reports every problem at once, in the order of lines', () => {
    const text = `source: [1]
remot: x
branch: "a..b"
assets:
  include: cache/
  exclude: [ok, 3]
  exlude: []
full-text: logicl
author:
  name: 7
hook: yes
busy-timeout: -1
exclude_tables: []
`
    expect(problems(text)).toEqual([
      '1: source: expected text, found a list',
      '2: remot: is not known; did you mean "remote"?',
      '3: branch: "a..b" is no name of a git branch',
      '5: assets.include: expected a list, found "cache/"',
      '6: assets.exclude: expected text, found 3',
      '7: assets.exlude: is not known; did you mean "exclude"?',
      '8: full-text: expected "logical" or "exact", found "logicl"',
      '9: author.email: is missing',
      '10: author.name: expected text, found 7',
      '11: hook: expected true or false, found "yes"',
      '12: busy-timeout: expected 0 to 2147483 seconds, found -1',
      '13: exclude_tables: is not known; did you mean "exclude-tables"?',
    ])
  })

  it('names the line of the bad item in a list', () => {
    expect(problems('assets:\n  exclude:\n    - a\n    - [b]\n    - "!c"\n    - ../d\n')).toEqual([
      '4: assets.exclude: expected text, found a list',
      '5: assets.exclude: a glob cannot begin with "!": use include and exclude',
      '6: assets.exclude: a glob cannot hold "..": it matches paths below the source',
    ])
  })

  it('reports a key that is given twice beside the other problems, also in a nested place', () => {
    expect(problems('branch: a\nhook: 1\nbranch: 2\nassets:\n  include: []\n  include: []\n')).toEqual([
      '2: hook: expected true or false, found 1',
      '3: branch: is given twice',
      '3: branch: expected text, found 2',
      '6: include: is given twice',
    ])
  })

  it('reports a syntax error with its line and trusts only what stands before it', () => {
    expect(problems('hook: 1\nassets:\n\tinclude: []\nbranch: 1\n')).toEqual([
      '1: hook: expected true or false, found 1',
      '3: syntax: tabs are not allowed as indentation',
    ])
    expect(problems('branch: main\n---\nbranch: other\n')).toEqual([
      '2: syntax: source contains multiple documents',
    ])
  })

  it('refuses tags and aliases, resolved or not', () => {
    expect(problems('name: !secret x')).toEqual(['1: syntax: a tag is not supported here'])
    expect(problems('hook: true\nname: *nothing')).toEqual(['2: syntax: an alias is not supported here'])
    expect(problems('name: &a x\nbranch: *a')).toEqual(['2: syntax: an alias is not supported here'])
  })

  it('refuses what is no mapping', () => {
    expect(problems('data/app.db')).toEqual(['1: settings: expected keys with values, found "data/app.db"'])
    expect(problems('- a')).toEqual(['1: settings: expected keys with values, found a list'])
  })

  it('refuses keys without a value, and keys that JavaScript gives a meaning', () => {
    expect(problems('remote:\n')).toEqual([
      '1: remote: expected text, found nothing: give a value or remove the key',
    ])
    expect(problems('__proto__: {}\nconstructor: 1\n')).toEqual([
      '1: __proto__: is not known',
      '2: constructor: is not known',
    ])
  })

  it('says that ~ is not expanded', () => {
    const text = 'source: ~/data\nrepository: ~root/x\nremote: "~"\n'
    expect(problems(text)).toEqual([
      '1: source: "~" is not expanded: write the whole path',
      '2: repository: "~" is not expanded: write the whole path',
      '3: remote: "~" is not expanded: write the whole path',
    ])
  })

  it('refuses texts that git or a terminal would take for something else', () => {
    expect(problems('remote: --upload-pack=x')).toEqual(['1: remote: must not begin with "-"'])
    const lines = [
      'remotes:',
      '  - -x',
      '  - { url: a, password: b }',
      '  - { url: a, password-variable: s3cr-t }',
    ]
    expect(problems(lines.join('\n'))).toEqual([
      '2: remotes.url: must not begin with "-"',
      '3: remotes.password: is not known; did you mean "password-variable"?',
      '4: remotes.password-variable: is no name of an environment variable: name the variable that holds the password, not the password',
    ])
    expect(problems('remotes: [5]\nretries: 1.5')).toEqual([
      '1: remotes: expected keys with values, found 5',
      '2: retries: expected a count from 0 to 20, found 1.5',
    ])
    expect(problems('branch: -x')).toEqual(['1: branch: must not begin with "-"'])
    expect(problems('name: "a\\nb"')).toEqual(['1: name: holds a control character or line end'])
    expect(problems('source: "  "')).toEqual(['1: source: is empty'])
    expect(problems('author: { name: "A <b", email: c }')).toEqual([
      '1: author.name: must not hold "<" or ">"',
    ])
    expect(problems('busy-timeout: .inf')).toEqual(['1: busy-timeout: expected a number, found Infinity'])
  })
})

it('throws nothing but a usage error with known lines, whatever the text', () => {
  const keys = ['source', 'assets', 'include', 'author', 'hook', 'busy-timeout', 'x', '<<']
  const marks = [
    ': ',
    '\n',
    '\n  ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    ', ',
    '"',
    "'",
    '&a ',
    '*a',
    '!t ',
    '|',
    '? ',
    '\t',
    '---',
    '#',
  ]
  const pieces = fc.array(fc.oneof(fc.constantFrom(...keys, ...marks), fc.string({ maxLength: 3 })))
  fc.assert(
    fc.property(pieces, (parts) => {
      const text = parts.join('')
      let lines: string[] = []
      try {
        parseSettings(text, file)
      } catch (error) {
        expect(error).toBeInstanceOf(RowbackError)
        lines = (error as RowbackError).message.split('\n').slice(1)
        expect(lines).not.toHaveLength(0)
      }
      for (const line of lines) {
        const number = Number(/^ {2}\/etc\/rowback\/rowback\.yaml:(\d+): \S/.exec(line)?.[1])
        expect(number).toBeGreaterThanOrEqual(1)
        expect(number).toBeLessThanOrEqual(text.split(/\r\n|\r|\n/).length)
      }
    }),
    { numRuns: 3000 },
  )
})

describe('a password in a settings file', () => {
  const secret = 'hunter2'
  const texts = [
    `remote: https://user:${secret}@host/app.git`,
    `remote: ssh://user:${secret}@host/app.git`,
    `remote: https://user:x/${secret}@host/app.git`,
    `remote: https://ghp_${secret}@github.com/a/b.git`,
    `remote: [ "https://user:${secret}@host/app.git" ]`,
    `remote: { url: x, password: ${secret} }`,
    `hook: https://user:${secret}@host/`,
    `- https://user:${secret}@host/`,
    `https://user:${secret}@host/`,
    `"https://user:${secret}@host/": 1`,
    `remote: https://user:${secret}@host/x "y"\n  z: 1\n`,
    `remote: "https://user:${secret}@host/x" trailing`,
    `remote: "${secret}\nhook: true\n`,
    `remote: |${secret}\n  x\n`,
    `remote: *${secret}`,
    `remote: !${secret} x`,
    `password: ${secret}`,
    `} https://user:${secret}@host/\n`,
    `remote: @${secret}`,
    `%${secret}\n---\nhook: 1`,
  ]

  it.each(texts)('is refused and never shown: %s', (text) => {
    expect(problems(text).join('\n')).not.toContain(secret)
  })

  it('is told apart from a user name and a port', () => {
    expect(problems('remote: https://user:pw@host/app.git')).toEqual([
      '1: remote: holds a password or token: leave it out and let a git credential helper or an SSH key provide it',
    ])
    expect(parseSettings('remote: https://user@host:8443/app.git', file).remote).toBe(
      'https://user@host:8443/app.git',
    )
  })
})
