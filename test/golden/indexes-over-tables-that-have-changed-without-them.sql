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
CREATE TABLE 'g_docsize'(docid INTEGER PRIMARY KEY, size BLOB);
CREATE TABLE 'g_segdir'(level INTEGER,idx INTEGER,start_block INTEGER,leaves_end_block INTEGER,end_block INTEGER,root BLOB,PRIMARY KEY(level, idx));
CREATE TABLE 'g_segments'(blockid INTEGER PRIMARY KEY, block BLOB);
CREATE TABLE 'g_stat'(id INTEGER PRIMARY KEY, value BLOB);
CREATE TABLE page(title);
CREATE TABLE post(id INTEGER PRIMARY KEY, title);
-- 30-rows/f_config/+first/+first.sql
INSERT INTO "f_config"("k","v") VALUES
 ('version',4)
;
-- 30-rows/f_data/+first/+first.sql
INSERT INTO "f_data"("id","block") VALUES
 (1,X'0202')
,(10,X'000000000101010001010101')
,(137438953473,X'0000001404306F6E65010202010374776F0202020408')
;
-- 30-rows/f_docsize/+first/+first.sql
INSERT INTO "f_docsize"("id","sz") VALUES
 (1,X'01')
,(2,X'01')
;
-- 30-rows/f_idx/+first/+first.sql
INSERT INTO "f_idx"("segid","term","pgno") VALUES
 (1,X'',2)
;
-- 30-rows/g_docsize/+first/+first.sql
INSERT INTO "g_docsize"("docid","size") VALUES
 (1,X'01')
,(2,X'01')
;
-- 30-rows/g_segdir/+first/+first.sql
INSERT INTO "g_segdir"("rowid","level","idx","start_block","leaves_end_block","end_block","root") VALUES
 (1,0,0,0,0,'0 18',X'00036F6E6503010200000374776F03020200')
;
-- 30-rows/g_stat/+first/+first.sql
INSERT INTO "g_stat"("id","value") VALUES
 (0,X'020206')
;
-- 30-rows/page/+first/+first.sql
INSERT INTO "page"("rowid","title") VALUES
 (1,'one')
,(2,'words')
;
-- 30-rows/post/+first/+first.sql
INSERT INTO "post"("id","title") VALUES
 (1,'one')
,(2,'words')
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table','f','f',0,'CREATE VIRTUAL TABLE f USING fts5(title, content=post, content_rowid=id)');
INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table','g','g',0,'CREATE VIRTUAL TABLE g USING fts4(content="page", title)');
PRAGMA writable_schema=RESET;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
