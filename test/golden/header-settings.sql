-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=16384;
PRAGMA auto_vacuum=2;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE t(a);
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=-48;
PRAGMA application_id=2147483647;
COMMIT;
PRAGMA journal_mode=WAL;
