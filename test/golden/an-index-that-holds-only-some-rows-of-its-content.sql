-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE 'f_config'(k PRIMARY KEY, v) WITHOUT ROWID;
CREATE TABLE 'f_data'(id INTEGER PRIMARY KEY, block BLOB);
CREATE TABLE 'f_docsize'(id INTEGER PRIMARY KEY, sz BLOB);
CREATE TABLE 'f_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;
CREATE TABLE post(id INTEGER PRIMARY KEY, title);
-- 30-rows/f_config/+first/+first.sql
INSERT INTO "f_config"("k","v") VALUES
 ('version',4)
;
-- 30-rows/f_data/+first/+first.sql
INSERT INTO "f_data"("id","block") VALUES
 (1,X'0101')
,(10,X'000000000101010001010101')
,(137438953473,X'0000000C043074776F02020204')
;
-- 30-rows/f_docsize/+first/+first.sql
INSERT INTO "f_docsize"("id","sz") VALUES
 (2,X'01')
;
-- 30-rows/f_idx/+first/+first.sql
INSERT INTO "f_idx"("segid","term","pgno") VALUES
 (1,X'',2)
;
-- 30-rows/post/+first/+first.sql
INSERT INTO "post"("id","title") VALUES
 (1,'one')
,(2,'two')
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table','f','f',0,'CREATE VIRTUAL TABLE f USING fts5(title, content=post, content_rowid=id)');
PRAGMA writable_schema=RESET;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
