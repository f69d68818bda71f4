/* An application's own function, collation and virtual table, as a SQLite extension. */
#include <sqlite3ext.h>
#include <string.h>
SQLITE_EXTENSION_INIT1

static void app_double(sqlite3_context *context, int count, sqlite3_value **values) {
  (void)count;
  sqlite3_result_int64(context, 2 * sqlite3_value_int64(values[0]));
}

/* The reverse of BINARY. */
static int app_order(void *data, int length_a, const void *a, int length_b, const void *b) {
  (void)data;
  int order = memcmp(b, a, length_a < length_b ? length_a : length_b);
  return order ? order : length_b - length_a;
}

/* app_numbers: a table of 1, 2 and 3. */
typedef struct { sqlite3_vtab_cursor base; sqlite3_int64 row; } Cursor;

static int connect(sqlite3 *db, void *data, int count, const char *const *values, sqlite3_vtab **table, char **error) {
  (void)data; (void)count; (void)values; (void)error;
  *table = sqlite3_malloc(sizeof(sqlite3_vtab));
  if (!*table) return SQLITE_NOMEM;
  memset(*table, 0, sizeof(sqlite3_vtab));
  return sqlite3_declare_vtab(db, "CREATE TABLE x(n)");
}
static int disconnect(sqlite3_vtab *table) { sqlite3_free(table); return SQLITE_OK; }
static int best_index(sqlite3_vtab *table, sqlite3_index_info *info) { (void)table; (void)info; return SQLITE_OK; }
static int open_cursor(sqlite3_vtab *table, sqlite3_vtab_cursor **cursor) {
  (void)table;
  *cursor = sqlite3_malloc(sizeof(Cursor));
  return *cursor ? SQLITE_OK : SQLITE_NOMEM;
}
static int close_cursor(sqlite3_vtab_cursor *cursor) { sqlite3_free(cursor); return SQLITE_OK; }
static int filter(sqlite3_vtab_cursor *cursor, int n, const char *s, int count, sqlite3_value **values) {
  (void)n; (void)s; (void)count; (void)values;
  ((Cursor *)cursor)->row = 1;
  return SQLITE_OK;
}
static int next(sqlite3_vtab_cursor *cursor) { ((Cursor *)cursor)->row++; return SQLITE_OK; }
static int eof(sqlite3_vtab_cursor *cursor) { return ((Cursor *)cursor)->row > 3; }
static int column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int index) {
  (void)index;
  sqlite3_result_int64(context, ((Cursor *)cursor)->row);
  return SQLITE_OK;
}
static int rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *row) { *row = ((Cursor *)cursor)->row; return SQLITE_OK; }

static sqlite3_module numbers = {
  .xCreate = connect, .xConnect = connect, .xBestIndex = best_index, .xDisconnect = disconnect, .xDestroy = disconnect,
  .xOpen = open_cursor, .xClose = close_cursor, .xFilter = filter, .xNext = next, .xEof = eof, .xColumn = column,
  .xRowid = rowid,
};

int sqlite3_extension_init(sqlite3 *db, char **error, const sqlite3_api_routines *routines) {
  (void)error;
  SQLITE_EXTENSION_INIT2(routines);
  sqlite3_create_function(db, "app_double", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, 0, app_double, 0, 0);
  sqlite3_create_collation(db, "app_order", SQLITE_UTF8, 0, app_order);
  return sqlite3_create_module(db, "app_numbers", &numbers, 0);
}
