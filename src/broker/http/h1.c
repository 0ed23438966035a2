/* The reading half of an HTTP/1.1 connection, and its life from accept to close. */
#include "http/h1.h"

#include <stdlib.h>
#include <string.h>

#include "base/logger.h"
#include "http/h1_private.h"

enum { LINGER_BYTES = 1024 * 1024 };

static struct h1 *of_transport(struct transport *t)
{
    return (struct h1 *)(void *)((char *)t - offsetof(struct h1, transport));
}

void h1_read_on(struct h1 *c)
{
    if (!c->reading)
        transport_read(&c->transport);
    c->reading = true;
}

static void stop_reading(struct h1 *c)
{
    if (c->reading)
        transport_stop_reading(&c->transport);
    c->reading = false;
}

/* --- memory that requests take from the loop's allowance --- */

static void charge(struct h1_exchange *ex, size_t bytes)
{
    ex->loop->body_memory += bytes - ex->charged;
    ex->charged = bytes;
}

static bool over_allowance(const struct io_loop *loop)
{
    return loop->body_memory > loop->config->max_body_memory;
}

static void refuse_for_memory(struct h1 *c)
{
    h1_refuse(c, &(struct refusal){503, "overloaded", "the server holds as many request bodies as it may"});
}

/* --- exchanges --- */

static void complete(struct exchange *ex)
{
    struct h1_exchange *mine = (struct h1_exchange *)ex;

    inbox_put_exchange(&mine->loop->inbox, ex);
}

struct h1_exchange *h1_new_exchange(struct h1 *c)
{
    struct h1_exchange *ex = calloc(1, sizeof *ex);

    if (ex == NULL)
        return NULL;
    atomic_init(&ex->base.state, EXCHANGE_QUEUED);
    ex->base.complete = complete;
    ex->base.protocol = &h1_protocol;
    ex->base.overloaded = c->refused;
    ex->loop = h1_loop(c);
    ex->conn = c;
    list_push(&h1_loop(c)->outstanding, &ex->outstanding);
    return ex;
}

void h1_release_exchange(struct h1_exchange *ex)
{
    struct h1 *c = ex->conn;

    if (c != NULL && c->message != NULL && c->message->ex == ex)
        c->message->ex = NULL;
    ex->loop->handler->on_release(ex->loop->handler->context, &ex->base);
    list_remove(&ex->outstanding);
    charge(ex, 0);
    free((char *)ex->base.request.body.ptr);
    response_clear(&ex->base);
    arena_free(&ex->base.arena);
    free(ex);
}

/* A request id from a proxy in front is kept if it is harmless in a header and a log; otherwise we make one. */
static bool set_request_id(struct io_loop *loop, struct exchange *ex)
{
    struct str given = pairs_get(&ex->request.headers, STR("x-request-id"));
    struct buf text = BUF_EMPTY;

    if (given.len <= 64 && str_is_token(given)) {
        ex->request.id = given;
        return true;
    }
    buf_printf(&text, "%08llx-%llx", (unsigned long long)(loop->request_seed & 0xffffffffu),
               (unsigned long long)++loop->request_number);
    ex->request.id = text.failed ? STR_NONE : arena_copy(&ex->arena, buf_str(&text));
    buf_free(&text);
    return ex->request.id.ptr != NULL;
}

/* --- reading --- */

static bool prepare_message(struct h1 *c)
{
    if (c->message == NULL)
        c->message = calloc(1, sizeof *c->message);
    return c->message != NULL;
}

void h1_free_message(struct h1 *c)
{
    struct h1_message *m = c->message;

    if (m == NULL)
        return;
    if (m->ex != NULL)
        h1_release_exchange(m->ex);
    h1_loop(c)->body_memory -= m->pending.cap;
    buf_free(&m->pending);
    buf_free(&m->head);
    parse_end(&m->parse);
    free(m);
    c->message = NULL;
}

/* The request is complete: hands it to the handler. */
static void deliver(struct h1 *c)
{
    struct h1_message *m = c->message;
    struct h1_exchange *ex = m->ex;
    size_t len;

    ex->base.request.body.ptr = buf_take(&m->parse.body, &len);
    ex->base.request.body.len = len;
    c->keep_alive = m->parse.keep_alive && !h1_loop(c)->draining && !c->refused;
    ex->base.draining = h1_loop(c)->draining;
    c->state = H1_HANDLING;
    list_remove(&c->timeout);
    counter_add(&h1_loop(c)->counters, COUNT_REQUESTS, 1);
    h1_loop(c)->handler->on_request(h1_loop(c)->handler->context, &ex->base);
}

