#include "db/journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/condition.h"
#include "base/logger.h"
#include "bus/event_log.h"
#include "db/database_lock.h"
#include "db/wal_limit.h"
#include "db/write_lock.h"

enum {
    PUBLISH_WAIT_NS = 2000000000,
    TEND_WAIT_NS = 100000000 /* for the write lock, before the -wal is looked after */
};

/* More than any -wal has. */
static const uint64_t WAL_UNCUT = 1ull << 62;

struct journal {
    struct bus *bus;
    struct journal_limits limits;
    struct generation generation;
    struct write_lock lock;
    struct wal_limit wal;
    /* Under the write lock: */
    struct journal_extent stored; /* what the table holds */
    struct journal_extent next;   /* what it will hold once the transaction under way is committed */
    bool durable;                 /* there is a table */
    int noted_in;                 /* a lock file for positions; -1: none */
    bool in_doubt;
    /* For who waits until a position is published: */
    _Atomic uint64_t published;
    _Atomic unsigned waiting;
    pthread_mutex_t moved_lock;
    pthread_cond_t moved;
};

struct journal *journal_create(struct bus *bus, const struct journal_limits *limits)
{
    struct journal *j = calloc(1, sizeof *j);

    if (j == NULL)
        return NULL;
    j->bus = bus;
    j->noted_in = -1;
    j->limits = *limits;
    j->generation = generation_new();
    write_lock_init(&j->lock);
    wal_limit_init(&j->wal);
    pthread_mutex_init(&j->moved_lock, NULL); /* with default attributes it has nothing to fail at */
    condition_init(&j->moved);
    return j;
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    pthread_cond_destroy(&j->moved);
    pthread_mutex_destroy(&j->moved_lock);
    wal_limit_destroy(&j->wal);
    write_lock_destroy(&j->lock);
    free(j);
}

bool journal_open(struct journal *j, struct db *db, bool anew, struct error *e)
{
    if (!db_begin_write(db, e))
        return false;
    if (!journal_table_open(db, anew, &j->generation, e) || !journal_table_measure(db, &j->stored, e)) {
        db_rollback(db);
        return false;
    }
    if (!db_commit(db, e))
        return false;
    j->durable = true;
    j->next = j->stored;
    atomic_store(&j->published, j->stored.head);
    return true;
}

bool journal_recall(struct journal *j, struct db *db, const struct journal_reader *reader, struct error *e)
{
    uint64_t from = j->stored.floor;

    if (j->stored.head - from > j->limits.max_events)
        from = j->stored.head - j->limits.max_events;
    reader->lost(reader->context, from);
    return journal_table_read(db, &j->generation, from, reader, e);
}

void journal_note_in(struct journal *j, int lock)
{
    j->noted_in = lock;
    database_lock_note(lock, &j->generation, journal_position(j));
}

const struct generation *journal_generation(const struct journal *j)
{
    return &j->generation;
}

uint64_t journal_position(const struct journal *j)
{
    return atomic_load(&j->published);
}

/* --- the position of a snapshot --- */

/* Whoever commits publishes next, and holds up nothing else meanwhile. */
static bool wait_until_published(struct journal *j, uint64_t position)
{
    bool in_time = true;

    if (journal_position(j) >= position)
        return true;
    uint64_t until_ns = clock_monotonic_ns() + PUBLISH_WAIT_NS;
    pthread_mutex_lock(&j->moved_lock);
    atomic_fetch_add(&j->waiting, 1);
    while (journal_position(j) < position && in_time)
        in_time = condition_wait(&j->moved, &j->moved_lock, until_ns);
    atomic_fetch_sub(&j->waiting, 1);
    pthread_mutex_unlock(&j->moved_lock);
    return journal_position(j) >= position;
}

bool journal_position_in_snapshot(struct journal *j, struct db *db, uint64_t *position, struct error *e)
{
    if (!journal_table_head(db, position, e))
        return false;
    return wait_until_published(j, *position) ||
           error_set(e, "unavailable", "events up to %llu are committed, and were not published",
                     (unsigned long long)*position);
}

static void move_to(struct journal *j, uint64_t position)
{
    if (j->noted_in >= 0)
        database_lock_note(j->noted_in, &j->generation, position);
    atomic_store(&j->published, position);
    if (atomic_load(&j->waiting) == 0) /* who begins to wait now sees the new position first */
        return;
    pthread_mutex_lock(&j->moved_lock);
    pthread_cond_broadcast(&j->moved);
    pthread_mutex_unlock(&j->moved_lock);
}

