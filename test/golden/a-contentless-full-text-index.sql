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
-- 30-rows/f_config/+first/+first.sql
INSERT INTO "f_config"("k","v") VALUES
 ('version',4)
;
-- 30-rows/f_data/+first/+first.sql
INSERT INTO "f_data"("id","block") VALUES
 (1,X'020303')
,(10,X'000000000101010001010101')
,(137438953473,X'0000002E0230700502020101710506010102010172050601010301017801020201017901020301017A0106010102040608080606')
;
-- 30-rows/f_docsize/+first/+first.sql
INSERT INTO "f_docsize"("id","sz") VALUES
 (1,X'0201')
,(5,X'0102')
;
-- 30-rows/f_idx/+first/+first.sql
INSERT INTO "f_idx"("segid","term","pgno") VALUES
 (1,X'',2)
;
-- 30-rows/g_docsize/+first/+first.sql
INSERT INTO "g_docsize"("docid","size") VALUES
 (3,X'01')
;
-- 30-rows/g_segdir/+first/+first.sql
INSERT INTO "g_segdir"("rowid","level","idx","start_block","leaves_end_block","end_block","root") VALUES
 (1,0,0,0,0,'0 9',X'000361626303030200')
;
-- 30-rows/g_stat/+first/+first.sql
INSERT INTO "g_stat"("id","value") VALUES
 (0,X'010103')
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table','f','f',0,'CREATE VIRTUAL TABLE f USING fts5(a, b, content='''')');
INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table','g','g',0,'CREATE VIRTUAL TABLE g USING fts4(content="", a)');
PRAGMA writable_schema=RESET;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
