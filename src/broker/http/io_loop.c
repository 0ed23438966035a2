#include "http/io_loop.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/random.h"
#include "http/h1.h"
#include "http/visit.h"

enum {
    TICK_MS = 100,
    DRAIN_TICK_MS = 20,
    LINGER_MS = 2000,
    REFUSE_MS = 1000,
    FLUSH_SLICE = 32 * 1024, /* work of stream_hub_flush, some milliseconds, before other sockets get a turn */
    GIVE_UP_GRACE_MS = 150,
};

static uint64_t timeout_ms(const struct io_loop *loop, enum timeout_kind kind)
{
    switch (kind) {
    case TIMEOUT_HEADER:
        return loop->config->header_timeout_ms;
    case TIMEOUT_BODY:
        return loop->config->body_timeout_ms;
    case TIMEOUT_IDLE:
        return loop->config->idle_timeout_ms;
    case TIMEOUT_WRITE:
        return loop->config->write_timeout_ms;
    case TIMEOUT_REFUSE:
        return REFUSE_MS;
    default:
        return LINGER_MS;
    }
}

void io_loop_arm(struct io_loop *loop, struct h1 *conn, enum timeout_kind kind)
{
    list_remove(&conn->timeout);
    conn->timeout_at = (uint32_t)(uv_now(&loop->uv) + timeout_ms(loop, kind));
    conn->timeout_kind = (uint8_t)kind;
    list_push(&loop->timeouts[kind], &conn->timeout);
}

static void expire(struct io_loop *loop, struct list *timeouts)
{
    while (!list_empty(timeouts)) {
        struct h1 *conn = list_entry(timeouts->next, struct h1, timeout);
        if ((int32_t)(conn->timeout_at - (uint32_t)uv_now(&loop->uv)) > 0)
            return;
        list_remove(&conn->timeout);
        h1_on_timeout(conn);
    }
}

static bool is_over(uint64_t since_ns, uint64_t now_ns, uint64_t allowed_ms)
{
    return since_ns != 0 && now_ns > since_ns && now_ns - since_ns > allowed_ms * 1000000u;
}

/* A worker that is stuck in C code does not notice its deadline; the client is told all the same. So is one for whom no
 * worker finds the time. */
static void give_up_on_overdue(struct io_loop *loop)
{
    const struct http_config *config = loop->config;
    uint64_t now = clock_monotonic_ns();
    struct list *node = loop->outstanding.next;

    if (config->handler_deadline_ms == 0)
        return;
    while (node != &loop->outstanding) {
        struct h1_exchange *ex = list_entry(node, struct h1_exchange, outstanding);
        node = node->next;
        bool running = atomic_load(&ex->base.state) == EXCHANGE_RUNNING;
        bool overdue =
            running ? is_over(atomic_load(&ex->base.started_ns), now, config->handler_deadline_ms + GIVE_UP_GRACE_MS)
                    : is_over(ex->base.queued_ns, now, config->queue_timeout_ms);
        if (!overdue || !exchange_expire(&ex->base, running ? EXCHANGE_RUNNING : EXCHANGE_QUEUED))
            continue;
        log_warn("http", "%.*s %.*s %.*s: %s", STR_ARG(ex->base.request.id),
                 STR_ARG(method_names[ex->base.request.method]), STR_ARG(ex->base.request.path),
                 running ? "no answer by the deadline, the script is inside C code" : "no worker was free in time");
        if (!running)
            counter_add(&loop->counters, COUNT_QUEUE_REFUSALS, 1);
        h1_give_up(ex, running);
    }
}

