/*
 * condition.h - condition variables whose waits end by the monotonic clock.
 */
#ifndef PILLAR_BASE_CONDITION_H
#define PILLAR_BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* To be destroyed by pthread_cond_destroy. */
void condition_init(pthread_cond_t *condition);

/* Waits, as pthread_cond_wait does, until `until_ns` (monotonic; 0: for ever) at most. False when that has come. */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t until_ns);

#endif
