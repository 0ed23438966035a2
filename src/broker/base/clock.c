#include "base/clock.h"

#include <time.h>

uint64_t clock_monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static _Thread_local uint64_t virtual_wall_ms;

void clock_set_wall(uint64_t ms)
{
    virtual_wall_ms = ms;
}

uint64_t clock_wall_ms(void)
{
    struct timespec now;

    if (virtual_wall_ms != 0)
        return virtual_wall_ms;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}