static void begin_body(struct h1 *c)
{
    static char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct h1_message *m = c->message;

    c->state = H1_BODY;
    m->body_left = m->verdict.content_length;
    m->chunks = (struct chunk_guard){0};
    io_loop_arm(h1_loop(c), c, TIMEOUT_BODY);
    if (!m->verdict.expect_continue)
        return;
    uv_buf_t part = uv_buf_init(go_on, sizeof go_on - 1);
    if (transport_try_write(&c->transport, &part, 1) != (ssize_t)(sizeof go_on - 1))
        h1_close(c); /* a client that takes not even this many bytes at its first request is not reading */
}

static void on_head(struct h1 *c, struct str head)
{
    static const struct refusal short_of_memory = {503, "overloaded", "the server is short of memory"};
    struct h1_message *m = c->message;
    struct h1_exchange *ex = h1_new_exchange(c);

    if (ex == NULL) {
        h1_close(c);
        return;
    }
    m->ex = ex;
    m->verdict = (struct head_verdict){0};
    struct str copy = arena_copy(&ex->base.arena, head);
    if (m->address[0] == '\0')
        transport_address(&c->transport, m->address, sizeof m->address);
    ex->base.request.remote_address = arena_copy(&ex->base.arena, str_of(m->address));
    if (copy.ptr == NULL || ex->base.request.remote_address.ptr == NULL) {
        h1_refuse(c, &short_of_memory);
        return;
    }
    guard_check_head(copy, &h1_loop(c)->config->guard, &m->verdict);
    if (!m->verdict.sound) {
        h1_refuse(c, &m->verdict.refusal);
        return;
    }
    struct refusal why;
    if (!parse_head(&m->parse, &ex->base, copy, &m->verdict, &why)) {
        h1_refuse(c, &why);
        return;
    }
    if (m->verdict.refusal.status != 0) {
        h1_refuse(c, &m->verdict.refusal);
        return;
    }
    if (!set_request_id(h1_loop(c), &ex->base)) {
        h1_refuse(c, &short_of_memory);
        return;
    }
    if (m->verdict.framing == BODY_NONE || c->refused)
        deliver(c);
    else
        begin_body(c);
}

/* Takes bytes of a head. A head that comes in one piece, as nearly all do, is not copied here. */
static size_t feed_head(struct h1 *c, struct str data)
{
    struct h1_message *m = c->message;
    size_t before = m->head.len;
    struct str all = data;
    struct refusal why;
    size_t len;

    if (c->state == H1_IDLE) {
        c->state = H1_HEAD;
        m->scan = (struct head_scan){0};
        if (c->timeout_kind != TIMEOUT_HEADER && c->timeout_kind != TIMEOUT_REFUSE)
            io_loop_arm(h1_loop(c), c, TIMEOUT_HEADER);
    }
    if (before > 0) {
        buf_append_str(&m->head, data);
        if (m->head.failed) {
            h1_close(c);
            return data.len;
        }
        all = buf_str(&m->head);
    }
    switch (guard_find_head(all, &m->scan, &h1_loop(c)->config->guard, &len, &why)) {
    case HEAD_REFUSED:
        h1_refuse(c, &why);
        return data.len;
    case HEAD_PARTIAL:
        if (before == 0)
            buf_append_str(&m->head, data);
        if (m->head.failed)
            h1_close(c);
        return data.len;
    case HEAD_COMPLETE:
        break;
    }
    struct buf whole = m->head;
    m->head = BUF_EMPTY;
    on_head(c, (struct str){all.ptr, len});
    buf_free(&whole);
    return len - before;
}

