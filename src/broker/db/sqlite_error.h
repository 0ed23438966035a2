/*
 * sqlite_error.h - SQLite's errors in the words of db.h.
 */
#ifndef PILLAR_DB_SQLITE_ERROR_H
#define PILLAR_DB_SQLITE_ERROR_H

#include <sqlite3.h>

#include "base/error.h"

/* Says what the connection's last call failed with. Always false. `e` may be NULL. */
bool sqlite_error(sqlite3 *handle, struct error *e);

#endif
