/*
 * histogram.h - how often each time was measured, to within a thirty-second, in a fixed number of buckets.
 */
#ifndef PILLAR_BENCH_HISTOGRAM_H
#define PILLAR_BENCH_HISTOGRAM_H

#include <stdint.h>

/* Powers of two, and steps of one. */
enum { HISTOGRAM_POWERS = 40, HISTOGRAM_STEPS = 64 };

struct histogram {
    uint64_t buckets[HISTOGRAM_POWERS * HISTOGRAM_STEPS];
    uint64_t count;
};

void histogram_add(struct histogram *h, uint64_t value);

/* The value that `part` (0 to 1) of all do not exceed; 0 where there are none. */
uint64_t histogram_at(const struct histogram *h, double part);

#endif
