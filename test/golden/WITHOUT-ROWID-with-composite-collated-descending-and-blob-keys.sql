-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE a(x, k1 TEXT COLLATE NOCASE, k2, PRIMARY KEY(k2 DESC, k1)) WITHOUT ROWID;
CREATE TABLE b(k BLOB PRIMARY KEY, v UNIQUE) WITHOUT ROWID;
CREATE TABLE c(k PRIMARY KEY, a, b) WITHOUT ROWID;
-- 30-rows/a/+first/+first.sql
INSERT INTO "a"("k2","k1","x") VALUES
 (X'00','e',5)
,('t','d',4)
,(2.5,'c',3)
,(1,'a',2)
,(1,'B',1)
;
-- 30-rows/b/+first/+first.sql
INSERT INTO "b"("k","v") VALUES
 (X'','e')
,(X'00','f')
,(X'FF','d')
;
-- 30-rows/c/+first/+first.sql
INSERT INTO "c"("k","a","b") VALUES
 (1,2,0)
,(2,0,3)
,(3,1,1)
;
-- 40-schema.sql
CREATE INDEX ci ON c(b,a,k);
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