static size_t feed_body(struct h1 *c, struct str data)
{
    struct h1_message *m = c->message;
    struct refusal why;
    size_t used;

    if (m->verdict.framing == BODY_CHUNKED) {
        if (guard_chunked(&m->chunks, &h1_loop(c)->config->guard, data, &used, &why) == CHUNK_REFUSED) {
            h1_refuse(c, &why);
            return data.len;
        }
    } else {
        used = m->body_left < data.len ? (size_t)m->body_left : data.len;
        m->body_left -= used;
    }
    if (!parse_body(&m->parse, (struct str){data.ptr, used}, &why)) {
        h1_refuse(c, &why);
        return data.len;
    }
    charge(m->ex, m->parse.body.cap);
    if (over_allowance(h1_loop(c))) {
        refuse_for_memory(c);
        return data.len;
    }
    if (m->parse.complete)
        deliver(c);
    return used;
}

static bool takes_requests(const struct h1 *c)
{
    return c->state == H1_IDLE || c->state == H1_HEAD || c->state == H1_BODY;
}

/* Feeds `data` until it is used up or a request waits for its response. Returns how much was used. */
static size_t feed(struct h1 *c, struct str data)
{
    size_t used = 0;

    c->feeding = true;
    while (used < data.len && takes_requests(c)) {
        struct str rest = str_from(data, used);
        if (!prepare_message(c)) {
            h1_close(c);
            break;
        }
        used += c->state == H1_BODY ? feed_body(c, rest) : feed_head(c, rest);
    }
    c->feeding = false;
    return used;
}

/* Keeps what came ahead of its turn, if its turn will come, and takes no more until then. */
static void stash(struct h1 *c, struct str data)
{
    struct h1_message *m = c->message;

    stop_reading(c);
    if (!c->keep_alive)
        return;
    buf_append_str(&m->pending, data);
    h1_loop(c)->body_memory += m->pending.cap;
    if (m->pending.failed || over_allowance(h1_loop(c)))
        h1_close(c);
}

void h1_resume(struct h1 *c)
{
    struct h1_message *m = c->message;

    if (c->feeding || c->state == H1_CLOSED)
        return;
    if (m != NULL && m->pending.len > 0) {
        size_t used = feed(c, str_from(buf_str(&m->pending), m->pending_at));
        m = c->message;
        if (m == NULL)
            return; /* a stream has begun */
        m->pending_at += used;
        if (m->pending_at < m->pending.len)
            return;
        h1_loop(c)->body_memory -= m->pending.cap;
        buf_free(&m->pending);
        m->pending_at = 0;
    }
    if (!takes_requests(c))
        return;
    if (c->half_closed)
        h1_close(c); /* what it sent is answered, and more will not come */
    else
        h1_read_on(c);
}

static void linger(struct h1 *c, size_t len)
{
    c->lingered += (uint32_t)len; /* of one read, and of few before */
    if (c->lingered > LINGER_BYTES)
        h1_close(c);
}

static void on_data(struct transport *t, struct str data)
{
    struct h1 *c = of_transport(t);

    counter_add(&h1_loop(c)->counters, COUNT_BYTES_RECEIVED, data.len);
    if (c->state == H1_LINGER) {
        linger(c, data.len);
        return;
    }
    if (c->state == H1_STREAM || c->state == H1_CLOSED)
        return;
    size_t used = feed(c, data);
    if (used < data.len && (c->state == H1_HANDLING || c->state == H1_WRITING))
        stash(c, str_from(data, used));
}

static void on_eof(struct transport *t)
{
    struct h1 *c = of_transport(t);

    c->half_closed = true;
    if (c->state != H1_HANDLING && c->state != H1_WRITING)
        h1_close(c);
}

static void on_error(struct transport *t)
{
    h1_close(of_transport(t));
}

/* --- what the writing half shares --- */

void h1_after_response(struct h1 *c)
{
    if (c->keep_alive && !h1_loop(c)->draining) {
        c->state = H1_IDLE;
        io_loop_arm(h1_loop(c), c, TIMEOUT_IDLE);
        h1_resume(c);
        return;
    }
    if (c->half_closed) {
        h1_close(c);
        return;
    }
    /* To close with bytes unread would reset the connection and may take the response with it (RFC 9112 9.6). */
    c->state = H1_LINGER;
    c->lingered = 0;
    io_loop_arm(h1_loop(c), c, TIMEOUT_LINGER);
    transport_shutdown(&c->transport);
    h1_read_on(c);
}

