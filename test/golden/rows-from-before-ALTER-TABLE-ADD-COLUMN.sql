-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE t("a b", b TEXT NOT NULL DEFAULT 'it''s', c DEFAULT 1.5);
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("rowid","a b","b","c") VALUES
 (1,1,'it''s',1.5)
,(2,2,'it''s',1.5)
,(3,3,'x',NULL)
;
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
