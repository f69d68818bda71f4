-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE d(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
CREATE TABLE "d'"(id INTEGER PRIMARY KEY AUTOINCREMENT);
-- 40-schema.sql
-- 90-close.sql
DELETE FROM sqlite_sequence;
INSERT INTO "sqlite_sequence"("name","seq") VALUES
 ('d''',5)
,('d',90)
,('d',10)
,('d',700)
;
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
