-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE t(id INTEGER PRIMARY KEY, i INT, n NUMERIC, r REAL, x TEXT, b BLOB, v);
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("id","i","n","r","x","b","v") VALUES
 (1,1,2,3.0,'4',X'05',6)
,(2,NULL,NULL,NULL,NULL,NULL,NULL)
,(3,'a','b','c','d','e','f')
,(4,1.5,2.5,3.5,'4.5',5.5,6.5)
,(5,X'00',X'01',X'02',X'03',X'',X'05')
,(6,'','','','','','')
,(7,9223372036854775807,-9223372036854775808,0.0,'',X'000000',-9223372036854775808)
;
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
