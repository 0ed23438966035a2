/*
 * clock.h - the two clocks. Code that must run under a virtual clock takes a time as an argument instead.
 */
#ifndef PILLAR_BASE_CLOCK_H
#define PILLAR_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds of the monotonic clock: for deadlines and durations. */
uint64_t clock_monotonic_ns(void);

/* Milliseconds since 1970-01-01 UTC: for timestamps that people and other machines read. */
uint64_t clock_wall_ms(void);

#endif
