#include "db/wal_limit.h"

#include "base/clock.h"

enum { OTHERS_WAIT_MS = 100 }; /* for other programs, which do not know the gate */

void wal_limit_init(struct wal_limit *limit)
{
    limit->bytes = 0;
    limit->longest_ms = WAL_WAIT_FIRST_MS;
    limit->wait_ms = WAL_WAIT_FIRST_MS;
    atomic_init(&limit->due_from, 0);
    snapshot_gate_init(&limit->gate);
}

void wal_limit_destroy(struct wal_limit *limit)
{
    snapshot_gate_destroy(&limit->gate);
}

static void start_over(struct wal_limit *limit)
{
    limit->wait_ms = WAL_WAIT_FIRST_MS < limit->longest_ms ? WAL_WAIT_FIRST_MS : limit->longest_ms;
    atomic_store(&limit->due_from, limit->bytes);
}

void wal_limit_set(struct wal_limit *limit, uint64_t bytes, uint64_t longest_ms)
{
    limit->bytes = bytes;
    limit->longest_ms = longest_ms;
    start_over(limit);
}

/* It began anew by itself, or somebody else emptied it. */
static bool is_small_again(const struct wal_limit *limit, const struct db *db)
{
    return db_wal_bytes(db) <= limit->bytes;
}

bool wal_limit_is_due(const struct wal_limit *limit, const struct db *db)
{
    uint64_t due_from = atomic_load(&limit->due_from);

    return limit->bytes > 0 && (db_wal_bytes(db) > due_from || (is_small_again(limit, db) && due_from > limit->bytes));
}

static void put_off(struct wal_limit *limit, uint64_t size)
{
    bool longest = limit->wait_ms >= limit->longest_ms;

    limit->wait_ms = 2 * limit->wait_ms < limit->longest_ms ? 2 * limit->wait_ms : limit->longest_ms;
    atomic_store(&limit->due_from, size + (longest && size > limit->bytes ? size : limit->bytes));
}

void wal_limit_enforce(struct wal_limit *limit, struct db *db)
{
    db_measure_wal(db); /* somebody else may have emptied it while this thread waited for the write lock */
    if (is_small_again(limit, db)) {
        start_over(limit);
        return;
    }
    if (!wal_limit_is_due(limit, db))
        return;
    uint64_t until_ns = clock_monotonic_ns() + limit->wait_ms * 1000000u;
    bool alone = snapshot_gate_close(&limit->gate, until_ns);
    bool emptied = alone && db_empty_wal(db, clock_monotonic_ns() + OTHERS_WAIT_MS * 1000000ull);
    snapshot_gate_open(&limit->gate);
    if (emptied)
        start_over(limit);
    else
        put_off(limit, db_wal_bytes(db));
}
