-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE a(v, id INTEGER PRIMARY KEY);
CREATE TABLE b(id INTEGER PRIMARY KEY DESC, v);
CREATE TABLE c(id INT PRIMARY KEY, v);
CREATE TABLE d(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
CREATE TABLE e(id INTEGER PRIMARY KEY AUTOINCREMENT);
-- 30-rows/a/+first/+first.sql
INSERT INTO "a"("id","v") VALUES
 (-3,'y')
,(7,'x')
;
-- 30-rows/b/+first/+first.sql
INSERT INTO "b"("rowid","id","v") VALUES
 (1,10,'x')
,(2,5,'y')
;
-- 30-rows/c/+first/+first.sql
INSERT INTO "c"("rowid","id","v") VALUES
 (1,10,'x')
,(2,NULL,'y')
,(3,NULL,'z')
;
-- 30-rows/d/+first/+first.sql
INSERT INTO "d"("id","v") VALUES
 (5,'x')
;
-- 40-schema.sql
-- 90-close.sql
DELETE FROM sqlite_sequence;
INSERT INTO "sqlite_sequence"("name","seq") VALUES
 ('d',90)
,('e',3)
;
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
