/*
 * wake.h - a call from another thread that makes a loop look into its inbox.
 *
 * libuv's own, uv_async_t, waits in the loop until the thread that has called is through with its call. Where both share a
 * processor that thread cannot go on meanwhile, and the loop spins for ten microseconds, at each event. An eventfd has
 * nobody wait.
 */
#ifndef PILLAR_HTTP_WAKE_H
#define PILLAR_HTTP_WAKE_H

#include <stdbool.h>
#include <uv.h>

struct wake {
    uv_poll_t poll; /* its data is the owner's */
    int fd;
    void (*on_wake)(struct wake *w);
};

/*
 * on_wake runs on the loop's thread, once for any number of calls before it. Returns 0, or a negative libuv error with
 * nothing open. Until wake_destroy, wake_call may be called.
 */
int wake_open(struct wake *w, uv_loop_t *loop, void (*on_wake)(struct wake *w));

/* On any thread. Never blocks. */
void wake_call(const struct wake *w);

/* On the loop's thread: no further call is heard. Harmless when it was closed before. */
void wake_close(struct wake *w);
bool wake_is_closing(const struct wake *w);

/* Once the loop has ended, and nobody calls any more. Harmless for one that is zeroed. */
void wake_destroy(struct wake *w);

#endif
