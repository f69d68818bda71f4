-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE "a"("id" INTEGER PRIMARY KEY,"v","w");
-- 30-rows/a/+first/+first.sql
INSERT INTO "a"("id","v","w") VALUES
 (1,NULL,'12')
,(2,'x',3)
;
-- 40-schema.sql
PRAGMA writable_schema=ON;
CREATE INDEX "sqlite_autoindex_a_1_" ON "a"("id") WHERE 0;
UPDATE sqlite_schema SET name='sqlite_autoindex_a_1',sql=NULL WHERE type='index' AND name='sqlite_autoindex_a_1_';
CREATE INDEX "sqlite_autoindex_a_2_" ON "a"("id") WHERE 0;
UPDATE sqlite_schema SET name='sqlite_autoindex_a_2',sql=NULL WHERE type='index' AND name='sqlite_autoindex_a_2_';
UPDATE sqlite_schema SET sql='CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT UNIQUE NOT NULL, w UNIQUE)' WHERE type='table' AND name='a';
PRAGMA writable_schema=RESET;
REINDEX main."a";
CREATE INDEX ai ON a(w,v);
CREATE UNIQUE INDEX au ON a(v) WHERE w>0;
-- 90-close.sql
PRAGMA writable_schema=ON;
CREATE TABLE IF NOT EXISTS sqlite_sequence(name,seq);
PRAGMA writable_schema=OFF;
DELETE FROM sqlite_sequence;
INSERT INTO "sqlite_sequence"("name","seq") VALUES
 ('a',2)
;
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
