-- 10-open.sql
PRAGMA encoding='UTF-16le';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE "encoding"("x");
DROP TABLE "encoding";
-- 40-schema.sql
CREATE VIEW encoding AS SELECT 1;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
