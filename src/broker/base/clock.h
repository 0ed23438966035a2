/*
 * clock.h - the two clocks. The wall clock can be a virtual one, for a thread that tests scripts; what is timed by the
 * monotonic clock and must run under a virtual one takes a time as an argument instead.
 */
#ifndef PILLAR_BASE_CLOCK_H
#define PILLAR_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of the monotonic clock: for deadlines and durations. */
uint64_t clock_monotonic_ns(void);

/* Milliseconds since 1970-01-01 UTC: for timestamps that people and other machines read. */
uint64_t clock_wall_ms(void);

/* From now on this thread's wall clock stands at `ms`; 0: it is the real one again. */
void clock_set_wall(uint64_t ms);

#endif
