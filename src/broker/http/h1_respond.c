/* The writing half of an HTTP/1.1 connection: responses, and the sink that streams write to. */
#include <stdlib.h>
#include <string.h>

#include "base/logger.h"
#include "http/h1_private.h"
#include "http/status.h"
#include "http/visit.h"

static struct h1_exchange *mine(struct exchange *ex)
{
    return (struct h1_exchange *)ex;
}

static void count_response(struct io_loop *loop, int status)
{
    static const enum counter classes[] = {COUNT_RESPONSES_2XX, COUNT_RESPONSES_3XX, COUNT_RESPONSES_4XX,
                                           COUNT_RESPONSES_5XX};

    counter_add(&loop->counters, classes[status / 100 - 2], 1);
}

static bool has_no_content(int status)
{
    return status == 204 || status == 304;
}

static void append_header(struct buf *out, struct str name, struct str value)
{
    buf_append_str(out, name);
    buf_append(out, ": ", 2);
    buf_append_str(out, value);
    buf_append(out, "\r\n", 2);
}

/* Everything of a head but its last empty line. */
static void append_head(struct buf *out, const struct h1 *c, const struct exchange *ex)
{
    const struct response *r = &ex->response;

    buf_append_str(out, STR("HTTP/1.1 "));
    buf_append_u64(out, (uint64_t)r->status);
    buf_append_char(out, ' ');
    buf_append_str(out, str_of(http_status_reason(r->status)));
    buf_append(out, "\r\n", 2);
    append_header(out, STR("Date"), str_of(h1_loop(c)->date));
    for (size_t i = 0; i < ex->always.count; i++)
        append_header(out, ex->always.at[i].name, ex->always.at[i].value);
    for (size_t i = 0; i < r->headers.count; i++)
        append_header(out, r->headers.at[i].name, r->headers.at[i].value);
    if (ex->request.id.len > 0)
        append_header(out, STR("X-Request-Id"), ex->request.id);
    if (!c->keep_alive)
        append_header(out, STR("Connection"), STR("close"));
    else if (c->message != NULL && c->message->verdict.http_1_0)
        append_header(out, STR("Connection"), STR("keep-alive"));
}

static void append_length(struct buf *out, uint64_t length)
{
    buf_append_str(out, STR("Content-Length: "));
    buf_append_u64(out, length);
    buf_append(out, "\r\n", 2);
}

uint32_t h1_unwritten(const struct h1 *c)
{
    size_t bytes = transport_unwritten(&c->transport);

    return bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
}

/* Leaves to the transport what the socket does not take now, for as long as the client takes some of it in time. */
static bool write_later(struct h1 *c, struct str bytes, void (*release)(void *owner), void *owner)
{
    io_loop_arm(h1_loop(c), c, TIMEOUT_WRITE);
    if (!transport_write_later(&c->transport, bytes, release, owner)) {
        h1_close(c);
        return false;
    }
    c->unwritten = h1_unwritten(c);
    return true;
}

/* Sends head and body, and takes the body over. Returns false when a part of them is still to go out. */
static bool send_whole(struct h1 *c, struct str head, struct buf *body, bool with_body)
{
    size_t body_len = with_body ? body->len : 0;
    uv_buf_t parts[2] = {uv_buf_init((char *)head.ptr, (unsigned)head.len),
                         uv_buf_init(body->data, (unsigned)body_len)};
    ssize_t written = transport_try_write(&c->transport, parts, body_len > 0 ? 2 : 1);
    if (written < 0) {
        h1_close(c);
        return false;
    }
    size_t done = (size_t)written;
    counter_add(&h1_loop(c)->counters, COUNT_BYTES_SENT, head.len + body_len);
    if (done == head.len + body_len)
        return true;
    struct buf rest = BUF_EMPTY;
    size_t skip = 0;
    if (done >= head.len) {
        skip = done - head.len;
        rest = *body;
        *body = BUF_EMPTY;
    } else {
        buf_append_str(&rest, str_from(head, done));
        buf_append(&rest, body->data, body_len);
    }
    if (rest.failed) {
        buf_free(&rest);
        h1_close(c);
    } else {
        write_later(c, str_from(buf_str(&rest), skip), free, rest.data);
    }
    return false;
}

/* Without the query, which may hold a token. */
static void log_response(const struct exchange *ex)
{
    struct str rest = ex->request.target;
    struct str path = STR_NONE;

    (void)str_split(&rest, '?', &path);
    log_debug("http", "%.*s %.*s %.*s %d", STR_ARG(ex->request.id), STR_ARG(method_names[ex->request.method]),
              STR_ARG(path), ex->response.status);
}

