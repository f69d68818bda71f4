/** Manifests for tests of what is made of them. */

import type { Manifest, ManifestDatabase } from '../../src/dump/manifest.ts'

/** The manifest of a data directory whose only database is `app.db`, with those tables, and without assets. */
export function manifestOf(
  tables: ManifestDatabase['tables'],
  { excludedTables = [], assets = { files: 0, bytes: 0 } }: Partial<ManifestDatabase & Manifest> = {},
): Manifest {
  const database = { name: 'app.db', path: 'app.db', fullText: 'logical', excludedTables, tables } as const
  return { format: 1, source: 'directory', databases: [database], assets }
}
