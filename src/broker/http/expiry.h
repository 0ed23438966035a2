/*
 * expiry.h - what is due when: a heap of those that end at a time of their own, the earliest first.
 *
 * Each entry belongs to something bigger, in which it keeps nothing but a number, its place. So who never expires costs
 * those four bytes, and a look at the clock costs what is due.
 *
 * One thread owns a queue; nothing here reads a clock.
 */
#ifndef PILLAR_HTTP_EXPIRY_H
#define PILLAR_HTTP_EXPIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct expiry {
    uint64_t due_ms;     /* when it is to be looked at */
    uint64_t expires_ms; /* when it ends */
    uint32_t *place;     /* in what expires: 0 while it is in no queue, otherwise the queue's */
};

/* Zeroed, it is empty. */
struct expiry_queue {
    struct expiry *at; /* owned */
    size_t count;
    size_t room;
};

/* Adds an entry whose *place is 0. Returns false, and changes nothing, when memory is short. */
bool expiry_add(struct expiry_queue *q, const struct expiry *entry);

/* Takes the entry with this place out and sets it to 0; harmless when it is 0. */
void expiry_remove(struct expiry_queue *q, uint32_t *place);

/* The earliest entry if it is due at `now_ms`, or NULL. Valid until the queue changes. */
const struct expiry *expiry_due(const struct expiry_queue *q, uint64_t now_ms);

/* Gives the entry with this place another time to be looked at. */
void expiry_move(struct expiry_queue *q, const uint32_t *place, uint64_t due_ms);

void expiry_free(struct expiry_queue *q);

#endif