static void on_written(struct transport *t)
{
    struct h1 *c = of_transport(t);
    struct io_loop *loop = h1_loop(c);

    if (c->state == H1_STREAM || c->state == H1_WRITING)
        list_remove(&c->timeout);
    if (c->state == H1_STREAM) {
        stream_writable(c->stream);
        io_loop_flush(loop);
    } else if (c->state == H1_WRITING && c->message != NULL && c->message->file != NULL) {
        h1_file_written(c);
    } else if (c->state == H1_WRITING) {
        h1_after_response(c);
    }
}

/* --- the beginning and the end --- */

static void on_closed(struct transport *t)
{
    struct h1 *c = of_transport(t);

    if (c->stream != NULL)
        stream_close(c->stream);
    if (c->message != NULL && c->message->file != NULL)
        h1_file_gone(c);
    h1_free_message(c);
    list_remove(&c->node);
    list_remove(&c->timeout);
    h1_loop(c)->connection_count--;
    if (c->refused)
        h1_loop(c)->refuse_count--;
    else
        http_server_release(h1_loop(c)->server);
    counter_add(&h1_loop(c)->counters, COUNT_CONNECTIONS_CLOSED, 1);
    free(c);
}

static const struct transport_events events = {on_data, on_eof, on_error, on_written, on_closed};

void h1_close(struct h1 *c)
{
    struct h1_message *m = c->message;

    if (c->state == H1_CLOSED)
        return;
    if (m != NULL && m->ex != NULL && c->state == H1_HANDLING) {
        m->ex->conn = NULL; /* it is elsewhere, and will find nobody when it comes back */
        m->ex = NULL;
    }
    c->state = H1_CLOSED;
    transport_close(&c->transport);
}

void h1_accept(struct io_loop *loop)
{
    struct h1 *c = calloc(1, sizeof *c);

    loop->accept_waits = c == NULL;
    if (c == NULL)
        return; /* libuv holds the connection, and accepts no other, until the next tick tries again */
    c->sink.ops = &h1_sink_ops;
    list_init(&c->timeout);
    list_push(&loop->connections, &c->node);
    loop->connection_count++;
    counter_add(&loop->counters, COUNT_CONNECTIONS_OPENED, 1);
    c->refused = !http_server_admit(loop->server);
    if (c->refused) {
        loop->refuse_count++;
        counter_add(&loop->counters, COUNT_CONNECTIONS_REFUSED, 1);
    }
    int failed = transport_accept(&c->transport, &loop->uv, (uv_stream_t *)&loop->listener, &events,
                                  loop->config->peer_timeout_ms);
    if (failed != 0 || loop->draining || (c->refused && loop->refuse_count > REFUSE_ROOM)) {
        h1_close(c);
        return;
    }
    io_loop_arm(loop, c, c->refused ? TIMEOUT_REFUSE : TIMEOUT_HEADER);
    h1_read_on(c);
}

/*
 * Of a stream's request too little has come to send it away as a stream, on pages of other origins least of all, and
 * an EventSource gives up for good on any other answer. When the connection breaks, it comes back.
 */
static void refuse_unfinished(struct h1 *c, const struct refusal *why)
{
    const struct http_handler *handler = h1_loop(c)->handler;

    if (c->state == H1_HEAD && handler->is_stream(handler->context, buf_str(&c->message->head)))
        h1_close(c);
    else
        h1_refuse(c, why);
}

void h1_on_timeout(struct h1 *c)
{
    enum timeout_kind kind = (enum timeout_kind)c->timeout_kind;
    bool waited = kind == TIMEOUT_HEADER || kind == TIMEOUT_BODY;
    uint32_t unwritten = h1_unwritten(c);

    if (kind == TIMEOUT_WRITE && unwritten < c->unwritten) { /* slow, but it reads */
        c->unwritten = unwritten;
        io_loop_arm(h1_loop(c), c, TIMEOUT_WRITE);
        return;
    }
    counter_add(&h1_loop(c)->counters, COUNT_TIMEOUTS, 1);
    if (waited && c->state != H1_IDLE)
        refuse_unfinished(c, &(struct refusal){408, "request_timeout", "the request did not arrive in time"});
    else
        h1_close(c);
}

void h1_drain(struct h1 *c)
{
    c->keep_alive = false;
    if (c->state == H1_HEAD || c->state == H1_BODY)
        refuse_unfinished(c, &(struct refusal){503, "unavailable", "the server is going away"});
}

void h1_finish(struct h1 *c)
{
    h1_drain(c);
    if (c->state == H1_IDLE)
        h1_close(c);
}
