// The schema of the sample bookmark application: one of each feature that self-hosted applications use.

/** What `PRAGMA application_id` of the sample application holds: "BMRK". */
export const APPLICATION_ID = 0x424d524b

/** The migration that the sample application's schema has reached. */
export const SCHEMA_VERSION = 7

/** The statements that make every table, index, trigger and view of the sample application. */
export const SCHEMA = `
CREATE TABLE folders (
  id INTEGER PRIMARY KEY,
  parent_id INTEGER REFERENCES folders(id) ON DELETE SET NULL,
  name TEXT NOT NULL
);

CREATE TABLE bookmarks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  folder_id INTEGER NOT NULL REFERENCES folders(id),
  url TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  notes TEXT NOT NULL DEFAULT '', -- plain text; the page's own description isn't kept
  rating REAL,
  unread BOOLEAN NOT NULL DEFAULT 1 CHECK (unread IN (0, 1)),
  added datetime NOT NULL DEFAULT (datetime('now')),
  modified INTEGER NOT NULL DEFAULT (strftime('%s','now')) /* seconds since 1970; see bookmarks_touch */
);
ALTER TABLE bookmarks ADD COLUMN language TEXT;

CREATE TABLE tags (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL COLLATE NOCASE UNIQUE
);

CREATE TABLE bookmark_tags (
  bookmark_id INTEGER NOT NULL REFERENCES bookmarks(id) ON DELETE CASCADE,
  tag_id INTEGER NOT NULL REFERENCES tags(id) ON DELETE CASCADE,
  PRIMARY KEY (bookmark_id, tag_id)
) WITHOUT ROWID;

CREATE TABLE attachments (
  id INTEGER PRIMARY KEY,
  bookmark_id INTEGER NOT NULL REFERENCES bookmarks(id) ON DELETE CASCADE,
  path TEXT NOT NULL UNIQUE,
  media_type TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  thumbnail BLOB
);

CREATE TABLE settings (
  key TEXT PRIMARY KEY NOT NULL,
  value TEXT NOT NULL CHECK (json_valid(value))
);

CREATE VIRTUAL TABLE bookmarks_fts USING fts5(
  title, notes, url, content='bookmarks', content_rowid='id', tokenize='unicode61 remove_diacritics 2'
);

CREATE INDEX bookmarks_folder ON bookmarks(folder_id);
CREATE INDEX bookmarks_unread ON bookmarks(added) WHERE unread = 1;
CREATE INDEX bookmarks_title ON bookmarks(lower(title));
CREATE INDEX bookmark_tags_tag ON bookmark_tags(tag_id);
CREATE INDEX attachments_bookmark ON attachments(bookmark_id);

CREATE TRIGGER bookmarks_fts_insert AFTER INSERT ON bookmarks BEGIN
  INSERT INTO bookmarks_fts(rowid, title, notes, url) VALUES (new.id, new.title, new.notes, new.url);
END;
CREATE TRIGGER bookmarks_fts_delete AFTER DELETE ON bookmarks BEGIN
  INSERT INTO bookmarks_fts(bookmarks_fts, rowid, title, notes, url)
  VALUES ('delete', old.id, old.title, old.notes, old.url);
END;
CREATE TRIGGER bookmarks_fts_update AFTER UPDATE OF title, notes, url ON bookmarks BEGIN
  INSERT INTO bookmarks_fts(bookmarks_fts, rowid, title, notes, url)
  VALUES ('delete', old.id, old.title, old.notes, old.url);
  INSERT INTO bookmarks_fts(rowid, title, notes, url) VALUES (new.id, new.title, new.notes, new.url);
END;
CREATE TRIGGER bookmarks_touch AFTER UPDATE ON bookmarks WHEN new.modified = old.modified BEGIN
  UPDATE bookmarks SET modified = strftime('%s','now') WHERE id = new.id;
END;

CREATE VIEW tag_counts AS
  SELECT tags.name AS tag, count(*) AS bookmarks, round(avg(bookmarks.rating), 2) AS mean_rating
  FROM tags JOIN bookmark_tags ON bookmark_tags.tag_id = tags.id
            JOIN bookmarks ON bookmarks.id = bookmark_tags.bookmark_id
  GROUP BY tags.id;
`
