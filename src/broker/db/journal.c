#include "db/journal.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "db/write_lock.h"

struct journal {
    struct bus *bus;
    struct generation generation;
    struct write_lock lock;
    _Atomic uint64_t published;
};

struct journal *journal_create(struct bus *bus)
{
    struct journal *j = calloc(1, sizeof *j);

    if (j == NULL)
        return NULL;
    j->bus = bus;
    j->generation = generation_new();
    write_lock_init(&j->lock);
    return j;
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    write_lock_destroy(&j->lock);
    free(j);
}

const struct generation *journal_generation(const struct journal *j)
{
    return &j->generation;
}

uint64_t journal_position(const struct journal *j)
{
    return atomic_load(&j->published);
}

bool journal_lock(struct journal *j, uint64_t deadline_ns)
{
    return write_lock_acquire(&j->lock, deadline_ns);
}

void journal_unlock(struct journal *j)
{
    write_lock_release(&j->lock);
}

bool journal_prepare(struct journal *j, struct db *db, struct event *const *events, size_t count, struct error *e)
{
    uint64_t position = atomic_load(&j->published);
    uint64_t now_ms = clock_wall_ms();

    (void)db;
    for (size_t i = 0; i < count; i++) {
        /* Who is to be disconnected is no part of the history: it takes no id. */
        position += events[i]->kind == EVENT_SYNC ? 1 : 0;
        if (!event_seal(events[i], &j->generation, position, now_ms, e))
            return false;
    }
    return true;
}

void journal_publish(struct journal *j, struct event *const *events, size_t count)
{
    if (count == 0)
        return;
    bus_publish(j->bus, events, count);
    /* After the delivery: who reads this position finds every event up to it in the inboxes. */
    atomic_store(&j->published, events[count - 1]->position);
}
