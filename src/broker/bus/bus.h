/*
 * bus.h - hands committed events to every loop, in one order for all.
 *
 * The publish lock is one of the places where threads meet.
 */
#ifndef PILLAR_BUS_BUS_H
#define PILLAR_BUS_BUS_H

#include <stddef.h>

#include "bus/event.h"

struct bus;

/* Where a loop takes its events. Embedded in the loop's inbox, which outlives its attachment. */
struct bus_outlet {
    /*
     * Takes `count` sealed events in order of their positions, a commit's words to disconnect last; the outlet takes
     * references of its own. Runs on the publisher's thread, under the publish lock: it must not block and must not
     * publish. Nobody needs to look at them before `wake`.
     */
    void (*deliver)(struct bus_outlet *outlet, struct event *const *events, size_t count);
    /* Has the loop look, if there is something that it was not told of. On the same terms; NULL: it is not needed. */
    void (*wake)(struct bus_outlet *outlet);
    struct bus_outlet *next; /* the bus's */
};

struct bus *bus_create(void);
/* Needs all outlets detached. Accepts NULL. */
void bus_free(struct bus *bus);

void bus_attach(struct bus *bus, struct bus_outlet *outlet);
void bus_detach(struct bus *bus, struct bus_outlet *outlet);

/* Safe on any thread. The caller sees to it that positions grow from call to call, and that bus_wake follows. */
void bus_publish(struct bus *bus, struct event *const *events, size_t count);

/* Has all loops look at what was published. Apart from it, so that a publisher who has more for a loop wakes it once. */
void bus_wake(struct bus *bus);

#endif
