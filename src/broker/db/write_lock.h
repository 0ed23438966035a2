/*
 * write_lock.h - the one write lock of the process, one of the places where threads meet.
 *
 * First come, first served: the writer takes it again as soon as it has released it, and would otherwise
 * starve a handler that waits to open a transaction of its own. Waiting ends at a deadline.
 */
#ifndef PILLAR_DB_WRITE_LOCK_H
#define PILLAR_DB_WRITE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct write_waiter;

struct write_lock {
    pthread_mutex_t mutex; /* guards the rest, for moments only */
    bool held;
    struct write_waiter *first;
    struct write_waiter *last;
};

void write_lock_init(struct write_lock *lock);
void write_lock_destroy(struct write_lock *lock);

/* Waits until `deadline_ns` (monotonic; 0: for ever). False when it ran out; the lock is then not held. */
bool write_lock_acquire(struct write_lock *lock, uint64_t deadline_ns);
void write_lock_release(struct write_lock *lock);

#endif