void h1_respond(struct exchange *ex)
{
    struct h1 *c = mine(ex)->conn;
    struct response *r = &ex->response;
    struct buf head = BUF_EMPTY;

    if (c == NULL || c->state == H1_CLOSED) {
        h1_release_exchange(mine(ex));
        return;
    }
    c->state = H1_WRITING;
    count_response(h1_loop(c), r->status);
    log_response(ex);
    append_head(&head, c, ex);
    if (!has_no_content(r->status))
        append_length(&head, r->body.len);
    buf_append(&head, "\r\n", 2);
    if (head.failed || r->body.failed) {
        h1_release_exchange(mine(ex));
        buf_free(&head);
        h1_close(c);
        return;
    }
    bool with_body = ex->request.method != METHOD_HEAD && !has_no_content(r->status);
    bool sent = send_whole(c, buf_str(&head), &r->body, with_body);
    buf_free(&head);
    h1_release_exchange(mine(ex));
    if (sent)
        h1_after_response(c);
}

void h1_refuse(struct h1 *c, const struct refusal *why)
{
    struct h1_exchange *ex = h1_new_exchange(c);

    counter_add(&h1_loop(c)->counters, COUNT_REQUESTS_REFUSED, 1);
    c->keep_alive = false;
    if (ex == NULL) {
        h1_close(c);
        return;
    }
    log_debug("http", "refused: %d %s", why->status, why->message);
    if (c->message != NULL && c->message->ex != NULL && str_eq(c->message->verdict.method, method_names[METHOD_HEAD]))
        ex->base.request.method = METHOD_HEAD;
    if (c->message != NULL && c->message->ex != NULL)
        h1_loop(c)->handler->on_refuse(h1_loop(c)->handler->context, &c->message->ex->base.request, &ex->base);
    if (why->status == 503)
        response_set_error_for_now(&ex->base, why->status, why->code, why->message, 1);
    else
        response_set_error(&ex->base, why->status, why->code, why->message, "");
    h1_respond(&ex->base);
    if (c->message != NULL && c->message->ex != NULL)
        h1_release_exchange(c->message->ex);
}

void h1_give_up(struct h1_exchange *ex, bool running)
{
    struct h1 *c = ex->conn;

    if (c == NULL)
        return;
    c->message->ex = NULL;
    ex->conn = NULL;
    c->keep_alive = false;
    struct h1_exchange *answer = h1_new_exchange(c);
    if (answer == NULL) {
        h1_close(c);
        return;
    }
    answer->base.request.method = ex->base.request.method;
    answer->base.always = ex->base.always; /* the worker does not touch them, and ours are sent before it is back */
    if (ex->base.kind == EXCHANGE_STREAM) {
        h1_refuse_stream(&answer->base, "the server could not open the stream");
        return;
    }
    if (running)
        response_set_error_for_now(&answer->base, 503, "deadline_exceeded", "the handler did not finish in time", 1);
    else
        response_set_error_for_now(&answer->base, 503, "overloaded", "the server did not come to the request in time",
                                   1);
    h1_respond(&answer->base);
}

/* --- bodies in pieces, for file.c --- */

void h1_begin_body(struct h1 *c, struct exchange *ex, uint64_t length)
{
    struct buf head = BUF_EMPTY;
    struct buf none = BUF_EMPTY;

    c->state = H1_WRITING;
    count_response(h1_loop(c), ex->response.status);
    append_head(&head, c, ex);
    append_length(&head, length);
    buf_append(&head, "\r\n", 2);
    h1_release_exchange(mine(ex));
    if (head.failed)
        h1_close(c);
    else if (send_whole(c, buf_str(&head), &none, false))
        h1_file_written(c);
    buf_free(&head);
}

static void keep(void *owner)
{
    (void)owner; /* the file keeps its buffer */
}

void h1_send_piece(struct h1 *c, struct str bytes)
{
    uv_buf_t part = uv_buf_init((char *)bytes.ptr, (unsigned)bytes.len);
    ssize_t written = transport_try_write(&c->transport, &part, 1);

    if (written < 0) {
        h1_close(c);
        return;
    }
    counter_add(&h1_loop(c)->counters, COUNT_BYTES_SENT, bytes.len);
    struct str rest = str_from(bytes, (size_t)written);
    if (rest.len == 0) {
        h1_file_written(c);
        return;
    }
    (void)write_later(c, rest, keep, NULL);
}

void h1_finish_body(struct h1 *c)
{
    list_remove(&c->timeout);
    h1_after_response(c);
}

/* --- streams --- */

static struct h1 *of_sink(struct sink *sink)
{
    return (struct h1 *)(void *)((char *)sink - offsetof(struct h1, sink));
}

static void release_event(void *owner)
{
    event_unref(owner);
}

/* Lets the transport finish a frame of which `offset` bytes went out. */
static bool finish_later(struct h1 *c, const struct frame *frame, size_t offset)
{
    struct str rest = str_from(frame->bytes, offset);

    if (frame->event != NULL)
        return write_later(c, rest, release_event, event_ref(frame->event));
    char *copy = malloc(rest.len);
    if (copy == NULL) {
        h1_close(c);
        return false;
    }
    memcpy(copy, rest.ptr, rest.len);
    return write_later(c, (struct str){copy, rest.len}, free, copy);
}