static void renew_date(struct io_loop *loop, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm parts;

    if ((uint64_t)seconds == loop->date_second)
        return;
    loop->date_second = (uint64_t)seconds;
    gmtime_r(&seconds, &parts);
    strftime(loop->date, sizeof loop->date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static void on_tick(uv_timer_t *timer)
{
    struct io_loop *loop = timer->data;
    uint64_t wall_ms = clock_wall_ms();

    renew_date(loop, wall_ms);
    for (int kind = 0; kind < TIMEOUT_KINDS; kind++)
        expire(loop, &loop->timeouts[kind]);
    give_up_on_overdue(loop);
    if (loop->accept_waits && !loop->draining)
        h1_accept(loop);
    stream_hub_tick(loop->hub, uv_now(&loop->uv), wall_ms);
    io_loop_flush(loop);
    drain_step(loop);
}

void io_loop_tick_faster(struct io_loop *loop)
{
    (void)uv_timer_start(&loop->tick, on_tick, 0, DRAIN_TICK_MS); /* one that runs has nothing to fail at */
}

/* --- sending to streams, in slices --- */

static void on_more(uv_idle_t *idle)
{
    struct io_loop *loop = idle->data;

    if (!stream_hub_flush(loop->hub, FLUSH_SLICE))
        uv_idle_stop(idle);
}

void io_loop_flush(struct io_loop *loop)
{
    if (!uv_is_active((uv_handle_t *)&loop->more) && stream_hub_flush(loop->hub, FLUSH_SLICE) && !loop->stopping)
        uv_idle_start(&loop->more, on_more);
}

/* --- the inbox --- */

static void stop(struct io_loop *loop)
{
    if (loop->stopping)
        return;
    drain_begin(loop);
    loop->stopping = true;
    stream_hub_end_all(loop->hub, STR("the server is going away"));
    for (struct list *node = loop->connections.next; node != &loop->connections; node = node->next)
        h1_close(list_entry(node, struct h1, node));
    uv_close((uv_handle_t *)&loop->tick, NULL);
    uv_close((uv_handle_t *)&loop->more, NULL);
}

/* The last handle goes when nobody can come any more: neither an inquiry of the loop's own, nor one that visits. */
static void leave(struct io_loop *loop)
{
    if (loop->inquiries == 0 && inbox_close(&loop->inbox) && !wake_is_closing(&loop->wake))
        wake_close(&loop->wake);
}

/* Events go before exchanges, so that a stream that opens knows every event published before its request. */
void io_loop_take_inbox(struct io_loop *loop)
{
    struct inbox_batch *batch = &loop->batch;

    inbox_take(&loop->inbox, batch);
    if (batch->missed > 0) {
        counter_add(&loop->counters, COUNT_INBOX_OVERFLOWS, 1);
        log_warn("http", "a loop did not keep up: its streams are told to refetch");
        stream_hub_gap(loop->hub, batch->missed);
    }
    if (batch->missed_disconnect)
        stream_hub_end_all(loop->hub, STR("disconnected"));
    stream_hub_deliver(loop->hub, batch->events, batch->event_count);
    for (size_t i = 0; i < batch->event_count; i++)
        event_unref(batch->events[i]);
    batch->event_count = 0;
    while (batch->exchanges != NULL) {
        struct exchange *ex = batch->exchanges;
        batch->exchanges = ex->next;
        if (ex->inquiry != NULL)
            visit_take(loop, ex);
        else
            loop->handler->on_complete(loop->handler->context, ex);
    }
    io_loop_flush(loop);
    if (batch->drain)
        drain_begin(loop);
    if (batch->stop)
        stop(loop);
    if (loop->stopping)
        leave(loop);
}

static void on_wake(struct wake *wake)
{
    io_loop_take_inbox(wake->poll.data);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct io_loop *loop = listener->data;

    if (status == 0)
        h1_accept(loop);
    else
        log_warn("http", "cannot accept a connection: %s", uv_strerror(status));
}

/* --- life --- */

static bool failed(int result, struct error *e)
{
    if (result == 0)
        return false;
    (void)error_set(e, "loop", "cannot set up an I/O loop: %s", uv_strerror(result));
    return true;
}

static bool open_handles(struct io_loop *loop, struct error *e)
{
    if (failed(uv_loop_init(&loop->uv), e))
        return false;
    loop->uv.data = loop;
    if (failed(wake_open(&loop->wake, &loop->uv, on_wake), e) || failed(uv_timer_init(&loop->uv, &loop->tick), e) ||
        failed(uv_idle_init(&loop->uv, &loop->more), e) || failed(uv_tcp_init(&loop->uv, &loop->listener), e))
        return false;
    loop->wake.poll.data = loop;
    loop->tick.data = loop;
    loop->more.data = loop;
    loop->listener.data = loop;
    loop->hub = stream_hub_create(&loop->config->stream, uv_now(&loop->uv), &loop->counters);
    if (loop->config->max_requests_per_address > 0)
        loop->rates = rate_create(loop->config->max_requests_per_address, loop->config->rate_entries);
    if (loop->hub == NULL || (loop->config->max_requests_per_address > 0 && loop->rates == NULL))
        return error_no_memory(e);
    return !failed(uv_timer_start(&loop->tick, on_tick, TICK_MS, TICK_MS), e);
}

bool io_loop_init(struct io_loop *loop, struct http_server *server, const struct http_config *config,
                  const struct http_handler *handler, int listen_fd, struct error *e)
{
    memset(loop, 0, offsetof(struct io_loop, read_buffer));
    loop->server = server;
    loop->config = config;
    loop->handler = handler;
    loop->request_seed = random_u64();
    list_init(&loop->connections);
    list_init(&loop->outstanding);
    for (int kind = 0; kind < TIMEOUT_KINDS; kind++)
        list_init(&loop->timeouts[kind]);
    renew_date(loop, clock_wall_ms());
    inbox_init(&loop->inbox, &loop->wake, config->max_inbox_events);
    if (!open_handles(loop, e) || failed(uv_tcp_open(&loop->listener, listen_fd), e)) {
        close(listen_fd);
        return false;
    }
    return !failed(uv_listen((uv_stream_t *)&loop->listener, HTTP_BACKLOG, on_connection), e);
}

void io_loop_run(void *arg)
{
    struct io_loop *loop = arg;

    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

void io_loop_destroy(struct io_loop *loop)
{
    if (loop->uv.data != NULL) {
        /* After a run nothing is left to close; this is for a loop that was not started. */
        uv_walk(&loop->uv, close_handle, NULL);
        (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
        if (uv_loop_close(&loop->uv) != 0 || !list_empty(&loop->connections) || !list_empty(&loop->outstanding))
            abort(); /* a handle, a connection or an exchange outlived its loop */
    }
    stream_hub_free(loop->hub);
    rate_free(loop->rates);
    inbox_destroy(&loop->inbox);
    wake_destroy(&loop->wake);
    for (size_t i = 0; i < loop->batch.event_count; i++)
        event_unref(loop->batch.events[i]);
    free(loop->batch.events);
}
