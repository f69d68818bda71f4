-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE ""("");
CREATE TABLE "-rf"(v);
CREATE TABLE "../x"(v);
CREATE TABLE ".git"(v);
CREATE TABLE "__proto__"("__proto__", "1", constructor);
CREATE TABLE "a ""b"" 'c' [d] `e`"("x,y" INT, "select" TEXT, "a)b");
CREATE TABLE "con"(v);
CREATE TABLE "line
break"("col
umn");
CREATE TABLE "x.sql"(v);
CREATE TABLE "É"(v);
CREATE TABLE "é"(v);
-- 30-rows/%/+first/+first.sql
INSERT INTO ""("rowid","") VALUES
 (1,1)
;
-- 30-rows/%2Drf/+first/+first.sql
INSERT INTO "-rf"("rowid","v") VALUES
 (1,1)
;
-- 30-rows/%2E.%2Fx/+first/+first.sql
INSERT INTO "../x"("rowid","v") VALUES
 (1,1)
;
-- 30-rows/%2Egit/+first/+first.sql
INSERT INTO ".git"("rowid","v") VALUES
 (1,1)
;
-- 30-rows/%63on/+first/+first.sql
INSERT INTO "con"("rowid","v") VALUES
 (1,2)
;
-- 30-rows/%C3%89/+first/+first.sql
INSERT INTO "É"("rowid","v") VALUES
 (1,2)
;
-- 30-rows/%C3%A9/+first/+first.sql
INSERT INTO "é"("rowid","v") VALUES
 (1,1)
;
-- 30-rows/__proto__/+first/+first.sql
INSERT INTO "__proto__"("rowid","__proto__","1","constructor") VALUES
 (1,1,2,3)
;
-- 30-rows/a%20%22b%22%20%27c%27%20%5Bd%5D%20%60e%60/+first/+first.sql
INSERT INTO "a ""b"" 'c' [d] `e`"("rowid","x,y","select","a)b") VALUES
 (1,1,'2',3)
;
-- 30-rows/line%0Abreak/+first/+first.sql
INSERT INTO "line
break"("rowid","col
umn") VALUES
 (1,1)
;
-- 30-rows/x.sql/+first/+first.sql
INSERT INTO "x.sql"("rowid","v") VALUES
 (1,'; DROP TABLE t; --')
;
-- 40-schema.sql
CREATE INDEX "idx ""1""" ON "é"(v);
CREATE VIEW "v'w" AS SELECT 1;
CREATE TRIGGER "t;r" AFTER INSERT ON "é" BEGIN SELECT 1; END;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
