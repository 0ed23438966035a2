/*
 * journal.h - where an event gets its place in the history, and the lock that keeps one order for everything.
 *
 * A handler never talks to the bus. Its events are drafts until the transaction they belong to is about to be
 * committed; then journal_prepare gives them ids, and after the commit journal_publish hands them to the bus.
 * All of it happens under the journal's lock, so that commit order, id order and publish order are the same.
 *
 * This journal is a counter in memory: its generation is new at each start, and an id of an earlier one is
 * answered with `resync`.
 */
#ifndef PILLAR_DB_JOURNAL_H
#define PILLAR_DB_JOURNAL_H

#include "bus/bus.h"
#include "bus/position.h"
#include "db/db.h"

struct journal;

/* `bus` outlives the journal. NULL when memory is short. */
struct journal *journal_create(struct bus *bus);
/* Accepts NULL. */
void journal_free(struct journal *j);

const struct generation *journal_generation(const struct journal *j);

/* The position of the last event that is published. Safe on any thread. Every event up to it is in every inbox. */
uint64_t journal_position(const struct journal *j);

/* The write lock of the process. Waits until `deadline_ns` (monotonic; 0: for ever); false when it ran out. */
bool journal_lock(struct journal *j, uint64_t deadline_ns);
void journal_unlock(struct journal *j);

/*
 * Seals the drafts, disconnects last, with the ids that come next, inside the transaction on `db` (NULL: there is no
 * database). Failure: false, and the transaction must be rolled back. The ids are used only by journal_publish; without
 * it the next transaction gets the same ones.
 */
bool journal_prepare(struct journal *j, struct db *db, struct event *const *events, size_t count, struct error *e);

/* After the commit: hands the sealed events to the bus. */
void journal_publish(struct journal *j, struct event *const *events, size_t count);

#endif
