-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE "f"("v");
CREATE TABLE "i"("v");
-- 30-rows/f/+first/+first.sql
INSERT INTO "f"("rowid","v") VALUES
 (1,-0.0)
,(2,2.0)
,(3,'x')
;
-- 30-rows/i/+first/+first.sql
INSERT INTO "i"("rowid","v") VALUES
 (1,2.0)
,(2,2)
,(3,'2')
,(4,'x')
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql='CREATE TABLE f(v ﬂoat)' WHERE type='table' AND name='f';
UPDATE sqlite_schema SET sql='CREATE TABLE i(v ınt)' WHERE type='table' AND name='i';
PRAGMA writable_schema=RESET;
REINDEX main."f";
REINDEX main."i";
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