/* --- transactions --- */

bool journal_lock(struct journal *j, uint64_t deadline_ns)
{
    return write_lock_acquire(&j->lock, deadline_ns);
}

void journal_unlock(struct journal *j)
{
    write_lock_release(&j->lock);
}

/* --- the -wal --- */

void journal_limit_wal(struct journal *j, uint64_t bytes, uint64_t longest_ms)
{
    wal_limit_set(&j->wal, bytes, longest_ms);
}

bool journal_join(struct journal *j, struct db *db, struct error *e)
{
    return db_join(db, &j->wal.gate, j->wal.bytes == 0 ? WAL_UNCUT : j->wal.bytes, e);
}

void journal_tend_wal(struct journal *j, struct db *db)
{
    if (db_has_snapshot(db) || !wal_limit_is_due(&j->wal, db))
        return;
    if (!journal_lock(j, clock_monotonic_ns() + TEND_WAIT_NS))
        return; /* whoever has it looks after its own commit */
    wal_limit_enforce(&j->wal, db);
    journal_unlock(j);
}

static void publish_found(void *context, struct event *ev)
{
    struct journal *j = context;

    bus_publish(j->bus, &ev, 1);
    bus_wake(j->bus);
    move_to(j, ev->position);
}

static void ignore_lost(void *context, uint64_t position)
{
    (void)context;
    (void)position;
}

/* A commit that was said to have failed has happened all the same, if the table has what it wrote. */
static bool resolve_doubt(struct journal *j, struct db *db, struct error *e)
{
    const struct journal_reader reader = {publish_found, ignore_lost, j};
    uint64_t position = journal_position(j);
    uint64_t head;

    if (!journal_table_head(db, &head, e))
        return false;
    /* Nearly always it has not, and that must cost little: a client can have commits fail. */
    if (head > position &&
        (!journal_table_measure(db, &j->stored, e) || !journal_table_read(db, &j->generation, position, &reader, e)))
        return false;
    if (head > position)
        log_warn("db", "a commit that seemed to have failed was made: %llu events are published late",
                 (unsigned long long)(journal_position(j) - position));
    j->in_doubt = false;
    return true;
}

static bool add(struct journal *j, struct db *db, struct event *ev, uint64_t position, uint64_t now_ms, struct error *e)
{
    if (!event_seal(ev, &j->generation, position, now_ms, e))
        return false;
    if (ev->kind != EVENT_SYNC)
        return true;
    if (db != NULL && !journal_table_add(db, ev, e))
        return false;
    event_drop_data(ev);
    if (j->next.head == j->next.floor)
        j->next.oldest_ms = now_ms;
    j->next.head = position;
    j->next.bytes += event_weight(ev);
    return true;
}

bool journal_prepare(struct journal *j, struct db *db, struct event *const *events, size_t count, struct error *e)
{
    uint64_t now_ms = clock_wall_ms();

    if (j->in_doubt && db != NULL && !resolve_doubt(j, db, e))
        return false;
    uint64_t position = journal_position(j);
    j->next = j->stored;
    for (size_t i = 0; i < count; i++) {
        /* Who is to be disconnected is no part of the history: it takes no id. */
        position += events[i]->kind == EVENT_SYNC ? 1 : 0;
        if (!add(j, db, events[i], position, now_ms, e))
            return false;
    }
    return db == NULL ||
           journal_table_trim(db, &j->limits, now_ms, count, j->next.bytes - j->stored.bytes, &j->next, e);
}

void journal_publish(struct journal *j, struct event *const *events, size_t count)
{
    j->stored = j->next;
    if (count == 0)
        return;
    bus_publish(j->bus, events, count);
    /* After the delivery: who reads this position finds every event up to it in the inboxes. */
    move_to(j, events[count - 1]->position);
}

void journal_wake(struct journal *j)
{
    bus_wake(j->bus);
}

void journal_doubt(struct journal *j)
{
    j->in_doubt = true;
}

bool journal_is_over(const struct journal *j)
{
    return j->durable && journal_extent_is_over(&j->stored, &j->limits, clock_wall_ms());
}
