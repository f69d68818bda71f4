-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE log(x);
CREATE TABLE t(id INTEGER PRIMARY KEY, at);
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("id","at") VALUES
 (1,7)
;
-- 40-schema.sql
CREATE VIEW v AS SELECT * FROM t;
CREATE TRIGGER a AFTER INSERT ON t BEGIN UPDATE t SET at=strftime('%s','now') WHERE id=new.id; INSERT INTO log VALUES (CASE WHEN 1 THEN 2 END); END;
CREATE TRIGGER b BEFORE DELETE ON t WHEN old.id>0 BEGIN SELECT RAISE(ABORT,'no; END;'); END;
CREATE TRIGGER c INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.id,1); END;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
