/** What is hard to bring back, as SQL for stock sqlite3. */

/** Hazards by name: SQL for stock sqlite3 that makes a database which must come back bit by bit. */
export const hazards: Record<string, string> = {
  'every storage class in every affinity': `
    CREATE TABLE t(id INTEGER PRIMARY KEY, i INT, n NUMERIC, r REAL, x TEXT, b BLOB, v);
    INSERT INTO t(i,n,r,x,b,v) VALUES (1,2,3,'4',x'05',6),(NULL,NULL,NULL,NULL,NULL,NULL),('a','b','c','d','e','f'),
      (1.5,2.5,3.5,4.5,5.5,6.5),(x'00',x'01',x'02',x'03',x'',x'05'),('','','','','',''),
      (9223372036854775807,-9223372036854775808,0,'',zeroblob(3),-9223372036854775808);`,
  'doubles at every edge': `
    CREATE TABLE t(v);
    INSERT INTO t VALUES (0.1),(0.1+0.2),(1.0),(-1.0),(1e15),(1e16),(1e21),(1e22),(1e23),(1.7976931348623157e308),
      (5e-324),(2.2250738585072014e-308),(9e999),(-9e999),(-0.0),(0.0),(1/3.0),(123456789.123456789),(4503599627370496.5),
      (9007199254740993.0),(9223372036854775808.0),(-9223372036854775808.0),(7.30000019073486),(1e-7),(1.5e-10),(1e300);`,
  'text with NUL, line ends, controls and invalid UTF-8': `
    CREATE TABLE t(v TEXT);
    INSERT INTO t VALUES (CAST(x'610062' AS TEXT)),('a'||char(10)||'b'),('a'||char(13)||char(10)||'b'),(char(13)),
      ('\\n'||char(10)||'\\x0A'),('\\n'||char(10)||'\\x0A\\u000A'),(CAST(x'ff' AS TEXT)),(CAST(x'c0af' AS TEXT)),
      (CAST(x'eda080' AS TEXT)),('it''s'),(char(1)||char(27)),('日本 👍'),(char(65533)),(char(65279)||'bom'),(''),(char(0)),
      (replace(hex(zeroblob(3000)),'00','x'||char(10)));`,
  'UTF-16 with lone surrogates and odd lengths': `
    PRAGMA encoding='UTF-16le';
    CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
    INSERT INTO t(v) VALUES ('plain'),('日本 👍'),(CAST(x'00d8' AS TEXT)),(CAST(x'610000' AS TEXT)),(CAST(x'feff' AS TEXT)),
      (CAST(x'ffff' AS TEXT)),('a'||char(10)||'b'),(CAST(x'6100000062' AS TEXT)),(char(65279)||'bom'),(1.5),(x'00ff');`,
  'UTF-16 big-endian': `
    PRAGMA encoding='UTF-16be'; CREATE TABLE t(a TEXT PRIMARY KEY, b) WITHOUT ROWID;
    INSERT INTO t VALUES ('é',1),('👍',x'01'),(CAST(x'd800' AS TEXT),'x'||char(13));`,
  'hidden rowids, negative, sparse and at both ends': `
    CREATE TABLE t(v); INSERT INTO t(rowid,v) VALUES (-9223372036854775808,1),(-5,2),(0,3),(7,4),(9223372036854775807,5);`,
  'columns that hide one, two and all names of the rowid': `
    CREATE TABLE a(rowid TEXT, v); INSERT INTO a(_rowid_,rowid,v) VALUES (5,'x',1),(9,'y',2);
    CREATE TABLE b(rowid, _rowid_); INSERT INTO b(oid,rowid,_rowid_) VALUES (3,1,2);
    CREATE TABLE c(rowid, oid, "_ROWID_"); INSERT INTO c VALUES (3,2,1),(1,2,3),(3,2,1);`,
  'rowids that columns hide, with gaps': `
    CREATE TABLE a(rowid, oid INT, "_ROWID_" UNIQUE, "rowid_" DEFAULT 5); INSERT INTO a VALUES (3,2,1,0),(1,2,3,4),(3,2,2,1.0); DELETE FROM a WHERE "_ROWID_"=3;
    CREATE INDEX ai ON a(rowid,"rowid_"); CREATE VIEW av AS SELECT rowid FROM a; ALTER TABLE a ADD COLUMN late TEXT DEFAULT 'x';
    CREATE TABLE b(x, y, z, g); INSERT INTO b(rowid,x,y,z,g) VALUES (-9223372036854775808,1,2,3,'4'),(-1,NULL,4,5,6),(9223372036854775807,7,8,9,0);
    PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql='CREATE TABLE b(RowId NOT NULL, _rowid_ INT, oid CHECK(oid>9), g AS (oid+1) STORED, v AS (oid))' WHERE name='b';`,
  'integer primary keys of every kind': `
    CREATE TABLE a(v, id INTEGER PRIMARY KEY); INSERT INTO a VALUES ('x',7),('y',-3);
    CREATE TABLE b(id INTEGER PRIMARY KEY DESC, v); INSERT INTO b(rowid,id,v) VALUES (1,10,'x'),(2,5,'y');
    CREATE TABLE c(id INT PRIMARY KEY, v); INSERT INTO c VALUES (10,'x'),(NULL,'y'),(NULL,'z');
    CREATE TABLE d(id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO d VALUES (5,'x'),(90,'y'); DELETE FROM d WHERE id=90;
    CREATE TABLE e(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO e VALUES (3); DELETE FROM e;`,
  'a hand-edited sqlite_sequence': `
    CREATE TABLE d(id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO d VALUES (5,'x');
    INSERT INTO sqlite_sequence VALUES ('gone',7),(NULL,'text'),('d',3);`,
  'a sequence table with several rows of one name': `
    CREATE TABLE d(id INTEGER PRIMARY KEY AUTOINCREMENT, v); CREATE TABLE "d'"(id INTEGER PRIMARY KEY AUTOINCREMENT); DELETE FROM sqlite_sequence;
    INSERT INTO sqlite_sequence VALUES ('d',90),('d''',5),('d',10),('d',700);`,
  'a sequence table without its table': `
    CREATE TABLE d(id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO d VALUES (5); DROP TABLE d;`,
  'WITHOUT ROWID with composite, collated, descending and blob keys': `
    CREATE TABLE a(x, k1 TEXT COLLATE NOCASE, k2, PRIMARY KEY(k2 DESC, k1)) WITHOUT ROWID;
    INSERT INTO a VALUES (1,'B',1),(2,'a',1),(3,'c',2.5),(4,'d','t'),(5,'e',x'00');
    CREATE TABLE b(k BLOB PRIMARY KEY, v UNIQUE) WITHOUT ROWID; INSERT INTO b VALUES (x'','e'),(x'00','f'),(x'ff','d');
    CREATE TABLE c(k PRIMARY KEY, a, b) WITHOUT ROWID; CREATE INDEX ci ON c(b,a,k); INSERT INTO c VALUES (3,1,1),(1,2,0),(2,0,3);`,
  'rows that break their own rules': `
    PRAGMA writable_schema=ON;
    CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT, w); INSERT INTO a VALUES (1,NULL,'12'),(2,'x',3),(3,'y','3.0');
    UPDATE sqlite_schema SET sql='CREATE TABLE a(id INTEGER PRIMARY KEY, v TEXT NOT NULL ON CONFLICT IGNORE, w INTEGER CHECK(w>5))' WHERE name='a';
    CREATE TABLE b(v, w); INSERT INTO b VALUES (5,1.0),('x',2);
    UPDATE sqlite_schema SET sql='CREATE TABLE b(v TEXT, w INT)' WHERE name='b';
    CREATE TABLE s(v, w, x); INSERT INTO s VALUES (5,'x',x'00'),('1',2,3);
    UPDATE sqlite_schema SET sql='CREATE TABLE s(v TEXT, w INT, x ANY) STRICT' WHERE name='s';`,
  'types that are others in capitals of Unicode only': `
    PRAGMA writable_schema=ON;
    CREATE TABLE f(v); INSERT INTO f VALUES (-0.0),(2.0),('x');
    UPDATE sqlite_schema SET sql='CREATE TABLE f(v \ufb02oat)' WHERE name='f';
    CREATE TABLE i(v); INSERT INTO i VALUES (2.0),(2),('2'),('x');
    UPDATE sqlite_schema SET sql='CREATE TABLE i(v \u0131nt)' WHERE name='i';`,
  'a negative zero where reals are stored as integers': `
    PRAGMA writable_schema=ON;
    CREATE TABLE r(v, w); INSERT INTO r VALUES (1.5,0.0),(-0.0,-1.0);
    UPDATE sqlite_schema SET sql='CREATE TABLE r(v REAL, w DOUBLE)' WHERE name='r';
    CREATE TABLE s(v); INSERT INTO s VALUES (-0.0);
    UPDATE sqlite_schema SET sql='CREATE TABLE s(v REAL) STRICT' WHERE name='s';
    CREATE TABLE n(v REAL); INSERT INTO n VALUES (0.0),(-0.0),(-1.0);`,
  'unique constraints of a table whose rows break its rules': `
    PRAGMA writable_schema=ON;
    CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT UNIQUE, w UNIQUE); INSERT INTO a VALUES (1,NULL,'12'),(2,'x',3);
    CREATE INDEX ai ON a(w,v); CREATE UNIQUE INDEX au ON a(v) WHERE w>0;
    UPDATE sqlite_schema SET sql='CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT UNIQUE NOT NULL, w UNIQUE)' WHERE name='a';`,
  'foreign keys that point nowhere and in circles': `
    CREATE TABLE a(id INTEGER PRIMARY KEY, b REFERENCES b(id)); CREATE TABLE b(id INTEGER PRIMARY KEY, a REFERENCES a(id) DEFERRABLE INITIALLY DEFERRED, c REFERENCES missing(x));
    INSERT INTO a VALUES (1,2),(2,99); INSERT INTO b VALUES (2,1,5);`,
  'rows from before ALTER TABLE ADD COLUMN': `
    CREATE TABLE t(a); INSERT INTO t VALUES (1),(2); ALTER TABLE t ADD COLUMN b TEXT NOT NULL DEFAULT 'it''s'; ALTER TABLE t ADD COLUMN c DEFAULT 1.5;
    INSERT INTO t VALUES (3,'x',NULL); ALTER TABLE t RENAME COLUMN a TO "a b";`,
  'generated columns, virtual and stored': `
    CREATE TABLE t(id INTEGER PRIMARY KEY, a INT, b AS (a*2), c TEXT AS (a||'x') STORED, d); INSERT INTO t(a,d) VALUES (1,'p'),(2,NULL);
    CREATE INDEX ti ON t(b); CREATE TABLE u(a AS (b+1) STORED, b PRIMARY KEY) WITHOUT ROWID; INSERT INTO u(b) VALUES (3),(1);`,
  'stored generated values that no longer equal their expression': `
    PRAGMA writable_schema=ON; CREATE TABLE t(a, b AS (a+1) STORED); INSERT INTO t(a) VALUES (1),(2);
    UPDATE sqlite_schema SET sql='CREATE TABLE t(a, b AS (a+2) STORED)' WHERE name='t';`,
  'names that are hard to write': `
    CREATE TABLE ""(""); INSERT INTO "" VALUES (1);
    CREATE TABLE "a ""b"" 'c' [d] \`e\`"("x,y" INT, "select" TEXT, "a)b"); INSERT INTO "a ""b"" 'c' [d] \`e\`" VALUES (1,'2',3);
    CREATE TABLE "../x"(v); INSERT INTO "../x" VALUES (1); CREATE TABLE ".git"(v); INSERT INTO ".git" VALUES (1);
    CREATE TABLE "é"(v); INSERT INTO "é" VALUES (1); CREATE TABLE "É"(v); INSERT INTO "É" VALUES (2);
    CREATE TABLE "con"(v); INSERT INTO "con" VALUES (2); CREATE TABLE "__proto__"("__proto__", "1", constructor); INSERT INTO "__proto__" VALUES (1,2,3);
    CREATE TABLE "line
break"("col
umn"); INSERT INTO "line
break" VALUES (1); CREATE TABLE "-rf"(v); INSERT INTO "-rf" VALUES (1);
    CREATE TABLE "x.sql"(v); INSERT INTO "x.sql" VALUES ('; DROP TABLE t; --');
    CREATE INDEX "idx ""1""" ON "é"(v); CREATE VIEW "v'w" AS SELECT 1; CREATE TRIGGER "t;r" AFTER INSERT ON "é" BEGIN SELECT 1; END;`,
  'names and definitions that are not UTF-8': `
    CREATE TABLE "cafø"(id INTEGER PRIMARY KEY, "prøx" TEXT, v UNIQUE); INSERT INTO "cafø" VALUES (1,'a',2),(2,CAST(x'e9' AS TEXT),3);
    ALTER TABLE "cafø" ADD COLUMN late DEFAULT 'nø''ll'; INSERT INTO "cafø" VALUES (9,'z',7,'q');
    CREATE INDEX "iø" ON "cafø"("prøx"); CREATE INDEX partial ON "cafø"(v) WHERE late='nø''ll'; CREATE UNIQUE INDEX expression ON "cafø"(late||'ø',id);
    CREATE VIEW "vø" AS SELECT 'ø', * FROM "cafø" -- ø
    ; CREATE TRIGGER "tø" AFTER INSERT ON "cafø" BEGIN SELECT 'ø'; END;
    CREATE TABLE countedø(id INTEGER PRIMARY KEY AUTOINCREMENT, v); INSERT INTO countedø VALUES (7,1); DELETE FROM countedø;
    CREATE TABLE "kø"("kø" TEXT COLLATE NOCASE, b, PRIMARY KEY(b DESC,"kø")) WITHOUT ROWID; INSERT INTO "kø" VALUES ('b',1),('a',1),('c',2);
    CREATE TABLE made(a, "bø" AS (a||'ø') STORED, c AS (a||'ø')); INSERT INTO made(a) VALUES (1),('x'); CREATE INDEX made_c ON made(c);
    CREATE TABLE noted(a CHECK(a<>'ø') /* ø */); INSERT INTO noted VALUES ('x');
    CREATE VIRTUAL TABLE "fø" USING fts5(a, "bø"); INSERT INTO "fø" VALUES ('x y','z');
    CREATE VIRTUAL TABLE over USING fts5(late, content="cafø", content_rowid=id); INSERT INTO over(over) VALUES ('rebuild');
    CREATE TABLE "a character of the plane that stands for bytes"(${'\u{10fee9}'});
    ANALYZE; PRAGMA writable_schema=ON;
    UPDATE sqlite_schema SET name=replace(name,'ø',CAST(x'e9' AS TEXT)),tbl_name=replace(tbl_name,'ø',CAST(x'e9' AS TEXT)),sql=replace(sql,'ø',CAST(x'e9' AS TEXT));
    UPDATE sqlite_sequence SET name=replace(name,'ø',CAST(x'e9' AS TEXT)); UPDATE sqlite_stat1 SET tbl=replace(tbl,'ø',CAST(x'e9' AS TEXT));
    PRAGMA writable_schema=RESET; REINDEX; UPDATE made SET a=a;`,
  'names and definitions that hold a NUL': `
    CREATE TABLE t(a, b); INSERT INTO t VALUES (1,2); CREATE INDEX i ON t(a); CREATE VIEW v AS SELECT 1; PRAGMA writable_schema=ON;
    UPDATE sqlite_schema SET sql=sql||char(0)||'rest'; UPDATE sqlite_schema SET name='v'||char(0)||'x',tbl_name='v'||char(0)||'x' WHERE name='v';`,
  'one name for a trigger and a table, and very long names': `
    CREATE TABLE t(v); CREATE TRIGGER t AFTER INSERT ON t BEGIN SELECT 1; END;
    CREATE TABLE "${'long'.repeat(200)}"(v); INSERT INTO "${'long'.repeat(200)}" VALUES (1);
    CREATE TABLE "${'long'.repeat(199)}lonG2"(v); INSERT INTO "${'long'.repeat(199)}lonG2" VALUES (2);`,
  'schema text with comments, odd spacing and carriage returns': `
    CREATE TABLE t( -- it's a comment; with a semicolon
      a /* block */ INT,   b TEXT DEFAULT 'x;y' -- last
    ); INSERT INTO t VALUES (1,'z');
    CREATE   VIEW   v  AS SELECT a -- trailing
    ; CREATE INDEX i ON t ( a ) ; CREATE INDEX j ON t(a) -- end
    ; CREATE VIEW crlf AS SELECT 1,${'\r'}
      2; CREATE VIEW goes AS SELECT 1
go
; CREATE VIEW broken AS SELECT * FROM missing; CREATE VIEW a_first AS SELECT * FROM z_last; CREATE VIEW z_last AS SELECT 1;`,
  'schema text that was written by hand': `
    PRAGMA writable_schema=ON; CREATE TABLE t(a); INSERT INTO t VALUES (1);
    UPDATE sqlite_schema SET sql='create  table /*x*/ t ( a )' WHERE name='t';`,
  'triggers that would fire during a replay': `
    CREATE TABLE t(id INTEGER PRIMARY KEY, at); CREATE TABLE log(x);
    CREATE TRIGGER a AFTER INSERT ON t BEGIN UPDATE t SET at=strftime('%s','now') WHERE id=new.id; INSERT INTO log VALUES (CASE WHEN 1 THEN 2 END); END;
    CREATE TRIGGER b BEFORE DELETE ON t WHEN old.id>0 BEGIN SELECT RAISE(ABORT,'no; END;'); END;
    CREATE VIEW v AS SELECT * FROM t; CREATE TRIGGER c INSTEAD OF INSERT ON v BEGIN INSERT INTO t VALUES (new.id,1); END;
    DELETE FROM log; INSERT INTO t VALUES (1,5); UPDATE t SET at=7; DELETE FROM log;`,
  'indexes on expressions, partial, collated and with quoted strings': `
    CREATE TABLE t(a TEXT, b INT); INSERT INTO t VALUES ('X',1),('y',2);
    CREATE INDEX i1 ON t(lower(a)); CREATE INDEX i2 ON t(a COLLATE NOCASE DESC) WHERE b>1; CREATE UNIQUE INDEX i3 ON t(b, a COLLATE RTRIM);
    CREATE INDEX i4 ON t(b) WHERE a <> "no column"; CREATE TABLE q(a CHECK(a <> "text"), b DEFAULT "dq"); INSERT INTO q VALUES (1,2);`,
  'functions and collations that only the application has': `
    PRAGMA writable_schema=ON; CREATE TABLE t(a, b); INSERT INTO t VALUES (1,'x');
    UPDATE sqlite_schema SET sql='CREATE TABLE t(a CHECK(app_check(a)), b COLLATE app_order, c AS (app_made(a)))' WHERE name='t';
    CREATE VIEW v AS SELECT app_view(1);`,
  statistics: `
    CREATE TABLE t(a, b); INSERT INTO t VALUES (1,2),(3,4),(1,5); CREATE INDEX i ON t(a,b); ANALYZE; INSERT INTO sqlite_stat1 VALUES ('t',NULL,'9');`,
  'header settings': `
    PRAGMA page_size=16384; PRAGMA auto_vacuum=INCREMENTAL; CREATE TABLE t(a); PRAGMA user_version=-48; PRAGMA application_id=2147483647; PRAGMA journal_mode=WAL;`,
  'an empty database': 'PRAGMA user_version=1; VACUUM;',
  'an empty database in UTF-16': "PRAGMA encoding='UTF-16be'; CREATE TABLE t(a); DROP TABLE t;",
  'nothing but a view in UTF-16': "PRAGMA encoding='UTF-16le'; CREATE VIEW encoding AS SELECT 1",
  'full-text indexes with content of their own': `
    CREATE VIRTUAL TABLE a USING fts5(title, body UNINDEXED, tokenize='porter unicode61', prefix='2 3', detail=column);
    INSERT INTO a(rowid,title,body) VALUES (5,'running dogs',x'00ff'),(7,'line'||char(10)||'end',2),(-3,NULL,1.5); INSERT INTO a(a,rank) VALUES('automerge',8); INSERT INTO a(a,rank) VALUES('rank','bm25(10.0)');
    CREATE VIRTUAL TABLE b USING fts4(subject, "body text", notindexed=subject, order=desc); INSERT INTO b(docid,subject,"body text") VALUES (2,'x','one two'),(9,'y',3);
    CREATE VIRTUAL TABLE c USING fts3(x); INSERT INTO c(x) VALUES ('abc def');`,
  'full-text indexes over other tables, with triggers': `
    CREATE TABLE post(id INTEGER PRIMARY KEY, title, body);
    CREATE VIRTUAL TABLE post_fts USING fts5(title, body, content='post', content_rowid='id');
    CREATE TRIGGER post_ai AFTER INSERT ON post BEGIN INSERT INTO post_fts(rowid,title,body) VALUES (new.id,new.title,new.body); END;
    CREATE TRIGGER post_ad AFTER DELETE ON post BEGIN INSERT INTO post_fts(post_fts,rowid,title,body) VALUES ('delete',old.id,old.title,old.body); END;
    INSERT INTO post VALUES (1,'first','hello world'),(4,'second','other words'); DELETE FROM post WHERE id=1;
    CREATE TABLE d(x, y); CREATE VIRTUAL TABLE df USING fts4(content="d", x); INSERT INTO d VALUES ('p q',1); INSERT INTO df(docid,x) SELECT rowid,x FROM d;`,
  'R-trees': `
    CREATE VIRTUAL TABLE r USING rtree(id, x0, x1, y0, y1, +label, +data); INSERT INTO r VALUES (7,0.1,0.2,-3,4,'a',x'00'),(-2,1e10,2e10,0,0,NULL,5);
    CREATE VIRTUAL TABLE ri USING rtree_i32(id, a, b); INSERT INTO ri VALUES (1,-5,5);`,
  'shadow tables that another SQLite has worded': `
    CREATE VIRTUAL TABLE r USING rtree(id, x0, x1); INSERT INTO r VALUES (7,0.5,1.5); PRAGMA writable_schema=ON;
    UPDATE sqlite_schema SET sql='CREATE TABLE "r_node"(nodeno INTEGER PRIMARY KEY, data BLOB)' WHERE name='r_node';`,
  '2,000 columns': `CREATE TABLE t(${Array.from({ length: 2000 }, (_, i) => `c${i} INT`).join(',')}); INSERT INTO t(c0,c1999) VALUES (1,'x'),(2,3.5);`,
  '500 tables': `BEGIN; ${Array.from({ length: 500 }, (_, i) => `CREATE TABLE t${i}(a); INSERT INTO t${i} VALUES (${i});`).join('\n')} COMMIT;`,
}

