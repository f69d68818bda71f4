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
;
-- 40-schema.sql
CREATE INDEX i ON t(a);
CREATE VIEW v AS SELECT 1;
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET name='i',tbl_name='t',sql=CAST(X'43524541544520494E4445582069204F4E20742861290072657374' AS TEXT) WHERE type='index' AND name='i';
UPDATE sqlite_schema SET name='t',tbl_name='t',sql=CAST(X'435245415445205441424C45207428612C2062290072657374' AS TEXT) WHERE type='table' AND name='t';
UPDATE sqlite_schema SET name=CAST(X'760078' AS TEXT),tbl_name=CAST(X'760078' AS TEXT),sql=CAST(X'435245415445205649455720762041532053454C45435420310072657374' AS TEXT) WHERE type='view' AND name='v';
PRAGMA writable_schema=RESET;
REINDEX;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
