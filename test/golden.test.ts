/** The bytes of format 1: a golden file that turns red here means that old commits would not be reproduced. */

import { describe, expect, it } from 'vitest'
import { databaseFrom, dumpText } from './support/database.ts'
import { exactHazards, hazards } from './support/hazards.ts'

const large = new Set(['2,000 columns', '500 tables'])

describe('the bytes of format 1', () => {
  for (const [name, sql] of Object.entries({ ...hazards, ...exactHazards })) {
    if (large.has(name)) continue
    it(`are kept for ${name}`, async () => {
      const file = `golden/${name.replace(/[^a-zA-Z0-9]+/g, '-')}.sql`
      await expect(dumpText(databaseFrom(sql))).toMatchFileSnapshot(file)
    })
  }
})
