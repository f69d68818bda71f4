-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1, +label, +data);
CREATE VIRTUAL TABLE ri USING rtree_i32(id, a, b);
-- 30-rows/r/+first/+first.sql
INSERT INTO "r"("id","x0","x1","y0","y1","label","data") VALUES
 (-2,10000000000.0,20000000000.0,0.0,0.0,NULL,5)
,(7,0.09999998658895493,0.20000000298023224,-3.0,4.0,'a',X'00')
;
-- 30-rows/ri/+first/+first.sql
INSERT INTO "ri"("id","a","b") VALUES
 (1,-5,5)
;
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
