-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE "a"("id" INTEGER PRIMARY KEY,"v","w");
CREATE TABLE "b"("v","w");
CREATE TABLE "s"("v","w","x");
-- 30-rows/a/+first/+first.sql
INSERT INTO "a"("id","v","w") VALUES
 (1,NULL,'12')
,(2,'x',3)
,(3,'y','3.0')
;
-- 30-rows/b/+first/+first.sql
INSERT INTO "b"("rowid","v","w") VALUES
 (1,5,1.0)
,(2,'x',2)
;
-- 30-rows/s/+first/+first.sql
INSERT INTO "s"("rowid","v","w","x") VALUES
 (1,5,'x',X'00')
,(2,'1',2,3)
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql='CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT NOT NULL ON CONFLICT IGNORE, w INTEGER CHECK(w>5))' WHERE type='table' AND name='a';
UPDATE sqlite_schema SET sql='CREATE TABLE b(v TEXT, w INT)' WHERE type='table' AND name='b';
UPDATE sqlite_schema SET sql='CREATE TABLE s(v TEXT, w INT, x ANY) STRICT' WHERE type='table' AND name='s';
PRAGMA writable_schema=RESET;
REINDEX main."a";
REINDEX main."b";
REINDEX main."s";
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
