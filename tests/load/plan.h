/*
 * plan.h - whom the storm's events concern: a function of the event's number, so that whoever receives one can tell
 * whether it was meant for them.
 */
#ifndef PILLAR_TESTS_PLAN_H
#define PILLAR_TESTS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLAN_TARGETS_MAX = 16 };

/* Stream i belongs to user i % users, and has a session of its own. */
struct plan {
    size_t streams;
    size_t users;
};

struct plan_event {
    bool everyone;
    size_t targets[PLAN_TARGETS_MAX]; /* different users */
    size_t count;
    size_t origin; /* the stream whose session makes it, and does not get it */
};

struct plan_event plan_event(const struct plan *p, uint64_t n);

/* Whether event number n is to reach a stream. */
bool plan_concerns(const struct plan *p, uint64_t n, size_t stream);

#endif
