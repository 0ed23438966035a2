#include "fake_transport.h"

#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "check.h"
#include "http/h1.h"

enum { READ_MAX = 64 * 1024 };

static struct wire *connecting; /* the wire whose connection is being accepted */

struct wire *wire_of(const struct transport *t)
{
    return t->tcp.data;
}

/* --- the client's side --- */

void wire_connect(struct wire *w, struct io_loop *loop)
{
    w->loop = loop;
    w->window = SIZE_MAX;
    w->may_close = w->accept_fails || loop->draining;
    connecting = w;
    h1_accept(loop);
    connecting = NULL;
}

void wire_say(struct wire *w, const void *bytes, size_t len)
{
    if (w->finished)
        return; /* nothing comes behind FIN */
    alloc_suspend();
    buf_append(&w->input, bytes, len);
    alloc_resume();
}

void wire_drain(struct wire *w)
{
    if (!w->pending)
        return;
    alloc_suspend();
    buf_append_str(&w->output, w->pending_bytes);
    alloc_resume();
    w->pending_bytes = STR_NONE;
}

void wire_free(struct wire *w)
{
    CHECK(w->transport == NULL, "a connection is left");
    buf_free(&w->input);
    buf_free(&w->output);
}

/* --- what a loop does --- */

/* In memory of its own and of just its size, so that reading beyond it is seen. */
static bool deliver(struct wire *w)
{
    size_t len = w->input.len - w->input_at;

    if (w->piece > 0 && len > w->piece)
        len = w->piece;
    if (len > READ_MAX)
        len = READ_MAX;
    if (len == 0)
        return false;
    char *copy = malloc(len);
    CHECK(copy != NULL, "memory for a test");
    memcpy(copy, w->input.data + w->input_at, len);
    w->input_at += len;
    alloc_resume();
    w->transport->events->on_data(w->transport, (struct str){copy, len});
    alloc_suspend();
    free(copy);
    return true;
}

static bool read_turn(struct wire *w)
{
    if (!w->reading || w->closing)
        return false;
    if (deliver(w))
        return true;
    if (!w->finished || w->told_finished)
        return false;
    w->told_finished = true;
    w->transport->events->on_eof(w->transport);
    return true;
}

static void let_go(struct wire *w)
{
    w->pending = false;
    w->release(w->owner);
}

static bool write_turn(struct wire *w)
{
    if (w->pending && w->pending_bytes.ptr == NULL) {
        let_go(w);
        if (!w->closing)
            w->transport->events->on_written(w->transport);
        return true;
    }
    if (w->fin_due && !w->pending && !w->fin) {
        w->fin = true;
        return true;
    }
    return false;
}

static bool close_turn(struct wire *w)
{
    if (!w->closing)
        return false;
    if (w->pending)
        let_go(w);
    struct transport *t = w->transport;
    w->transport = NULL;
    t->events->on_closed(t);
    return true;
}

/* Only what arrives may run out of memory: the rest has nothing that a client could be told. */
bool wire_turn(struct wire *w)
{
    if (w->transport == NULL)
        return false;
    alloc_suspend();
    bool any = false;
    if (w->reset && !w->closing) {
        w->transport->events->on_error(w->transport);
        any = true;
    }
    any = write_turn(w) || read_turn(w) || any;
    any = close_turn(w) || any;
    alloc_resume();
    return any;
}

/* --- what http calls --- */

int transport_accept(struct transport *t, uv_loop_t *loop, uv_stream_t *listener, const struct transport_events *events,
                     uint64_t peer_timeout_ms)
{
    (void)listener;
    (void)peer_timeout_ms;
    CHECK(connecting != NULL, "a connection that nobody made");
    connecting->transport = t;
    t->events = events;
    t->tcp.loop = loop;
    t->tcp.data = connecting;
    return connecting->accept_fails ? UV_EMFILE : 0;
}

void transport_read(struct transport *t)
{
    struct wire *w = wire_of(t);

    if (w->closing)
        return;
    w->reading = true;
    w->told_finished = false;
}

void transport_stop_reading(struct transport *t)
{
    wire_of(t)->reading = false;
}

static size_t total(const uv_buf_t *parts, unsigned count)
{
    size_t sum = 0;

    for (unsigned i = 0; i < count; i++)
        sum += parts[i].len;
    return sum;
}

ssize_t transport_try_write(struct transport *t, const uv_buf_t *parts, unsigned count)
{
    struct wire *w = wire_of(t);
    size_t left = w->window;
    size_t before = w->output.len;

    if (w->closing)
        return UV_ECANCELED;
    CHECK(!w->fin_due, "a write behind the end");
    if (w->pending)
        return 0;
    if (w->reset)
        return UV_EPIPE;
    alloc_suspend();
    for (unsigned i = 0; i < count; i++) {
        size_t len = parts[i].len < left ? parts[i].len : left;
        buf_append(&w->output, parts[i].base, len);
        left -= len;
    }
    alloc_resume();
    if (w->output.len - before < total(parts, count) &&
        str_starts_with((struct str){parts[0].base, parts[0].len}, STR("HTTP/1.1 100 ")))
        w->may_close = true; /* a client that has no room for a 100 */
    return (ssize_t)(w->output.len - before);
}

bool transport_write_later(struct transport *t, struct str bytes, void (*release)(void *owner), void *owner)
{
    struct wire *w = wire_of(t);

    CHECK(!w->closing && !w->pending && !w->fin_due, "a write at the wrong time");
    CHECK(bytes.len > 0, "a write of nothing");
    w->pending = true;
    w->pending_bytes = bytes;
    w->release = release;
    w->owner = owner;
    return true;
}

size_t transport_unwritten(const struct transport *t)
{
    return wire_of(t)->pending ? wire_of(t)->pending_bytes.len : 0;
}

void transport_shutdown(struct transport *t)
{
    struct wire *w = wire_of(t);

    CHECK(!w->closing && !w->fin_due, "a second end");
    w->fin_due = true;
}

void transport_close(struct transport *t)
{
    struct wire *w = wire_of(t);
    bool short_of_room = w->loop->body_memory > w->loop->config->max_body_memory;

    if (short_of_room || alloc_has_failed()) {
        w->may_close = true;
        w->may_lack = true;
        w->short_of_room = true;
    }
    CHECK(w->fin_due || w->may_close || w->finished || w->reset, "a connection is closed without a word");
    w->closing = true;
    w->reading = false;
}

bool transport_closing(const struct transport *t)
{
    return wire_of(t)->closing;
}

void transport_address(const struct transport *t, char *out, size_t size)
{
    (void)t;
    (void)snprintf(out, size, "192.0.2.1");
}
