/*
 * random.h - unpredictable bytes from the kernel.
 */
#ifndef PILLAR_BASE_RANDOM_H
#define PILLAR_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills `bytes`. The kernel's generator does not fail once it is seeded; if it is missing altogether the process
 * ends. */
void random_bytes(void *bytes, size_t len);
uint64_t random_u64(void);

/* Writes 2 * len lower-case hex digits and a NUL to `out`. */
void random_hex(char *out, size_t len);

/*
 * Writes a UUID of version 7 (RFC 9562 section 5.7), 36 characters and a NUL. Ids made later sort later, and those that
 * one thread makes within a millisecond too (section 6.2, method 1). A clock that is set back by up to ten seconds
 * changes nothing of that.
 */
void random_uuid7(char out[37], uint64_t wall_ms);

/* A cheap value in [low, high], for jitter only. `state` is the caller's, seeded with random_u64. */
uint64_t random_between(uint64_t *state, uint64_t low, uint64_t high);

#endif
