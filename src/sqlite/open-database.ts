import { accessSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'

/**
 * Opens a database by better-sqlite3, which calls its folder missing where that may not be read: this throws what the
 * system says of the folder, and of the file what SQLite does.
 */
export function openDatabase(file: string, options?: Database.Options): Database.Database {
  try {
    return new Database(file, options)
  } catch (error) {
    if (error instanceof TypeError) accessSync(dirname(file))
    throw error
  }
}
