/*
 * sqlite_files.h - whether the files that a connection has open are still those at their path.
 *
 * Who deletes or replaces a database that is in use changes nothing for those who have it open: they go on in files that
 * have no name any more, and all of it is gone when they end. SQLite does not look.
 */
#ifndef PILLAR_DB_SQLITE_FILES_H
#define PILLAR_DB_SQLITE_FILES_H

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

enum { SQLITE_FILES = 3 }; /* the database, its -wal and its -shm */

struct sqlite_files {
    const char *path; /* the connection's; NULL: there is nothing to look at */
    struct {
        dev_t device;
        ino_t inode; /* 0: there was no such file */
    } at[SQLITE_FILES];
};

/* Notes what a connection has just opened, which must have been read from once. */
void sqlite_files_note(struct sqlite_files *files, sqlite3 *handle);

/* False with "unavailable" when one of them is gone or another file. Safe on any thread. */
bool sqlite_files_check(const struct sqlite_files *files, struct error *e);

#endif
