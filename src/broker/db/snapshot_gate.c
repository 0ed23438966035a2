#include "db/snapshot_gate.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/condition.h"

enum { LOOK_NS = 5000000 }; /* between two looks at the guard of who waits */

void snapshot_gate_init(struct snapshot_gate *gate)
{
    *gate = (struct snapshot_gate){.closed = false};
    pthread_mutex_init(&gate->mutex, NULL); /* with default attributes it has nothing to fail at */
    condition_init(&gate->moved);
}

void snapshot_gate_destroy(struct snapshot_gate *gate)
{
    pthread_cond_destroy(&gate->moved);
    pthread_mutex_destroy(&gate->mutex);
}

bool snapshot_gate_enter(struct snapshot_gate *gate, bool (*stop)(void *context), void *context)
{
    pthread_mutex_lock(&gate->mutex);
    while (gate->closed && (stop == NULL || !stop(context)))
        (void)condition_wait(&gate->moved, &gate->mutex, clock_monotonic_ns() + LOOK_NS);
    bool entered = !gate->closed;
    gate->inside += entered ? 1 : 0;
    pthread_mutex_unlock(&gate->mutex);
    return entered;
}

void snapshot_gate_leave(struct snapshot_gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->inside--;
    if (gate->closed && gate->inside == 0)
        pthread_cond_broadcast(&gate->moved);
    pthread_mutex_unlock(&gate->mutex);
}

bool snapshot_gate_close(struct snapshot_gate *gate, uint64_t until_ns)
{
    bool in_time = true;

    pthread_mutex_lock(&gate->mutex);
    gate->closed = true;
    while (gate->inside > 0 && in_time)
        in_time = condition_wait(&gate->moved, &gate->mutex, until_ns);
    bool empty = gate->inside == 0;
    pthread_mutex_unlock(&gate->mutex);
    return empty;
}

void snapshot_gate_open(struct snapshot_gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    gate->closed = false;
    pthread_cond_broadcast(&gate->moved);
    pthread_mutex_unlock(&gate->mutex);
}
