#include "db/journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

struct journal {
    struct bus *bus;
    struct generation generation;
    pthread_mutex_t lock;
    _Atomic uint64_t published;
};

struct journal *journal_create(struct bus *bus)
{
    struct journal *j = calloc(1, sizeof *j);

    if (j == NULL)
        return NULL;
    j->bus = bus;
    j->generation = generation_new();
    pthread_mutex_init(&j->lock, NULL); /* with default attributes it has nothing to fail at */
    return j;
}

void journal_free(struct journal *j)
{
    if (j == NULL)
        return;
    pthread_mutex_destroy(&j->lock);
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
    if (deadline_ns == 0)
        return pthread_mutex_lock(&j->lock) == 0;
    struct timespec until = {(time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u)};
    return pthread_mutex_clocklock(&j->lock, CLOCK_MONOTONIC, &until) == 0;
}

void journal_unlock(struct journal *j)
{
    pthread_mutex_unlock(&j->lock);
}

bool journal_prepare(struct journal *j, struct db *db, struct event *const *events, size_t count, struct error *e)
{
    uint64_t position = atomic_load(&j->published);
    uint64_t now_ms = clock_wall_ms();

    (void)db;
    for (size_t i = 0; i < count; i++)
        if (!event_seal(events[i], &j->generation, ++position, now_ms, e))
            return false;
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
