/*
 * user_rates.h - how often each user asks, counted by all workers together.
 *
 * One of the five places where threads meet: a lock around a table (base/rate.h), held for moments only.
 */
#ifndef PILLAR_SCRIPT_USER_RATES_H
#define PILLAR_SCRIPT_USER_RATES_H

#include "base/rate.h"
#include "base/str.h"

struct user_rates;

/* For at most `per_second` requests of a user (1 to 10^9), and `most` users at a time. NULL when memory is short. */
struct user_rates *user_rates_create(uint64_t per_second, size_t most);
/* Accepts NULL. */
void user_rates_free(struct user_rates *u);

/* Counts a request. Returns 0 if it may be made, or in how many nanoseconds one may. Safe on any thread. */
uint64_t user_rates_take(struct user_rates *u, struct str user_id, uint64_t now_ns);

#endif
