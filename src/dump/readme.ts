/** The README.md of every repository. Its bytes are part of format 1: they never change. */

export const repositoryReadme = `# A Rowback repository

Each commit is one backup: the databases as SQL text, the files beside them as they are, and a manifest.
Git and sqlite3 are enough to browse it and to restore any commit.

## Restore a database

    git archive COMMIT:databases/NAME | tar -xO | sqlite3 new.db

\`git ls-tree --name-only COMMIT:databases\` lists the names. If a new sqlite3 says that a table "may not be
modified", the dump holds definitions that no CREATE statement brings back; allow them with
\`sqlite3 -cmd '.dbconfig defensive off' new.db\`.

## Restore the files

    git archive COMMIT:assets | tar -x -C FOLDER

\`assets-manifest/\` has the mode, time and SHA-256 of each file, symbolic links and empty folders included.

## Look around

    git log                                  what each backup changed
    git show COMMIT                          the rows, a line each
    git log -p -- databases/NAME/30-rows/TABLE
    git grep TEXT COMMIT

## What is where

    manifest.json                            databases, tables, row counts
    databases/NAME/10-open.sql               settings of the database file
    databases/NAME/20-tables.sql             tables
    databases/NAME/30-rows/TABLE/…/….sql     rows, cut into chunks
    databases/NAME/40-schema.sql             indexes, views, triggers, full-text indexes
    databases/NAME/90-close.sql              sequences, statistics, versions
    assets/                                  files, byte for byte
    assets-manifest/                         a line for each file
`
