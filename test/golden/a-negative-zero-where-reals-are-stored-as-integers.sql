-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE n(v REAL);
CREATE TABLE "r"("v","w");
CREATE TABLE "s"("v");
-- 30-rows/n/+first/+first.sql
INSERT INTO "n"("rowid","v") VALUES
 (1,0.0)
,(2,0.0)
,(3,-1.0)
;
-- 30-rows/r/+first/+first.sql
INSERT INTO "r"("rowid","v","w") VALUES
 (1,1.5,0.0)
,(2,-0.0,-1.0)
;
-- 30-rows/s/+first/+first.sql
INSERT INTO "s"("rowid","v") VALUES
 (1,-0.0)
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql='CREATE TABLE r(v REAL, w DOUBLE)' WHERE type='table' AND name='r';
UPDATE sqlite_schema SET sql='CREATE TABLE s(v REAL) STRICT' WHERE type='table' AND name='s';
PRAGMA writable_schema=RESET;
REINDEX main."r";
REINDEX main."s";
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
