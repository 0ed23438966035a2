/*
 * database_lock.h - one broker at a time on a database file.
 *
 * Two brokers on one file would not see each other's events. So each holds a lock on a file of its own beside the
 * database, PATH-lock, with its process id in it, from before it opens the database until it has closed it. The kernel
 * gives the lock back when the process ends, however it ends; the file stays.
 *
 * It also says how far the history has come that was told to clients. A database that has not come so far is older than
 * what they know: it was restored from a backup, or its disk has lost what it said was stored.
 */
#ifndef PILLAR_DB_DATABASE_LOCK_H
#define PILLAR_DB_DATABASE_LOCK_H

#include <stdint.h>

#include "base/error.h"
#include "bus/position.h"

/*
 * Waits for `wait_ms` at most, and says in the log whom it waits for. `url` is what db_open takes. Returns a descriptor for
 * database_lock_release, or -1 with "busy", "unavailable", or "invalid_field" for a URL without a file.
 */
int database_lock_take(const char *url, uint64_t wait_ms, struct error *e);

/* Notes a position that clients may know. Costs a write, and nothing is flushed: what is noted may be behind, never ahead. */
void database_lock_note(int lock, const struct generation *g, uint64_t position);

/* What was noted last, by this process or one before; false if nothing was. */
bool database_lock_noted(int lock, struct generation *g, uint64_t *position);

/* Accepts -1. */
void database_lock_release(int lock);

#endif
