-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE a(rowid TEXT, v);
CREATE TABLE b(rowid, _rowid_);
CREATE TABLE c(rowid, oid, "_ROWID_");
-- 30-rows/a/+first/+first.sql
INSERT INTO "a"("_rowid_","rowid","v") VALUES
 (5,'x',1)
,(9,'y',2)
;
-- 30-rows/b/+first/+first.sql
INSERT INTO "b"("oid","rowid","_rowid_") VALUES
 (3,1,2)
;
-- 30-rows/c/+first/+first.sql
INSERT INTO "c"("rowid","oid","_ROWID_") VALUES
 (3,2,1)
,(1,2,3)
,(3,2,1)
;
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
