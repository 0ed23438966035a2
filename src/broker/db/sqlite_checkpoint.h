/*
 * sqlite_checkpoint.h - when the write-ahead log goes back into the database file, and what the log is told when it cannot.
 *
 * SQLite does this behind a commit by itself, and keeps to itself when it fails: the commits stand, but the -wal grows for ever.
 */
#ifndef PILLAR_DB_SQLITE_CHECKPOINT_H
#define PILLAR_DB_SQLITE_CHECKPOINT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/outage.h"

/* Zeroed, and a part of the connection. */
struct sqlite_checkpoint {
    struct outage outage;
    uint64_t wal_bytes; /* size of the -wal when it was measured last: behind each commit of this connection */
};

/* In place of SQLite's own. */
void sqlite_checkpoint_enable(struct sqlite_checkpoint *checkpoint, sqlite3 *handle);

void sqlite_checkpoint_measure(struct sqlite_checkpoint *checkpoint, sqlite3 *handle);

/* All of the -wal, which is empty then. False if others read or write for longer than the busy handler waits, or it fails. */
bool sqlite_checkpoint_truncate(struct sqlite_checkpoint *checkpoint, sqlite3 *handle);

#endif
