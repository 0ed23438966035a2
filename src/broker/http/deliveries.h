/*
 * deliveries.h - a loop's memory of its last deliveries: which event was handed to which session of which user, when.
 *
 * A ring of a fixed size, where the newest entry takes the place of the oldest. To note one costs a few nanoseconds and
 * no memory; to ask looks at all of them. Users and sessions are known by their hashes only.
 *
 * One thread owns a ring.
 */
#ifndef PILLAR_HTTP_DELIVERIES_H
#define PILLAR_HTTP_DELIVERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct delivery {
    uint64_t position; /* of the event */
    uint64_t user;     /* hash_str of the id */
    uint64_t at_ms;    /* by the wall clock */
    uint32_t session;  /* deliveries_session of the id */
    bool echo;         /* it was withheld, from the session that caused it */
};

struct deliveries {
    struct delivery *entries; /* owned; NULL: none are kept */
    size_t room;
    size_t count;
    size_t next;       /* where the next one goes */
    uint64_t begun_ms; /* by the wall clock */
};

/* Makes a ring of `room` entries; with 0 it keeps none. Returns false when memory is short. */
bool deliveries_init(struct deliveries *d, size_t room, uint64_t now_ms);
void deliveries_free(struct deliveries *d);

/* How a session is known; an empty one too. */
uint32_t deliveries_session(struct str session_id);

/* Does nothing where none are kept. */
static inline void deliveries_note(struct deliveries *d, const struct delivery *entry)
{
    if (d->room == 0)
        return;
    d->entries[d->next] = *entry;
    d->next = d->next + 1 == d->room ? 0 : d->next + 1;
    d->count += d->count < d->room ? 1 : 0;
}

/* The time behind which none is missing; UINT64_MAX where none are kept. */
uint64_t deliveries_since(const struct deliveries *d);

/*
 * The newest entry of this event and user that was noted before the last *seen ones, and NULL when there is no more.
 * *seen is 0 at first, and then how many entries were looked at.
 */
const struct delivery *deliveries_find(const struct deliveries *d, uint64_t position, uint64_t user, size_t *seen);

#endif
