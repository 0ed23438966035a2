/*
 * inbox.h - what other threads hand to a loop: committed events, finished exchanges, and the word to drain or stop.
 *
 * One of the places where threads meet. Events are bounded: when the loop does not keep up, they are dropped, and the
 * loop is told the position up to which it has missed them. Exchanges are bounded by the request queue, and visitors by
 * the connections. A word to disconnect that would be dropped with the events becomes one to everybody: nobody stays
 * who was to go.
 */
#ifndef PILLAR_HTTP_INBOX_H
#define PILLAR_HTTP_INBOX_H

#include <pthread.h>

#include "base/exchange.h"
#include "bus/bus.h"
#include "http/wake.h"

struct inbox_batch {
    struct event **events; /* each with a reference for the taker */
    size_t event_count;
    size_t event_room;
    uint64_t missed;            /* events up to this position were dropped, those here included; 0: none were */
    bool missed_disconnect;     /* and with them the word to disconnect somebody */
    struct exchange *exchanges; /* a list by `next`, oldest first */
    bool drain;
    bool stop;
};

struct inbox {
    struct bus_outlet outlet;
    pthread_mutex_t lock; /* guards waiting, last, closed and called */
    struct inbox_batch waiting;
    struct exchange *last;
    bool closed; /* the loop is about to end, and takes no visitor any more */
    bool called; /* the loop was woken since it looked last */
    size_t max_events;
    const struct wake *wake; /* borrowed; open as long as anybody may put something in */
};

void inbox_init(struct inbox *inbox, const struct wake *wake, size_t max_events);
void inbox_destroy(struct inbox *inbox);

/* These run on any thread. */
void inbox_put_exchange(struct inbox *inbox, struct exchange *ex);

/*
 * The same for an exchange that goes from loop to loop, of which some may end while others go on. Returns false, and
 * the exchange stays the caller's, when this loop takes none any more.
 */
bool inbox_put_visitor(struct inbox *inbox, struct exchange *ex);

void inbox_ask_to_drain(struct inbox *inbox);
void inbox_ask_to_stop(struct inbox *inbox);

/* On the loop's thread: no visitor is taken any more. Returns false, and they still are, while an exchange waits. */
bool inbox_close(struct inbox *inbox);

/*
 * Takes everything, on the loop's thread. *batch holds what the last call left (or is zeroed): its array of
 * events is used again, and belongs to the caller in the end.
 */
void inbox_take(struct inbox *inbox, struct inbox_batch *batch);

#endif
