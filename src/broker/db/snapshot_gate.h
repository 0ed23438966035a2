/*
 * snapshot_gate.h - readers pass it before they open a snapshot, one of the places where threads meet.
 *
 * A -wal can begin anew only while nobody reads from it. Where snapshots always overlap that never happens by itself, so now
 * and then the gate is closed: those inside end, further ones wait in front of it.
 */
#ifndef PILLAR_DB_SNAPSHOT_GATE_H
#define PILLAR_DB_SNAPSHOT_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct snapshot_gate {
    pthread_mutex_t mutex; /* guards the rest, for moments only */
    pthread_cond_t moved;
    unsigned inside;
    bool closed;
};

void snapshot_gate_init(struct snapshot_gate *gate);
void snapshot_gate_destroy(struct snapshot_gate *gate);

/*
 * Waits while the gate is closed. `stop` (or NULL) is asked meanwhile, every few milliseconds; when it says true the result
 * is false, and the caller is not inside.
 */
bool snapshot_gate_enter(struct snapshot_gate *gate, bool (*stop)(void *context), void *context);
/* The snapshot has ended. */
void snapshot_gate_leave(struct snapshot_gate *gate);

/*
 * Lets nobody in from now on, and waits until nobody is inside, to `until_ns` (monotonic) at most; false when somebody still
 * is. Either way the gate stays closed until snapshot_gate_open. One caller at a time, who is not inside.
 */
bool snapshot_gate_close(struct snapshot_gate *gate, uint64_t until_ns);
void snapshot_gate_open(struct snapshot_gate *gate);

#endif
