// Makes, and changes, the data directory of a small self-hosted bookmark application: app.db, attachments/,
// icons/ and settings.json. Invariant: the same call gives the same rows and files on every machine.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { Random } from './random.ts'
import {
  attachmentFiles,
  iconFiles,
  type SampleFile,
  settingsFile,
  writeSampleFiles,
} from './sample-files.ts'
import { type Bookmark, bookmark, FOLDERS, SETTINGS, TAGS, tagIds } from './sample-rows.ts'
import { APPLICATION_ID, SCHEMA, SCHEMA_VERSION } from './sample-schema.ts'

const BOOKMARKS = 2000
const BOOKMARKS_DELETED_AGAIN = 5
const BOOKMARKS_SECOND_DAY = 12
const ATTACHMENTS = 40
const ATTACHMENTS_SECOND_DAY = 2

/** Bookmarks with an attachment lie this many ids apart. */
const ATTACHMENT_EVERY = 17
const SECOND_DAY_SECONDS = Date.UTC(2024, 2, 2, 18, 15) / 1000

/** Makes the application's data directory `dir` as it is after its first day. Throws if `dir` holds one. */
export function createSampleApp(dir: string): void {
  const random = new Random(1)
  const attachments = attachmentFiles(random, 1, ATTACHMENTS)
  mkdirSync(dir, { recursive: true })
  changeDatabase(dir, (db) => {
    db.exec(SCHEMA)
    db.pragma(`user_version = ${SCHEMA_VERSION}`)
    db.pragma(`application_id = ${APPLICATION_ID}`)
    insertVocabulary(db)
    insertBookmarks(db, random, 1, BOOKMARKS + BOOKMARKS_DELETED_AGAIN)
    // The sequence of an AUTOINCREMENT table outlives its last rows: no later bookmark may get their ids.
    db.prepare('DELETE FROM bookmarks WHERE id > ?').run(BigInt(BOOKMARKS))
    insertAttachments(db, attachments, (place) => BigInt((place + 1) * ATTACHMENT_EVERY))
  })
  writeSampleFiles(dir, [...attachments, ...iconFiles(random), settingsFile(1)])
}

/** Makes the second day's changes in a directory of `createSampleApp`, as the running application would. */
export function changeSampleApp(dir: string): void {
  const random = new Random(2)
  const attachments = attachmentFiles(random, ATTACHMENTS + 1, ATTACHMENTS + ATTACHMENTS_SECOND_DAY)
  changeDatabase(dir, (db) => {
    const first = BOOKMARKS + BOOKMARKS_DELETED_AGAIN + 1
    insertBookmarks(db, random, first, first + BOOKMARKS_SECOND_DAY - 1)
    updateBookmarks(db)
    db.prepare('DELETE FROM bookmarks WHERE id = 1500').run()
    insertAttachments(db, attachments, (place) => BigInt(first + place))
  })
  writeSampleFiles(dir, [...attachments, settingsFile(2)])
}

/** One transaction of the application; it checkpoints its WAL as it closes, as SQLite does by default. */
function changeDatabase(dir: string, change: (db: Database.Database) => void): void {
  const db = new Database(join(dir, 'app.db'))
  try {
    db.pragma('journal_mode = WAL')
    db.pragma('foreign_keys = ON')
    db.transaction(change)(db)
  } finally {
    db.close()
  }
}

function insertVocabulary(db: Database.Database): void {
  const folder = db.prepare('INSERT INTO folders(parent_id, name) VALUES (?, ?)')
  for (const [parent, name] of FOLDERS) folder.run(parent === null ? null : BigInt(parent), name)
  const tag = db.prepare('INSERT INTO tags(name) VALUES (?)')
  for (const name of TAGS) tag.run(name)
  const setting = db.prepare('INSERT INTO settings(key, value) VALUES (?, ?)')
  for (const [key, value] of SETTINGS) setting.run(key, value)
}

function insertBookmarks(db: Database.Database, random: Random, first: number, last: number): void {
  const insert = db.prepare(
    `INSERT INTO bookmarks(folder_id, url, title, notes, rating, unread, added, modified, language)
     VALUES (@folderId, @url, @title, @notes, @rating, @unread, @added, @modified, @language)`,
  )
  const tag = db.prepare('INSERT INTO bookmark_tags(bookmark_id, tag_id) VALUES (?, ?)')
  for (let ordinal = first; ordinal <= last; ordinal++) {
    const { lastInsertRowid } = insert.run(parameters(bookmark(random, ordinal)))
    for (const tagId of tagIds(random)) tag.run(lastInsertRowid, BigInt(tagId))
  }
}

// better-sqlite3 binds a number as REAL and a BigInt as INTEGER.
function parameters({ folderId, unread, modified, ...others }: Bookmark): Record<string, unknown> {
  return { ...others, folderId: BigInt(folderId), unread: unread ? 1n : 0n, modified: BigInt(modified) }
}

function insertAttachments(
  db: Database.Database,
  files: readonly SampleFile[],
  bookmarkId: (place: number) => bigint,
): void {
  const insert = db.prepare(
    'INSERT INTO attachments(bookmark_id, path, media_type, size_bytes, thumbnail) VALUES (?, ?, ?, ?, ?)',
  )
  files.forEach(({ path, mediaType, bytes }, place) => {
    const thumbnail = mediaType === 'image/png' ? bytes.subarray(0, 64) : null
    insert.run(bookmarkId(place), path, mediaType, BigInt(bytes.length), thumbnail)
  })
}

// Each sets `modified` itself, so that bookmarks_touch does not stamp today's time.
function updateBookmarks(db: Database.Database): void {
  const changes = [
    `title = title || ' (second edition)', rating = 9.1 WHERE id = 512`,
    `unread = 0 WHERE id = (SELECT max(id) FROM bookmarks WHERE unread = 1 AND id < 1000)`,
    `notes = replace(notes, '- try it', '- tried it: "works", mostly 🎉') || '- tell the others' || char(10)
     WHERE id = (SELECT min(id) FROM bookmarks WHERE notes LIKE '%- try it%' AND id > 40)`,
  ]
  for (const change of changes) {
    db.prepare(`UPDATE bookmarks SET modified = ?, ${change}`).run(BigInt(SECOND_DAY_SECONDS))
  }
}
