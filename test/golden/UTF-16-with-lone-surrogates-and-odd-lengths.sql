-- 10-open.sql
PRAGMA encoding='UTF-16le';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("id","v") VALUES
 (1,'plain')
,(2,'日本 👍')
,(3,CAST(X'00D8' AS TEXT))
,(4,'a')
,(5,CAST(X'FEFF' AS TEXT))
,(6,CAST(X'FFFF' AS TEXT))
,(7,replace('a\nb','\n',char(10)))
,(8,CAST(X'61000000' AS TEXT))
,(9,'﻿bom')
,(10,'1.5')
,(11,X'00FF')
;
-- 40-schema.sql
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
