/*
 * database_lock.h - one broker at a time on a database file.
 *
 * Two brokers on one file would not see each other's events. So each holds a lock on a file of its own beside the
 * database, PATH-lock, with its process id in it, from before it opens the database until it has closed it. The kernel
 * gives the lock back when the process ends, however it ends; the file stays.
 */
#ifndef PILLAR_DB_DATABASE_LOCK_H
#define PILLAR_DB_DATABASE_LOCK_H

#include <stdint.h>

#include "base/error.h"

/*
 * Waits for `wait_ms` at most, and says in the log whom it waits for. `url` is what db_open takes. Returns a descriptor for
 * database_lock_release, or -1 with "busy", "unavailable", or "invalid_field" for a URL without a file.
 */
int database_lock_take(const char *url, uint64_t wait_ms, struct error *e);

/* Accepts -1. */
void database_lock_release(int lock);

#endif
