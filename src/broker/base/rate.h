/*
 * rate.h - how often each of many may do something: token buckets, in a table of a fixed size.
 *
 * A bucket is one number, the time at which it would be full again (the generic cell rate algorithm, ITU-T I.371). A
 * full bucket says no more than no bucket, so when the table is full the one that was used longest ago goes: whoever it
 * was begins anew.
 *
 * One thread owns a table; the time is an argument.
 */
#ifndef PILLAR_BASE_RATE_H
#define PILLAR_BASE_RATE_H

#include <stddef.h>
#include <stdint.h>

struct rate;

/*
 * A table of at most `most` buckets (1 to 2^31), each of which holds `per_second` tokens (1 to 10^9) and is refilled
 * with as many a second. NULL when memory is short.
 */
struct rate *rate_create(uint64_t per_second, size_t most);
/* Accepts NULL. */
void rate_free(struct rate *r);

/*
 * Takes a token of the bucket that `key` names, a keyed hash. Returns 0; or, when there is none, takes nothing and
 * returns how many nanoseconds it is until there is one.
 */
uint64_t rate_take(struct rate *r, uint64_t key, uint64_t now_ns);

/* That time in whole seconds, as Retry-After has it (RFC 9110 section 10.2.3): rounded up, at least 1. */
uint64_t rate_retry_after(uint64_t wait_ns);

#endif
