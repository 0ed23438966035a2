/*
 * journal.h - where an event gets its place in the history, and the lock that keeps one order for everything.
 *
 * A handler never talks to the bus. Its events are drafts until the transaction they belong to is about to be
 * committed; then journal_prepare gives them ids and writes them into the history, inside that transaction, and after
 * the commit journal_publish hands them to the bus. All of it happens under the journal's lock, so that commit order,
 * id order and publish order are the same.
 *
 * With a database the history is a table in it, and outlives the process. Without one it is a counter in memory: its
 * generation is new at each start, and an id of an earlier one is answered with `resync`.
 */
#ifndef PILLAR_DB_JOURNAL_H
#define PILLAR_DB_JOURNAL_H

#include "bus/bus.h"
#include "bus/position.h"
#include "db/journal_table.h"

struct journal;

/* One in memory. `bus` outlives the journal. NULL when memory is short. */
struct journal *journal_create(struct bus *bus, const struct journal_limits *limits);
/* Accepts NULL. */
void journal_free(struct journal *j);

/*
 * Continues the history in the database, in a transaction of its own; `anew`: begins another. Before anything is
 * committed. Errors are those of journal_table_open.
 */
bool journal_open(struct journal *j, struct db *db, bool anew, struct error *e);

/*
 * Reads what of the history is to be remembered: the newest events, as many as the limits let there be. `lost` is told the
 * position first that they begin behind. Nothing may be committed meanwhile.
 */
bool journal_recall(struct journal *j, struct db *db, const struct journal_reader *reader, struct error *e);

/* From now on each position that is published is noted in this lock file. See db/database_lock.h. */
void journal_note_in(struct journal *j, int lock);

const struct generation *journal_generation(const struct journal *j);

/* The position of the last event that is published. Safe on any thread. Every event up to it is in every inbox. */
uint64_t journal_position(const struct journal *j);

/*
 * The position in the snapshot that is open on `db`: what the snapshot shows is what the events up to it told. Waits until
 * they are published, which is due at once; "unavailable" if it does not come.
 */
bool journal_position_in_snapshot(struct journal *j, struct db *db, uint64_t *position, struct error *e);

/* The write lock of the process. Waits until `deadline_ns` (monotonic; 0: for ever); false when it ran out. */
bool journal_lock(struct journal *j, uint64_t deadline_ns);
void journal_unlock(struct journal *j);

/*
 * The -wal is to be kept at `bytes`, roughly, by letting new snapshots wait while the open ones end, `longest_ms` at a time at
 * most: see db/wal_limit.h. Before the first connection joins; otherwise there is no limit.
 */
void journal_limit_wal(struct journal *j, uint64_t bytes, uint64_t longest_ms);

/* A connection whose snapshots are among those that wait. The journal outlives it. */
bool journal_join(struct journal *j, struct db *db, struct error *e);

/*
 * After a commit on `db`, when its events are published and nobody waits for its answers: empties the -wal if it is time.
 * Takes the write lock, so it is not held. Does nothing while `db` has a snapshot.
 */
void journal_tend_wal(struct journal *j, struct db *db);

/*
 * Seals the drafts, disconnects last, with the ids that come next, and writes them into the history, inside the transaction
 * on `db` (NULL: there is no database). Drops some of what is over the limits. Failure: false, and the transaction must be
 * rolled back. The ids are used only by journal_publish; without it the next transaction gets the same ones.
 */
bool journal_prepare(struct journal *j, struct db *db, struct event *const *events, size_t count, struct error *e);

/* After the commit: hands the sealed events to the bus. */
void journal_publish(struct journal *j, struct event *const *events, size_t count);

/* Has the loops look at what was published: bus_wake. Needs no lock. */
void journal_wake(struct journal *j);

/*
 * Instead of journal_publish, when the commit failed. A database may say so of a commit that it has made all the same; so the
 * next transaction looks, and publishes what it finds.
 */
void journal_doubt(struct journal *j);

/* True when the history is over its limits: a transaction without events would drop some of it. Needs the lock. */
bool journal_is_over(const struct journal *j);

#endif
