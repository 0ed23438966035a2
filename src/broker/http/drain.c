#include "http/drain.h"

#include "http/h1.h"

enum {
    END_SLICE = 512, /* streams that end in one tick, a few milliseconds: requests in hand get their turn */
};

static void for_each_connection(struct io_loop *loop, void (*act)(struct h1 *conn))
{
    struct list *node = loop->connections.next;

    while (node != &loop->connections) {
        struct h1 *conn = list_entry(node, struct h1, node);
        node = node->next;
        act(conn);
    }
}

void drain_begin(struct io_loop *loop)
{
    if (loop->draining)
        return;
    loop->draining = true;
    loop->drain.began_ms = uv_now(&loop->uv);
    uv_close((uv_handle_t *)&loop->listener, NULL);
    for_each_connection(loop, h1_drain);
    io_loop_tick_faster(loop);
}

static bool may_wait(const struct io_loop *loop)
{
    const struct http_config *config = loop->config;

    return uv_now(&loop->uv) - loop->drain.began_ms < config->drain_timeout_ms - config->drain_window_ms;
}

/* How many streams are to be left: rounded, so that a single one ends in the middle of the window. */
static size_t streams_to_keep(const struct drain *drain, uint64_t elapsed_ms, uint64_t window_ms)
{
    if (elapsed_ms >= window_ms)
        return 0;
    return (size_t)((drain->streams * (window_ms - elapsed_ms) + window_ms / 2) / window_ms);
}

void drain_step(struct io_loop *loop)
{
    struct drain *drain = &loop->drain;

    if (!loop->draining || drain->over)
        return;
    if (!drain->ending) {
        bool busy = loop->handler->is_busy(loop->handler->context);
        /* Whatever was published before the last request was answered is here now. */
        io_loop_take_inbox(loop);
        if (loop->stopping || (busy && may_wait(loop)))
            return;
        drain->ending = true;
        drain->ending_since_ms = uv_now(&loop->uv);
        drain->streams = stream_hub_count(loop->hub);
    }
    uint64_t elapsed_ms = uv_now(&loop->uv) - drain->ending_since_ms;
    size_t keep = streams_to_keep(drain, elapsed_ms, loop->config->drain_window_ms);
    size_t left = stream_hub_end_some(loop->hub, keep, END_SLICE, STR("the server is going away"));
    io_loop_flush(loop);
    if (left > 0 || elapsed_ms < loop->config->drain_window_ms)
        return;
    drain->over = true;
    for_each_connection(loop, h1_finish);
}
