/*
 * retirement.h - how a program that was replaced comes to its end: its requests are answered, its workers joined, its
 * Lua states freed, on a thread of its own, so that a handler that does not return holds up nobody but itself.
 */
#ifndef PILLAR_RETIREMENT_H
#define PILLAR_RETIREMENT_H

#include <uv.h>

#include "broker_private.h"

struct retirement {
    struct pillar_broker *broker;
    struct program *program; /* owned reference; NULL before the switch, and once its counters are in the broker's */
    uv_thread_t thread;
    bool called_off;
    bool over; /* the thread has nothing more to do */
    struct retirement *next;
};

/* Starts the thread, which waits for its program: before the switch, since behind it nothing may fail any more. */
struct retirement *retirement_create(struct pillar_broker *b, struct error *e);

/* There is no switch: ends the thread and frees it. Accepts NULL. */
void retirement_call_off(struct retirement *r);

/* Makes `next` the broker's program, and retires the one before. From here on `r` is the broker's. */
void retirement_switch(struct retirement *r, struct program *next);

/* Frees those that are over; returns how many are not. */
size_t retirement_reap(struct pillar_broker *b);

void retirement_wait_for_all(struct pillar_broker *b);

#endif
