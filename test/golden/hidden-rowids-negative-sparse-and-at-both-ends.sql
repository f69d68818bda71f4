-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE t(v);
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("rowid","v") VALUES
 (-9223372036854775808,1)
,(-5,2)
;
-- 30-rows/t/0000000000000000000/0000000000000000000.sql
INSERT INTO "t"("rowid","v") VALUES
 (0,3)
,(7,4)
,(9223372036854775807,5)
;
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
