/** Random trees for property tests. */

import fc from 'fast-check'
import { blobOid } from '../../src/git/tree.ts'

const modes = ['100644', '100755', '120000'] as const

/** Entries of which none is inside another: names of directories begin with a letter that names of files lack. */
export const treeEntries = fc
  .uniqueArray(
    fc.record({
      directories: fc.array(fc.constantFrom('d', 'd-', 'd0', 'dé', 'd.', 'd\u{10000}', 'd\uffff'), {
        maxLength: 3,
      }),
      name: fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 4 })
        .map((text) => `f${text.replace(/[/\0]/g, '_')}`),
      mode: fc.constantFrom(...modes),
      content: fc.string(),
    }),
    { selector: ({ directories, name }) => [...directories, name].join('/'), maxLength: 20 },
  )
  .map((files) =>
    files.map(({ directories, name, mode, content }) => ({
      path: [...directories, name].join('/'),
      mode,
      oid: blobOid(Buffer.from(content)),
    })),
  )
