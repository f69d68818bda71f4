/** The bytes of format 1: a golden file that turns red here means that old commits would not be reproduced. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { blobOid, treeOid } from '../src/git/tree.ts'
import { databaseFrom, dumpFile, dumpText, facts, replayed } from './support/database.ts'
import { exactHazards, hazards } from './support/hazards.ts'

/** The dumps that are too long for a golden file, by the ids of their trees. */
const large: Record<string, string> = {
  '2,000 columns': 'ad4aee1aa1759de52678525978d21607b97b4ebe',
  '500 tables': 'fe65ce4a3b914700c75ab6d0f7fecb1339ee0c07',
}

function goldenFile(name: string): string {
  return `golden/${name.replace(/[^a-zA-Z0-9]+/g, '-')}.sql`
}

/** The files of a golden dump; a line `-- path` begins each, and no line of a dump looks like one. */
function goldenDump(name: string): { path: string; content: Buffer; rows: number }[] {
  const text = readFileSync(join(import.meta.dirname, goldenFile(name)), 'utf8')
  const parts = text.split(/^-- ((?:\d\d-[a-z]+|30-rows\/\S+)\.sql)\n/m).slice(1)
  return parts.flatMap((path, index) =>
    index % 2 === 0 ? [{ path, content: Buffer.from(parts[index + 1] as string), rows: 0 }] : [],
  )
}

describe('the bytes of format 1', () => {
  for (const [name, sql] of Object.entries({ ...hazards, ...exactHazards })) {
    it(`are kept for ${name}`, async () => {
      if (name in large) {
        const entries = dumpFile(databaseFrom(sql)).map(({ path, content }) => ({
          path,
          mode: '100644' as const,
          oid: blobOid(content),
        }))
        expect(treeOid(entries)).toBe(large[name])
      } else await expect(dumpText(databaseFrom(sql))).toMatchFileSnapshot(goldenFile(name))
    })
    if (!(name in large))
      it(`are restored for ${name}`, async () => {
        expect(facts(await replayed(goldenDump(name)))).toEqual(facts(databaseFrom(sql)))
      })
  }
})
