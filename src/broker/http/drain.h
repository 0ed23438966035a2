/*
 * drain.h - how a loop comes to its end without anybody losing anything.
 *
 * At once: no connection is accepted, and requests that come are refused. The requests in hand are waited for, so that the
 * streams of all loops get their events. Then the streams are ended, spread evenly over a window: their clients come back
 * elsewhere, and not all at once. Until it is its turn, a stream goes on as ever. At the end of the window, what is idle is
 * closed. Where the time would not be enough, the window begins so that it ends with the time.
 *
 * Private to http/; belongs to the loop's thread.
 */
#ifndef PILLAR_HTTP_DRAIN_H
#define PILLAR_HTTP_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io_loop;

/* All zero before it begins. Times are by uv_now. */
struct drain {
    uint64_t began_ms;
    bool ending; /* the window has begun */
    uint64_t ending_since_ms;
    size_t streams; /* that there were then */
    bool over;
};

/* Has no effect when it has begun. */
void drain_begin(struct io_loop *loop);

/* Goes on with it, if it has begun: at each tick, of which drain_begin makes more. */
void drain_step(struct io_loop *loop);

#endif
