#include "base/condition.h"

#include <time.h>

/* With these attributes pthread's init functions have nothing to fail at. */
void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t until_ns)
{
    const struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};

    return (until_ns == 0 ? pthread_cond_wait(condition, mutex) : pthread_cond_timedwait(condition, mutex, &until)) ==
           0;
}