/*
 * A broken connection counts as full, and is closed from the loop: the stream that called is alive until
 * then. The first frame that the socket does not take whole is left to the transport, whose on_written is the
 * way to learn that the socket drains.
 */
static size_t sink_send(struct sink *sink, const struct frame *frames, size_t count, bool *full)
{
    struct h1 *c = of_sink(sink);
    uv_buf_t parts[64];
    size_t n = count < 64 ? count : 64;

    *full = true;
    if (n == 0 || c->state == H1_CLOSED)
        return 0;
    for (size_t i = 0; i < n; i++)
        parts[i] = uv_buf_init((char *)frames[i].bytes.ptr, (unsigned)frames[i].bytes.len);
    ssize_t written = transport_try_write(&c->transport, parts, (unsigned)n);
    if (written < 0) {
        h1_close(c);
        return 0;
    }
    size_t left = (size_t)written;
    size_t sent = 0;
    while (sent < n && left >= frames[sent].bytes.len)
        left -= frames[sent++].bytes.len;
    counter_add(&h1_loop(c)->counters, COUNT_BYTES_SENT, (size_t)written);
    if (sent == n) {
        *full = false;
        return n;
    }
    if (!finish_later(c, &frames[sent], left))
        return sent;
    counter_add(&h1_loop(c)->counters, COUNT_BYTES_SENT, frames[sent].bytes.len - left);
    return sent + 1;
}

static void sink_end(struct sink *sink)
{
    struct h1 *c = of_sink(sink);

    c->stream = NULL;
    if (c->state == H1_CLOSED)
        return;
    c->keep_alive = false;
    h1_after_response(c);
}

const struct sink_ops h1_sink_ops = {sink_send, sink_end};

/* The head of a stream's response. The end of the connection is the end of the stream: no framing on each event. */
static bool stream_head(struct h1 *c, struct exchange *ex, struct buf *head)
{
    c->keep_alive = false;
    response_clear(ex);
    ex->response.status = 200;
    bool ok = response_add_header(ex, STR("Content-Type"), STR("text/event-stream"), NULL) &&
              response_add_header(ex, STR("Cache-Control"), STR("no-cache"), NULL) &&
              response_add_header(ex, STR("X-Accel-Buffering"), STR("no"), NULL) &&
              response_add_header(ex, STR("X-Content-Type-Options"), STR("nosniff"), NULL);
    append_head(head, c, ex);
    buf_append(head, "\r\n", 2);
    return ok && !head->failed;
}

void h1_open_stream(struct exchange *ex, const struct stream_request *request)
{
    struct h1 *c = mine(ex)->conn;
    struct buf head = BUF_EMPTY;

    if (c == NULL || c->state == H1_CLOSED) {
        h1_release_exchange(mine(ex));
        return;
    }
    c->state = H1_STREAM;
    if (stream_head(c, ex, &head))
        c->stream = stream_open(h1_loop(c)->hub, request, &c->sink, buf_str(&head));
    buf_free(&head);
    h1_release_exchange(mine(ex));
    h1_free_message(c);
    if (c->stream == NULL) {
        h1_close(c);
        return;
    }
    count_response(h1_loop(c), 200);
    if (c->half_closed)
        h1_close(c);
    else
        h1_read_on(c); /* what came ahead had it stop, and only a client that is listened to is seen to leave */
}

void h1_refuse_stream(struct exchange *ex, const char *reason)
{
    struct h1 *c = mine(ex)->conn;
    struct buf bytes = BUF_EMPTY;
    struct buf none = BUF_EMPTY;

    if (c == NULL || c->state == H1_CLOSED) {
        h1_release_exchange(mine(ex));
        return;
    }
    c->state = H1_WRITING;
    counter_add(&h1_loop(c)->counters, COUNT_STREAMS_REFUSED, 1);
    count_response(h1_loop(c), 200);
    bool ok = stream_head(c, ex, &bytes);
    if (ex->request.method != METHOD_HEAD)
        stream_hub_append_refusal(h1_loop(c)->hub, &bytes, str_of(reason));
    h1_release_exchange(mine(ex));
    if (!ok || bytes.failed)
        h1_close(c);
    else if (send_whole(c, buf_str(&bytes), &none, false))
        h1_after_response(c);
    buf_free(&bytes);
}

/* --- the protocol --- */

static struct counters *counters_of(struct exchange *ex)
{
    return &mine(ex)->loop->counters;
}

static struct stream_hub *hub_of(struct exchange *ex)
{
    return mine(ex)->loop->hub;
}

static struct rate *rates_of(struct exchange *ex)
{
    return mine(ex)->loop->rates;
}

const struct protocol h1_protocol = {.respond = h1_respond,
                                     .respond_file = h1_respond_file,
                                     .open_stream = h1_open_stream,
                                     .refuse_stream = h1_refuse_stream,
                                     .inquire = visit_begin,
                                     .counters = counters_of,
                                     .hub = hub_of,
                                     .rates = rates_of};
