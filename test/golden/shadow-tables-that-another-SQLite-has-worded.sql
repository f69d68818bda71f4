-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE VIRTUAL TABLE r USING rtree(id, x0, x1);
-- 30-rows/r/+first/+first.sql
INSERT INTO "r"("id","x0","x1") VALUES
 (7,0.5,1.5)
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
UPDATE sqlite_schema SET sql='CREATE TABLE "r_node"(nodeno INTEGER PRIMARY KEY, data BLOB)' WHERE type='table' AND name='r_node';
PRAGMA writable_schema=RESET;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
