/*
 * wal_limit.h - how large a -wal gets: above a limit new snapshots wait until it has been written back and emptied.
 *
 * First for WAIT_FIRST at most; if the snapshots that are open do not end by then it is tried again, twice as long, once the
 * -wal has grown by as much as the limit; and when the longest wait did not help either, once it has doubled.
 */
#ifndef PILLAR_DB_WAL_LIMIT_H
#define PILLAR_DB_WAL_LIMIT_H

#include <stdatomic.h>

#include "db/db.h"
#include "db/snapshot_gate.h"

enum { WAL_WAIT_FIRST_MS = 500 };

struct wal_limit {
    struct snapshot_gate gate;
    uint64_t bytes; /* 0: there is no limit */
    uint64_t longest_ms;
    uint64_t wait_ms;          /* the next one; under the write lock */
    _Atomic uint64_t due_from; /* bytes */
};

/* Without a limit. */
void wal_limit_init(struct wal_limit *limit);
void wal_limit_destroy(struct wal_limit *limit);

/* Before the first connection joins. No wait is longer than `longest_ms`. */
void wal_limit_set(struct wal_limit *limit, uint64_t bytes, uint64_t longest_ms);

/* Whether what `db` has committed last calls for wal_limit_enforce. */
bool wal_limit_is_due(const struct wal_limit *limit, const struct db *db);

/* Empties the -wal if it is due. Needs the write lock; `db` has neither a transaction nor a snapshot. */
void wal_limit_enforce(struct wal_limit *limit, struct db *db);

#endif
