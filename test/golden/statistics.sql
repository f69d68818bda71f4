-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE t(a, b);
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("rowid","a","b") VALUES
 (1,1,2)
,(2,3,4)
,(3,1,5)
;
-- 40-schema.sql
CREATE INDEX i ON t(a,b);
-- 90-close.sql
ANALYZE sqlite_schema;
DROP TABLE IF EXISTS sqlite_stat4;
INSERT INTO "sqlite_stat1"("tbl","idx","stat") VALUES
 ('t','i','3 2 1')
,('t',NULL,'9')
;
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
