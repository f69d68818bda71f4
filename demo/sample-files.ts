// The files that the sample application keeps beside its database. Times and modes are fixed.
import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { png } from './png.ts'
import type { Random } from './random.ts'

/** A file of the sample application: its path below the data directory, with `/` between parts. */
export interface SampleFile {
  path: string
  bytes: Buffer
  mediaType: string
  mode: number
  mtimeSeconds: number
}

const FIRST_MTIME = Date.UTC(2024, 0, 3, 9) / 1000
const DAY_SECONDS = 86_400

/** Attachments number `first` to `last`: images, saved pages and text files in one folder a month. */
export function attachmentFiles(random: Random, first: number, last: number): SampleFile[] {
  const files: SampleFile[] = []
  for (let ordinal = first; ordinal <= last; ordinal++) files.push(attachmentFile(random, ordinal))
  return files
}

/** One small icon a site. */
export function iconFiles(random: Random): SampleFile[] {
  const sites = ['quiet', 'small', 'portable', 'forgotten', 'slow', 'honest', 'weatherproof', 'second-hand']
  return sites.map((site, place) =>
    file(`icons/${site}.example.png`, 'image/png', pattern(random, 16), place),
  )
}

/** The settings file, readable by its owner only. `revision` counts its versions from 1. */
export function settingsFile(revision: number): SampleFile {
  const settings = {
    version: revision,
    title: 'Bookmarks',
    base_url: 'https://bookmarks.example/',
    listen: { host: '127.0.0.1', port: 8480 },
    archive: { enabled: true, keep_days: revision === 1 ? 365 : 730 },
    languages: revision === 1 ? ['en', 'de'] : ['en', 'de', 'ja'],
  }
  const bytes = Buffer.from(`${JSON.stringify(settings, null, 2)}\n`)
  return { ...file('settings.json', 'application/json', bytes, 57 + revision), mode: 0o600 }
}

/** Writes the files below `dir`, replacing older versions, with their mode and mtime whatever the umask. */
export function writeSampleFiles(dir: string, files: readonly SampleFile[]): void {
  for (const { path, bytes, mode, mtimeSeconds } of files) {
    const target = join(dir, path)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, bytes)
    chmodSync(target, mode)
    utimesSync(target, mtimeSeconds, mtimeSeconds)
  }
}

function attachmentFile(random: Random, ordinal: number): SampleFile {
  const month = String(1 + Math.floor(ordinal / 15)).padStart(2, '0')
  const stem = `attachments/2024/${month}/${String(ordinal).padStart(4, '0')}`
  if (ordinal === 5) return file(`${stem}-empty.txt`, 'text/plain', Buffer.alloc(0), ordinal)
  if (ordinal === 11) return file(`${stem} Käse & Brot.txt`, 'text/plain', plainText(random), ordinal)
  switch (ordinal % 4) {
    case 0:
      return file(`${stem}-page.html`, 'text/html', savedPage(random, ordinal), ordinal)
    case 1:
      return file(`${stem}-notes.txt`, 'text/plain', plainText(random), ordinal)
    case 2:
      return file(
        `${stem}-scan.bin`,
        'application/octet-stream',
        random.bytes(random.integer(500, 6000)),
        ordinal,
      )
    default:
      return file(`${stem}-image.png`, 'image/png', pattern(random, random.integer(24, 96)), ordinal)
  }
}

function file(path: string, mediaType: string, bytes: Buffer, day: number): SampleFile {
  return { path, bytes, mediaType, mode: 0o644, mtimeSeconds: FIRST_MTIME + day * DAY_SECONDS }
}

function pattern(random: Random, size: number): Buffer {
  const columns = random.integer(1, 9)
  const rows = random.integer(1, 9)
  return png(size, (x, y) => (x * columns + y * rows) & 0xff)
}

function plainText(random: Random): Buffer {
  const lines = Array.from(
    { length: random.integer(5, 60) },
    (_, at) => `${at + 1}. ${random.uint32()} – noted`,
  )
  return Buffer.from(`${lines.join('\n')}\n`)
}

function savedPage(random: Random, ordinal: number): Buffer {
  const paragraphs = Array.from(
    { length: random.integer(3, 30) },
    () => `<p>Measured: ${random.uint32()} &amp; more.</p>`,
  )
  const head = `<!doctype html>\n<meta charset="utf-8">\n<title>Saved page ${ordinal}</title>\n`
  return Buffer.from(`${head}${paragraphs.join('\n')}\n`)
}