/** Virtual tables whose index cannot be made anew, or whose module is not loaded: their tables come back as they are. */
export const exactHazards: Record<string, string> = {
  'a contentless full-text index': `
    CREATE VIRTUAL TABLE f USING fts5(a, b, content=''); INSERT INTO f(rowid,a,b) VALUES (1,'x y','z'),(5,'p','q r');
    CREATE VIRTUAL TABLE g USING fts4(content="", a); INSERT INTO g(docid,a) VALUES (3,'abc');`,
  'an index that holds only some rows of its content': `
    CREATE TABLE post(id INTEGER PRIMARY KEY, title); INSERT INTO post VALUES (1,'one'),(2,'two');
    CREATE VIRTUAL TABLE f USING fts5(title, content=post, content_rowid=id); INSERT INTO f(rowid,title) VALUES (2,'two');`,
  'indexes over tables that have changed without them': `
    CREATE TABLE post(id INTEGER PRIMARY KEY, title); INSERT INTO post VALUES (1,'one'),(2,'two');
    CREATE VIRTUAL TABLE f USING fts5(title, content=post, content_rowid=id); INSERT INTO f(f) VALUES ('rebuild');
    CREATE TABLE page(title); INSERT INTO page VALUES ('one'),('two');
    CREATE VIRTUAL TABLE g USING fts4(content="page", title); INSERT INTO g(docid,title) SELECT rowid,title FROM page;
    UPDATE post SET title='words' WHERE id=2; UPDATE page SET title='words' WHERE rowid=2;`,
  'an index over a table that is gone': `
    CREATE TABLE post(id INTEGER PRIMARY KEY, title); CREATE VIRTUAL TABLE f USING fts5(title, content=post, content_rowid=id);
    INSERT INTO f(rowid,title) VALUES (2,'two'); DROP TABLE post;`,
  'a module that is not loaded': `
    PRAGMA writable_schema=ON; CREATE TABLE v_chunks(id INTEGER PRIMARY KEY, data BLOB); INSERT INTO v_chunks VALUES (1,x'01');
    INSERT INTO sqlite_schema VALUES ('table','v','v',0,'CREATE VIRTUAL TABLE v USING vec0(a float[3])');`,
  'a vocabulary table': `
    CREATE VIRTUAL TABLE f USING fts5(a); INSERT INTO f VALUES ('x'); CREATE VIRTUAL TABLE words USING fts5vocab(f, row);`,
}
