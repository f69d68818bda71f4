-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE "q"("a","b");
CREATE TABLE t(a TEXT, b INT);
-- 30-rows/q/+first/+first.sql
INSERT INTO "q"("rowid","a","b") VALUES
 (1,1,2)
;
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("rowid","a","b") VALUES
 (1,'X',1)
,(2,'y',2)
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql='CREATE TABLE q(a CHECK(a <> "text"), b DEFAULT "dq")' WHERE type='table' AND name='q';
PRAGMA writable_schema=RESET;
REINDEX main."q";
CREATE INDEX i1 ON t(lower(a));
CREATE INDEX i2 ON t(a COLLATE NOCASE DESC) WHERE b>1;
CREATE UNIQUE INDEX i3 ON t(b, a COLLATE RTRIM);
PRAGMA writable_schema=ON;
CREATE INDEX "i4" ON "t"("a") WHERE 0;
UPDATE sqlite_schema SET sql='CREATE INDEX i4 ON t(b) WHERE a <> "no column"' WHERE type='index' AND name='i4';
PRAGMA writable_schema=RESET;
REINDEX main."i4";
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
