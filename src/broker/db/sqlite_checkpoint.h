/*
 * sqlite_checkpoint.h - when the write-ahead log goes back into the database file, and what the log is told when it cannot.
 *
 * SQLite does this behind a commit by itself, and keeps to itself when it fails: the commits stand, but the -wal grows for ever.
 */
#ifndef PILLAR_DB_SQLITE_CHECKPOINT_H
#define PILLAR_DB_SQLITE_CHECKPOINT_H

#include <sqlite3.h>

#include "base/outage.h"

/* In place of SQLite's own. `outage` lives as long as the connection. */
void sqlite_checkpoint_enable(sqlite3 *handle, struct outage *outage);

#endif
