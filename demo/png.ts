// Writes small PNG images (https://www.w3.org/TR/png-3/). Pure.
import { deflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** The bytes of a square greyscale image of `size` pixels a side; `greyAt` gives 0 (black) to 255 (white). */
export function png(size: number, greyAt: (x: number, y: number) => number): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(size, 0)
  header.writeUInt32BE(size, 4)
  header[8] = 8 // bits a sample; colour type, compression, filter and interlace stay 0

  const scanlines = Buffer.alloc(size * (size + 1)) // each line begins with its filter type, 0
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) scanlines[y * (size + 1) + 1 + x] = greyAt(x, y)
  }
  // Stored, not compressed: zlib builds differ in what they compress to, and sample data must not.
  const pixels = deflateSync(scanlines, { level: 0 })
  return Buffer.concat([
    SIGNATURE,
    pngChunk('IHDR', header),
    pngChunk('IDAT', pixels),
    pngChunk('IEND', Buffer.alloc(0)),
  ])
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

// zlib.crc32 came with Node 20.15; Rowback runs on every Node 20.
function crc32(bytes: Buffer): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
