-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE "a"("rowid__","oid","_ROWID_","rowid_","late");
CREATE TABLE "b"("RowId_","_rowid_","oid","g");
-- 30-rows/a/+first/+first.sql
INSERT INTO "a"("rowid","rowid__","oid","_ROWID_","rowid_","late") VALUES
 (1,3,2,1,0,'x')
,(3,3,2,2,1.0,'x')
;
-- 30-rows/b/+first/+first.sql
INSERT INTO "b"("rowid","RowId_","_rowid_","oid","g") VALUES
 (-9223372036854775808,1,2,3,'4')
,(-1,NULL,4,5,6)
,(9223372036854775807,7,8,9,0)
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
CREATE INDEX "sqlite_autoindex_a_1_" ON "a"("rowid__") WHERE 0;
UPDATE sqlite_schema SET name='sqlite_autoindex_a_1',sql=NULL WHERE type='index' AND name='sqlite_autoindex_a_1_';
UPDATE sqlite_schema SET sql='CREATE TABLE a(rowid, oid INT, "_ROWID_" UNIQUE, "rowid_" DEFAULT 5, late TEXT DEFAULT ''x'')' WHERE type='table' AND name='a';
UPDATE sqlite_schema SET sql='CREATE TABLE b(RowId NOT NULL, _rowid_ INT, oid CHECK(oid>9), g AS (oid+1) STORED, v AS (oid))' WHERE type='table' AND name='b';
PRAGMA writable_schema=RESET;
REINDEX main."a";
REINDEX main."b";
CREATE INDEX ai ON a(rowid,"rowid_");
CREATE VIEW av AS SELECT rowid FROM a;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
