-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE VIRTUAL TABLE a USING fts5(title, body UNINDEXED, tokenize='porter unicode61', prefix='2 3', detail=column);
INSERT INTO "a"("a","rank") VALUES('automerge',8);
INSERT INTO "a"("a","rank") VALUES('rank','bm25(10.0)');
CREATE VIRTUAL TABLE b USING fts4(subject, "body text", notindexed=subject, order=desc);
CREATE VIRTUAL TABLE c USING fts3(x);
-- 30-rows/a/+first/+first.sql
INSERT INTO "a"("rowid","title","body") VALUES
 (-3,NULL,1.5)
,(5,'running dogs',X'00FF')
,(7,replace('line\nend','\n',char(10)),2)
;
-- 30-rows/b/+first/+first.sql
INSERT INTO "b"("rowid","subject","body text") VALUES
 (2,'x','one two')
,(9,'y',3)
;
-- 30-rows/c/+first/+first.sql
INSERT INTO "c"("rowid","x") VALUES
 (1,'abc def')
;
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
