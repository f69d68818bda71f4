-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE "t"("a","b");
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("rowid","a","b") VALUES
 (1,1,2)
,(2,2,3)
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql='CREATE TABLE t(a, b AS (a+2) STORED)' WHERE type='table' AND name='t';
PRAGMA writable_schema=RESET;
REINDEX main."t";
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
