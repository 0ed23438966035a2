#include "db/write_lock.h"

#include <stddef.h>

#include "base/condition.h"

/* Lives on the stack of the thread that waits. */
struct write_waiter {
    pthread_cond_t turn;
    bool granted;
    struct write_waiter *next;
};

void write_lock_init(struct write_lock *lock)
{
    *lock = (struct write_lock){.held = false};
    pthread_mutex_init(&lock->mutex, NULL); /* with default attributes it has nothing to fail at */
}

void write_lock_destroy(struct write_lock *lock)
{
    pthread_mutex_destroy(&lock->mutex);
}

static void enqueue(struct write_lock *lock, struct write_waiter *waiter)
{
    if (lock->first == NULL)
        lock->first = waiter;
    else
        lock->last->next = waiter;
    lock->last = waiter;
}

static void dequeue(struct write_lock *lock, const struct write_waiter *waiter)
{
    struct write_waiter *before = NULL;

    for (struct write_waiter *w = lock->first; w != NULL; before = w, w = w->next) {
        if (w != waiter)
            continue;
        if (before == NULL)
            lock->first = w->next;
        else
            before->next = w->next;
        if (lock->last == w)
            lock->last = before;
        return;
    }
}

static void wait_for_turn(struct write_lock *lock, struct write_waiter *waiter, uint64_t deadline_ns)
{
    bool in_time = true;

    condition_init(&waiter->turn);
    while (!waiter->granted && in_time)
        in_time = condition_wait(&waiter->turn, &lock->mutex, deadline_ns);
    pthread_cond_destroy(&waiter->turn);
}

bool write_lock_acquire(struct write_lock *lock, uint64_t deadline_ns)
{
    struct write_waiter waiter = {.granted = false};

    pthread_mutex_lock(&lock->mutex);
    if (!lock->held) {
        lock->held = true;
        waiter.granted = true;
    } else {
        enqueue(lock, &waiter);
        wait_for_turn(lock, &waiter, deadline_ns);
        if (!waiter.granted)
            dequeue(lock, &waiter);
    }
    pthread_mutex_unlock(&lock->mutex);
    return waiter.granted;
}

void write_lock_release(struct write_lock *lock)
{
    pthread_mutex_lock(&lock->mutex);
    struct write_waiter *next = lock->first;
    if (next == NULL) {
        lock->held = false;
    } else {
        /* Handed over: nobody can slip in between. */
        dequeue(lock, next);
        next->granted = true;
        pthread_cond_signal(&next->turn);
    }
    pthread_mutex_unlock(&lock->mutex);
}
