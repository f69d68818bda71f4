/** Lines and counted bytes are what a stream holds, however it comes in pieces. */

import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteReader } from '../../src/git/byte-reader.ts'

/** What is read one after another: a line, or so many bytes. */
type Read = { line: string } | { bytes: number; fill: number }

const read = fc.oneof(
  fc.record({ line: fc.string({ unit: 'grapheme-ascii', maxLength: 60 }) }),
  // Beyond 8 KiB the memory of a piece is given back when it is read.
  fc.record({ bytes: fc.oneof(fc.nat(3), fc.nat(40_000)), fill: fc.nat(255) }),
)

function content(one: Read): Buffer {
  return 'line' in one ? Buffer.from(`${one.line}\n`) : Buffer.alloc(one.bytes, one.fill)
}

/** The whole, in pieces with memory of their own; some end where a read does. */
function pieces(reads: readonly Read[], sizes: readonly number[], cutsAtEnds: boolean): Buffer[] {
  const wholes = cutsAtEnds ? reads.map(content) : [Buffer.concat(reads.map(content))]
  const cut: Buffer[] = []
  for (const whole of wholes) {
    for (let at = 0, nth = 0; at < whole.length; nth++) {
      const size = sizes[nth % sizes.length] as number
      cut.push(Buffer.from(new Uint8Array(whole.subarray(at, at + size))))
      at += size
    }
  }
  return cut
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 9000, max: 65_536 })), {
  minLength: 1,
  maxLength: 6,
})

test('what is read is what was written, and then the stream is over.', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(read, { maxLength: 8 }),
      sizes,
      fc.boolean(),
      async (reads, lengths, cutsAtEnds) => {
        fc.pre(lengths.some((length) => length > 9) || reads.every((one) => content(one).length < 500))
        const reader = new ByteReader(Readable.from(pieces(reads, lengths, cutsAtEnds)))
        for (const one of reads) {
          if ('line' in one) expect(await reader.line()).toBe(one.line)
          else expect((await reader.exactly(one.bytes)).equals(content(one))).toBe(true)
        }
        expect(await reader.line()).toBeUndefined()
      },
    ),
  )
})
