/*
 * sqlite_error.h - SQLite's errors in the words of db.h.
 */
#ifndef PILLAR_DB_SQLITE_ERROR_H
#define PILLAR_DB_SQLITE_ERROR_H

#include <sqlite3.h>

#include "base/error.h"

/*
 * Says what the connection's last call failed with and, where that helps, what to do. `system_errno` is the errno of a file
 * operation that failed, 0 if it is not known. Always false. `e` may be NULL.
 */
bool sqlite_error(sqlite3 *handle, int system_errno, struct error *e);

#endif
