-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE d(x, y);
CREATE TABLE post(id INTEGER PRIMARY KEY, title, body);
-- 30-rows/d/+first/+first.sql
INSERT INTO "d"("rowid","x","y") VALUES
 (1,'p q',1)
;
-- 30-rows/post/+first/+first.sql
INSERT INTO "post"("id","title","body") VALUES
 (4,'second','other words')
;
-- 40-schema.sql
CREATE VIRTUAL TABLE df USING fts4(content="d", x);
INSERT INTO "df"("df") VALUES('rebuild');
CREATE VIRTUAL TABLE post_fts USING fts5(title, body, content='post', content_rowid='id');
INSERT INTO "post_fts"("post_fts") VALUES('rebuild');
CREATE TRIGGER post_ai AFTER INSERT ON post BEGIN INSERT INTO post_fts(rowid,title,body) VALUES (new.id,new.title,new.body); END;
CREATE TRIGGER post_ad AFTER DELETE ON post BEGIN INSERT INTO post_fts(post_fts,rowid,title,body) VALUES ('delete',old.id,old.title,old.body); END;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
