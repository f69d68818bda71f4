-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b(id));
CREATE TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a(id) DEFERRABLE INITIALLY DEFERRED, c REFERENCES missing(x));
-- 30-rows/a/+first/+first.sql
INSERT INTO "a"("id","b") VALUES
 (1,2)
,(2,99)
;
-- 30-rows/b/+first/+first.sql
INSERT INTO "b"("id","a","c") VALUES
 (2,1,5)
;
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
