-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE "t"("id" INTEGER PRIMARY KEY,"a","c","d");
CREATE TABLE "u"("a","b",PRIMARY KEY("b" COLLATE "BINARY")) WITHOUT ROWID;
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("id","a","c","d") VALUES
 (1,1,'1x','p')
,(2,2,'2x',NULL)
;
-- 30-rows/u/+first/+first.sql
INSERT INTO "u"("b","a") VALUES
 (1,2)
,(3,4)
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql='CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b AS (a*2), c TEXT AS (a||''x'') STORED, d)' WHERE type='table' AND name='t';
UPDATE sqlite_schema SET sql='CREATE TABLE u(a AS (b+1) STORED, b PRIMARY KEY) WITHOUT ROWID' WHERE type='table' AND name='u';
PRAGMA writable_schema=RESET;
REINDEX main."t";
REINDEX main."u";
CREATE INDEX ti ON t(b);
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
