-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE VIRTUAL TABLE f USING fts5(a);
-- 30-rows/f/+first/+first.sql
INSERT INTO "f"("rowid","a") VALUES
 (1,'x')
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
INSERT INTO sqlite_schema("type","name","tbl_name","rootpage","sql") VALUES('table','words','words',0,'CREATE VIRTUAL TABLE words USING fts5vocab(f, row)');
PRAGMA writable_schema=RESET;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
