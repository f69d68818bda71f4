-- 10-open.sql
PRAGMA encoding='UTF-8';
PRAGMA page_size=4096;
PRAGMA auto_vacuum=0;
PRAGMA foreign_keys=OFF;
PRAGMA ignore_check_constraints=ON;
BEGIN;
-- 20-tables.sql
CREATE TABLE t( -- it's a comment; with a semicolon
      a /* block */ INT,   b TEXT DEFAULT 'x;y' -- last
    );
-- 30-rows/t/+first/+first.sql
INSERT INTO "t"("rowid","a","b") VALUES
 (1,1,'z')
;
-- 40-schema.sql
CREATE INDEX i ON t ( a ) ;
CREATE INDEX j ON t(a) -- end
    ;
CREATE VIEW a_first AS SELECT * FROM z_last;
CREATE VIEW broken AS SELECT * FROM missing;
CREATE VIEW crlf AS SELECT 1,
      2;
CREATE VIEW goes AS SELECT 1;
CREATE VIEW v  AS SELECT a -- trailing
;
CREATE VIEW z_last AS SELECT 1;
-- 90-close.sql
PRAGMA user_version=0;
PRAGMA application_id=0;
COMMIT;
PRAGMA journal_mode=DELETE;
