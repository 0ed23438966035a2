#include "histogram.h"

#include <stddef.h>

static size_t bucket_of(uint64_t value)
{
    unsigned power = 0;

    if (value < HISTOGRAM_STEPS)
        return (size_t)value;
    power = 63u - (unsigned)__builtin_clzll(value) - 5; /* so that value >> power is between 32 and 63 */
    size_t bucket = (size_t)power * HISTOGRAM_STEPS + (size_t)(value >> power);
    size_t last = (size_t)HISTOGRAM_POWERS * HISTOGRAM_STEPS - 1;
    return bucket < last ? bucket : last;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->buckets[bucket_of(value)]++;
    h->count++;
}

uint64_t histogram_at(const struct histogram *h, double part)
{
    uint64_t rank = (uint64_t)((double)h->count * part);
    uint64_t seen = 0;

    for (size_t i = 0; i < (size_t)HISTOGRAM_POWERS * HISTOGRAM_STEPS; i++) {
        seen += h->buckets[i];
        if (seen > rank || (seen == h->count && h->count > 0))
            return (uint64_t)(i % HISTOGRAM_STEPS) << (i / HISTOGRAM_STEPS);
    }
    return 0;
}
