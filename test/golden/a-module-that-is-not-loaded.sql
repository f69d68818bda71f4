-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE v_chunks(id INTEGER PRIMARY KEY, data BLOB);
-- 30-rows/v_chunks/+first/+first.sql
INSERT INTO "v_chunks"("id","data") VALUES
 (1,X'01')
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table','v','v',0,'CREATE VIRTUAL TABLE v USING vec0(a float[3])');
PRAGMA writable_schema=RESET;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
