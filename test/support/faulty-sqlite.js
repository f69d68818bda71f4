/** Loaded before the program by `node --import`: a SQLite that stores a note that is not quite what the INSERT says. */

import Database from 'better-sqlite3'

const { exec } = Database.prototype

Database.prototype.exec = function (sql) {
  return exec.call(this, sql.startsWith('INSERT INTO "note"') ? sql.replaceAll("'two'", "'TWO'") : sql)
}
