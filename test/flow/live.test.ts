/** Backups of a database that is in use: consistent, complete up to the last commit, and without a trace. */

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { contents, documentOf, projectRoot, rowback as rowbackProcess } from '../support/cli.ts'
import { databaseFrom, facts, openApplication } from '../support/database.ts'
import { filesOf } from '../support/git.ts'
import { hazards } from '../support/hazards.ts'
import { rowback, rowbackJson } from '../support/in-process.ts'
import { canRunAsNobody, nobody } from '../support/rights.ts'
import { tempDir } from '../support/temp.ts'

const accounts = 400

/** Accounts that are spread over many pages, so that a torn copy would show, and a ledger. */
const bank = `CREATE TABLE account(id INTEGER PRIMARY KEY, balance INT, moves INT, note TEXT);
  CREATE TABLE ledger(id INTEGER PRIMARY KEY AUTOINCREMENT, amount INT);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<${accounts})
  INSERT INTO account SELECT i, 1000, 0, hex(zeroblob(400)) FROM n;`

/** Starts the application of writer.js; it is killed when the test ends. */
async function startWriter(file: string, journalMode: string): Promise<() => Promise<void>> {
  const script = join(projectRoot, 'test', 'support', 'writer.js')
  const writer = spawn(process.execPath, [script, file, journalMode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(writer, 'close')
  const kill = async () => {
    writer.kill('SIGKILL')
    await closed
  }
  onTestFinished(kill)
  await once(writer.stdout, 'data')
  return kill
}

/** The count of transactions that a restored bank holds; throws where they are not whole. */
function transactions(file: string): number {
  const db = new Database(file, { readonly: true })
  try {
    const row = db
      .prepare(
        `SELECT (SELECT sum(balance) FROM account) balance, (SELECT sum(moves) FROM account) moves,
          (SELECT count(*) FROM ledger) ledger, (SELECT seq FROM sqlite_sequence WHERE name='ledger') sequence`,
      )
      .get() as { balance: number; moves: number; ledger: number; sequence: number }
    const { ledger } = row
    expect(row).toEqual({ balance: accounts * 1000, moves: 2 * ledger, ledger, sequence: ledger })
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    return ledger
  } finally {
    db.close()
  }
}

async function restored(repository: string, rev = 'latest', file = 'app.db'): Promise<string> {
  const output = join(tempDir(), 'restored.db')
  await rowbackJson(['restore', rev, '--file', file, '--output', output, '--repo', repository])
  return output
}

/** `dir/data/app.db` and a place for the repository. */
function place(sql: string): { dir: string; data: string; source: string; repository: string } {
  const dir = tempDir()
  const data = join(dir, 'data')
  mkdirSync(data)
  return { dir, data, source: databaseFrom(sql, join(data, 'app.db')), repository: join(dir, 'repo.git') }
}

/** What lies in the folder of the source but for the shared memory, where readers note what they read. */
function sourceFiles(data: string): string[] {
  return contents(data, ['app.db-shm'])
}

describe('a database that is written to all the time', () => {
  for (const [mode, runs] of [
    ['WAL', 3],
    ['DELETE', 3],
    ['TRUNCATE', 2],
    ['PERSIST', 2],
  ] as const)
    test(`gives only whole transactions in ${runs} backups in ${mode} mode.`, async () => {
      const { data, source, repository } = place(bank)
      const kill = await startWriter(source, mode)
      const commits: string[] = []
      for (let run = 0; run < runs; run++) {
        const { commit } = await rowbackJson<{ commit: string }>(['backup', source, '--repo', repository])
        commits.push(commit)
      }
      await kill()
      expect(new Set(commits).size).toBe(runs)
      const counts: number[] = []
      for (const commit of commits) counts.push(transactions(await restored(repository, commit)))
      expect(counts).toEqual([...counts].sort((a, b) => a - b))
      expect(counts[0]).toBeGreaterThan(0)
      expect(new Set(counts).size).toBe(runs)

      // What the dead application has left is backed up too, and left as it is.
      const before = sourceFiles(data)
      await rowbackJson(['backup', source, '--repo', repository])
      expect(sourceFiles(data)).toEqual(before)
      expect(transactions(await restored(repository))).toBeGreaterThanOrEqual(counts.at(-1) as number)
      // What was taken over from backup to backup is what there is.
      const args = ['backup', source, '--full', '--repo', repository]
      expect(await rowbackJson(args)).toMatchObject({ read: 'all', subject: 'nothing changed' })
    })

  for (const mode of ['WAL', 'DELETE'])
    test(`gives only whole transactions where it is large in ${mode} mode.`, async () => {
      const { data, source, repository } = place(`${bank}
        CREATE TABLE ballast(id INTEGER PRIMARY KEY, b BLOB);
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<5000)
        INSERT INTO ballast SELECT i, randomblob(3000) FROM n;`)
      expect(statSync(source).size).toBeGreaterThan(15_000_000)
      const kill = await startWriter(source, mode)
      for (let run = 0; run < 2; run++) {
        await rowbackJson(['backup', source, '--repo', repository])
        expect(transactions(await restored(repository))).toBeGreaterThan(0)
      }
      await kill()
      expect(sourceFiles(data).some((line) => line.startsWith('app.db-wal'))).toBe(mode === 'WAL')
    })

  test('gives only whole transactions as one of the databases of a directory.', async () => {
    const { data, source, repository } = place(bank)
    writeFileSync(join(data, 'settings.json'), '{}')
    await startWriter(source, 'WAL')
    for (let run = 0; run < 2; run++) await rowbackJson(['backup', data, '--repo', repository])
    expect([...filesOf(repository, 'main').keys()].filter((path) => path.startsWith('assets/'))).toEqual([
      'assets/settings.json',
    ])
    expect(transactions(await restored(repository))).toBeGreaterThan(0)
  })
})

const notes = `CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1,'first'),(2,'second')`
const change = `PRAGMA wal_autocheckpoint=0; INSERT INTO note VALUES (3,'not yet checkpointed')`

/** The facts of a database with its WAL or journal applied, found in a copy. */
function committedFacts(data: string): string[] {
  const copy = tempDir()
  for (const ending of ['', '-wal', '-journal'])
    if (existsSync(join(data, `app.db${ending}`)))
      copyFileSync(join(data, `app.db${ending}`), join(copy, `app.db${ending}`))
  const db = new Database(join(copy, 'app.db'))
  db.prepare('SELECT count(*) FROM sqlite_schema').get()
  db.close()
  return facts(join(copy, 'app.db'))
}

describe('a database in WAL mode', () => {
  test('that is idle gets no files beside it.', async () => {
    const { data, source, repository } = place(`PRAGMA journal_mode=WAL; ${notes}`)
    const before = contents(data)
    expect(before).toHaveLength(1)
    await rowbackJson(['backup', source, '--repo', repository])
    await rowbackJson(['backup', source, '--repo', repository])
    expect(contents(data)).toEqual(before)
    expect(facts(await restored(repository))).toEqual(facts(source))
  })

  test('that is open is backed up with what is not checkpointed, and its WAL is kept.', async () => {
    const { data, source, repository } = place(`PRAGMA journal_mode=WAL; ${notes}`)
    const application = await openApplication(source, change)
    const before = sourceFiles(data)
    expect(statSync(join(data, 'app.db-wal')).size).toBeGreaterThan(0)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(sourceFiles(data)).toEqual(before)
    await application.end()
    expect(readFileSync(source).includes('not yet checkpointed')).toBe(true)
    expect(facts(await restored(repository))).toEqual(facts(source))
  })

  test('that is open and has names that are not UTF-8 is backed up, proved and left alone.', async () => {
    const { data, source, repository } = place(
      `PRAGMA journal_mode=WAL; ${notes}; ${hazards['names and definitions that are not UTF-8']}`,
    )
    const application = await openApplication(source, change)
    const before = sourceFiles(data)
    await rowbackJson(['backup', source, '--repo', repository])
    await rowbackJson(['verify', '--repo', repository])
    expect(sourceFiles(data)).toEqual(before)
    await application.end()
    expect(facts(await restored(repository))).toEqual(facts(source))
  })

  test('that a dead application has left open keeps its WAL.', async () => {
    const { data, source, repository } = place(`PRAGMA journal_mode=WAL; ${notes}`)
    await (await openApplication(source, change)).kill()
    const before = sourceFiles(data)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(sourceFiles(data)).toEqual(before)
    expect(facts(await restored(repository))).toEqual(committedFacts(data))
    expect(committedFacts(data).join()).toContain(Buffer.from('not yet checkpointed').toString('hex'))
  })

  test('whose WAL is there without shared memory is backed up with it, and nothing is made.', async () => {
    const { data, source, repository } = place(`PRAGMA journal_mode=WAL; ${notes}`)
    await (await openApplication(source, change)).kill()
    rmSync(join(data, 'app.db-shm'))
    const before = contents(data)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(contents(data)).toEqual(before)
    expect(facts(await restored(repository))).toEqual(committedFacts(data))
  })

  test('whose WAL ends in the middle of a page, and in leftovers, is backed up as far as it goes.', async () => {
    const { data, source, repository } = place(`PRAGMA journal_mode=WAL; ${notes}`)
    const wal = join(data, 'app.db-wal')
    await (await openApplication(source, `${change}; INSERT INTO note VALUES (4,'torn')`)).kill()
    rmSync(join(data, 'app.db-shm'))
    const whole = readFileSync(wal)
    for (const torn of [
      whole.subarray(0, -100),
      Buffer.concat([whole.subarray(0, -4120), Buffer.alloc(9000, 7)]),
    ]) {
      writeFileSync(wal, torn)
      const before = contents(data)
      await rowbackJson(['backup', source, '--repo', repository])
      expect(contents(data)).toEqual(before)
      const found = facts(await restored(repository))
      expect(found).toEqual(committedFacts(data))
      expect(found.join()).toContain(Buffer.from('not yet checkpointed').toString('hex'))
      expect(found.join()).not.toContain(Buffer.from('torn').toString('hex'))
    }
  })

  for (const [name, drop] of Object.entries({ with: false, without: true }))
    test(`that was put back from before, ${name} the shared memory, is backed up with the WAL that SQLite finds.`, async () => {
      const { data, source, repository } = place(notes)
      const old = readFileSync(source)
      await (await openApplication(source, `PRAGMA journal_mode=WAL; ${change}`)).kill()
      writeFileSync(source, old)
      if (drop) rmSync(join(data, 'app.db-shm'))
      const before = sourceFiles(data)
      await rowbackJson(['backup', source, '--repo', repository])
      expect(sourceFiles(data)).toEqual(before)
      expect(existsSync(join(data, 'app.db-shm'))).toBe(!drop)
      // While the WAL is there the mode is WAL, though the header says otherwise.
      const withoutMode = (lines: string[]) => lines.filter((line) => !line.startsWith('journal_mode'))
      const found = withoutMode(facts(await restored(repository)))
      expect(found).toEqual(withoutMode(committedFacts(data)))
      expect(found.join()).toContain(Buffer.from('not yet checkpointed').toString('hex'))
    })

  test('that an application keeps for itself alone is backed up with its WAL.', async () => {
    const { data, source, repository } = place(`PRAGMA journal_mode=WAL; ${notes}`)
    await openApplication(source, `PRAGMA locking_mode=EXCLUSIVE; ${change}`)
    const before = contents(data)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(contents(data)).toEqual(before)
    expect(facts(await restored(repository))).toEqual(committedFacts(data))
  })

  test('is backed up without what is not committed.', async () => {
    const { source, repository } = place(`PRAGMA journal_mode=WAL; ${notes}`)
    const committed = facts(source)
    await openApplication(source, `BEGIN; ${change}`)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(facts(await restored(repository))).toEqual(committed)
  })
})

/** Leaves `data/app.db` in the middle of a large transaction, with its journal; returns the facts from before. */
async function leaveHotJournal(data: string, source: string): Promise<string[]> {
  const committed = facts(source)
  const bytes = readFileSync(source)
  const elsewhere = join(tempDir(), 'app.db')
  renameSync(source, elsewhere)
  const application = await openApplication(
    elsewhere,
    `PRAGMA cache_size=2; PRAGMA cache_spill=ON; BEGIN; UPDATE account SET balance=0, note=hex(randomblob(400))`,
  )
  execFileSync('cp', [elsewhere, `${elsewhere}-journal`, data])
  await application.end()
  expect(readFileSync(source).equals(bytes)).toBe(false)
  return committed
}

describe('a database with an odd header', () => {
  test('that reserves bytes of each page is backed up.', async () => {
    const { data, source, repository } = place(`.filectrl reserve_bytes 24\n${bank} VACUUM;`)
    expect(readFileSync(source)[20]).toBe(24)
    const before = contents(data)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(contents(data)).toEqual(before)
    expect(facts(await restored(repository))).toEqual(facts(source))
  })

  test('whose change counter is wrong, so that its count of pages says nothing, is backed up.', async () => {
    const { data, source, repository } = place(bank)
    const bytes = readFileSync(source)
    bytes.writeUInt32BE(bytes.readUInt32BE(24) + 5, 24)
    bytes.writeUInt32BE(999_999, 28)
    writeFileSync(source, bytes)
    const before = contents(data)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(contents(data)).toEqual(before)
    expect(facts(await restored(repository))).toEqual(facts(source))
  })
})

describe('a database in rollback-journal mode', () => {
  test('is backed up beside a transaction that is not committed.', async () => {
    const { data, source, repository } = place(notes)
    const committed = facts(source)
    await openApplication(source, `BEGIN IMMEDIATE; INSERT INTO note VALUES (3,'third')`)
    const before = contents(data)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(contents(data)).toEqual(before)
    expect(facts(await restored(repository))).toEqual(committed)
  })

  test('with a hot journal is backed up as it was before the transaction, and stays as it is.', async () => {
    const { data, source, repository } = place(bank)
    const committed = await leaveHotJournal(data, source)
    const before = contents(data)
    expect(before).toHaveLength(2)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(contents(data)).toEqual(before)
    const copy = await restored(repository)
    expect(facts(copy)).toEqual(committed)
    expect(facts(copy)).toEqual(committedFacts(data))
  })

  const damages: Record<string, (journal: Buffer) => Buffer> = {
    'that ends early': (journal) => journal.subarray(0, 2000),
    'that is no more than its header': (journal) => journal.subarray(0, 28),
    'with a page that is damaged': (journal) => {
      const damaged = Buffer.from(journal)
      damaged.writeUInt8(journal.readUInt8(512 + 4 + 4096 - 200) ^ 1, 512 + 4 + 4096 - 200)
      return damaged
    },
    'of pages that it does not have': (journal) => {
      const damaged = Buffer.from(journal)
      damaged.writeUInt32BE(1_000_000, 512)
      return damaged
    },
  }
  for (const [name, damage] of Object.entries(damages))
    test(`with a hot journal ${name} is refused, and stays as it is.`, async () => {
      const { data, source, repository } = place(bank)
      await leaveHotJournal(data, source)
      writeFileSync(`${source}-journal`, damage(readFileSync(`${source}-journal`)))
      const before = contents(data)
      const { code, stderr } = await rowback(['backup', source, '--repo', repository])
      expect(stderr).toContain(
        `read ${source}: the journal of an unfinished transaction is damaged, so that it cannot be rolled back; nothing`,
      )
      expect(code).toBe(10)
      expect(contents(data)).toEqual(before)
    })

  test('is backed up where the journal of the last transaction was kept.', async () => {
    const { data, source, repository } = place(`PRAGMA journal_mode=PERSIST; ${notes}`)
    const before = contents(data)
    expect(before).toHaveLength(2)
    await rowbackJson(['backup', source, '--repo', repository])
    expect(contents(data)).toEqual(before)
    expect(facts(await restored(repository))).toEqual(committedFacts(data))
  })

  test('that is locked for a moment is waited for.', async () => {
    const { source, repository } = place(notes)
    const application = await openApplication(source, 'BEGIN EXCLUSIVE')
    const backup = rowbackJson(['backup', source, '--repo', repository])
    setTimeout(() => void application.end(), 1500)
    await backup
    expect(facts(await restored(repository))).toEqual(facts(source))
  })
})

describe('a database behind a symlink', () => {
  for (const mode of ['WAL', 'DELETE'])
    test(`is backed up with what belongs to the real file in ${mode} mode.`, async () => {
      const { dir, data, source, repository } = place(`PRAGMA journal_mode=${mode}; ${notes}`)
      const link = join(dir, 'link.db')
      symlinkSync(join('data', 'app.db'), link)
      await openApplication(source, change)
      const before = sourceFiles(data)
      await rowbackJson(['backup', link, '--repo', repository])
      expect(sourceFiles(data)).toEqual(before)
      expect(existsSync(`${link}-shm`)).toBe(false)
      expect(facts(await restored(repository, 'latest', 'link.db'))).toEqual(committedFacts(data))
    })
})

describe('a database in a folder that the user may not write to', () => {
  /** A source that root owns, and a home of the other user's for the repository. */
  function foreignPlace(sql: string) {
    const found = place(sql)
    for (const path of [found.dir, found.data]) chmodSync(path, 0o755)
    const home = join(found.dir, 'home')
    mkdirSync(home)
    chownSync(home, nobody, nobody)
    return {
      ...found,
      repository: join(home, 'repo.git'),
      options: { uid: nobody, cwd: home, env: { HOME: home } },
    }
  }

  const states: Record<string, (found: { data: string; source: string }) => Promise<unknown>> = {
    'that is idle in WAL mode': async ({ source }) =>
      execFileSync('sqlite3', [source, 'PRAGMA journal_mode=WAL']),
    'that is open in WAL mode': ({ source }) =>
      openApplication(
        source,
        'PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; UPDATE account SET moves=moves',
      ),
    'that a dead application has left in WAL mode': async ({ source }) =>
      (
        await openApplication(
          source,
          'PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; UPDATE account SET moves=moves',
        )
      ).kill(),
    'that is idle in rollback-journal mode': async () => {},
    'with a hot journal': ({ data, source }) => leaveHotJournal(data, source),
  }
  for (const [name, prepare] of Object.entries(states))
    test(`and ${name} is backed up.`, async () => {
      if (!(await canRunAsNobody())) return
      const { data, source, repository, options } = foreignPlace(bank)
      await prepare({ data, source })
      const before = contents(data)
      const done = await rowbackProcess(['backup', source, '--repo', repository], options)
      expect(done).toMatchObject({ code: 0, stderr: '' })
      expect(contents(data)).toEqual(before)
      const output = join(tempDir(), 'out.db')
      expect(await rowbackProcess(['verify', '--repo', repository], options)).toMatchObject({ code: 0 })
      await rowbackJson(['restore', 'latest', '--file', 'app.db', '--output', output, '--repo', repository])
      expect(facts(output)).toEqual(committedFacts(data))
    })

  test('and whose dead application left an index that is older than its WAL is backed up whole.', async () => {
    if (!(await canRunAsNobody())) return
    const { source, repository, options } = foreignPlace(
      'PRAGMA journal_mode=WAL; CREATE TABLE a(v); CREATE TABLE b(v); INSERT INTO a VALUES (0); INSERT INTO b VALUES (0);',
    )
    const application = await openApplication(
      source,
      'PRAGMA wal_autocheckpoint=0; UPDATE a SET v=1; UPDATE b SET v=1',
    )
    const backup = (...flags: string[]) => {
      const args = ['backup', source, '--repo', repository, '--json', ...flags]
      return documentOf<object>(args, rowbackProcess(args, options))
    }
    await backup()
    execFileSync('sqlite3', [source, 'UPDATE a SET v=2'])
    const older = readFileSync(`${source}-shm`)
    execFileSync('sqlite3', [source, 'BEGIN; UPDATE a SET v=3; UPDATE b SET v=3; COMMIT'])
    await application.kill()
    writeFileSync(`${source}-shm`, older)
    expect(await backup()).toMatchObject({ subject: 'app: 2 rows changed' })
    expect(await backup('--full')).toMatchObject({ subject: 'nothing changed' })
  })

  test('and that the user may not read is refused.', async () => {
    if (!(await canRunAsNobody())) return
    const { data, source, repository, options } = foreignPlace(notes)
    chmodSync(source, 0o600)
    const before = contents(data)
    const refused = await rowbackProcess(['backup', source, '--repo', repository], options)
    expect(refused).toEqual({
      code: 10,
      stdout: '',
      stderr: expect.stringMatching(
        `^rowback: read ${source}: .*permission denied.*; nothing was committed\n`,
      ),
    })
    expect(contents(data)).toEqual(before)
    expect(existsSync(repository)).toBe(false)
  })
})
