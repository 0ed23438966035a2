/*
 * in_flight.h - the requests with an Idempotency-Key that are being carried out outside of a transaction.
 *
 * One of the places where threads meet: a lock around a list, held for moments. A worker has one request at a time, so
 * there are never more entries than workers for routes with transaction = false, those of replaced programs included.
 */
#ifndef PILLAR_SCRIPT_IN_FLIGHT_H
#define PILLAR_SCRIPT_IN_FLIGHT_H

#include "base/list.h"
#include "db/idempotency.h"

struct in_flight;

/* The caller's; stays in place from in_flight_enter until in_flight_leave. */
struct in_flight_entry {
    struct list node;
    const unsigned char *scope; /* NULL: not entered */
};

/* NULL when memory is short. */
struct in_flight *in_flight_create(void);
/* Accepts NULL. Nothing may be in flight any more. */
void in_flight_free(struct in_flight *f);

/* Returns false, and changes nothing, when a request with this scope is in flight. Safe on any thread, as all of these. */
bool in_flight_enter(struct in_flight *f, struct in_flight_entry *entry, const struct idempotency_id *id);
bool in_flight_has(struct in_flight *f, const struct idempotency_id *id);
/* Harmless for an entry that was not entered. */
void in_flight_leave(struct in_flight *f, struct in_flight_entry *entry);

#endif
