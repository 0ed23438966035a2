/* The transport over a libuv TCP handle. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "http/io_loop.h"
#include "http/transport.h"

enum { KEEPALIVE_PROBES = 3, KEEPALIVE_MOST_S = 32767 };

struct pending_write {
    uv_write_t request;
    struct transport *transport;
    void (*release)(void *owner);
    void *owner;
};

static struct transport *of_handle(uv_handle_t *handle)
{
    return handle->data;
}

/* One buffer serves all connections of a loop: what was read is used up before the next read. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct io_loop *loop = handle->loop->data;

    (void)suggested;
    *buf = uv_buf_init(loop->read_buffer, sizeof loop->read_buffer);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *buf)
{
    struct transport *t = of_handle((uv_handle_t *)stream);

    if (count > 0)
        t->events->on_data(t, (struct str){buf->base, (size_t)count});
    else if (count == UV_EOF)
        t->events->on_eof(t);
    else if (count < 0)
        t->events->on_error(t);
}

static bool set_option(int fd, int level, int name, uint64_t value)
{
    int number = (int)value;

    return setsockopt(fd, level, name, &number, sizeof number) == 0;
}

/*
 * A peer that is gone without a FIN acknowledges nothing. TCP_USER_TIMEOUT (RFC 5482) ends a connection whose data nobody
 * acknowledges. One on which nothing is sent asks by keep-alives (RFC 9293, section 3.8.4): the first when half of the time
 * is over, the others spread over the rest, so that a lost one does not end a connection; on Linux it is TCP_USER_TIMEOUT
 * again that says when there have been enough. It also ends a connection whose peer is there and has no room for so long,
 * so it may not be shorter than the time that http allows for that: options_check sees to it.
 */
static int watch_peer(const struct transport *t, uint64_t timeout_ms)
{
    uint64_t seconds = (timeout_ms + 999) / 1000;
    uint64_t first = seconds < 2 ? 1 : seconds / 2 < KEEPALIVE_MOST_S ? seconds / 2 : KEEPALIVE_MOST_S;
    uint64_t step = (seconds - first + KEEPALIVE_PROBES - 1) / KEEPALIVE_PROBES;
    int fd;

    if (timeout_ms == 0)
        return 0;
    int failed = uv_fileno((const uv_handle_t *)&t->tcp, &fd);
    if (failed != 0)
        return failed;
    bool ok = set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1) && set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, first) &&
              set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, step == 0 ? 1 : step) &&
              set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_PROBES) &&
              set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, timeout_ms);
    return ok ? 0 : uv_translate_sys_error(errno);
}

int transport_accept(struct transport *t, uv_loop_t *loop, uv_stream_t *listener, const struct transport_events *events,
                     uint64_t peer_timeout_ms)
{
    t->events = events;
    int failed = uv_tcp_init(loop, &t->tcp);
    if (failed != 0)
        abort(); /* libuv's own sources: without a socket to make, uv_tcp_init has nothing that can fail */
    t->tcp.data = t;
    failed = uv_accept(listener, (uv_stream_t *)&t->tcp);
    if (failed == 0)
        failed = uv_tcp_nodelay(&t->tcp, 1);
    if (failed == 0)
        failed = watch_peer(t, peer_timeout_ms);
    return failed;
}

void transport_read(struct transport *t)
{
    if (!uv_is_closing((uv_handle_t *)&t->tcp))
        (void)uv_read_start((uv_stream_t *)&t->tcp, on_alloc, on_read);
}

void transport_stop_reading(struct transport *t)
{
    (void)uv_read_stop((uv_stream_t *)&t->tcp);
}

/* uv_try_write, by way of the socket: the kernel takes longer for a write(), which may go to a file, than for a send(). */
ssize_t transport_try_write(struct transport *t, const uv_buf_t *parts, unsigned count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    ssize_t written;
    int fd;

    if (uv_is_closing((uv_handle_t *)&t->tcp) || uv_fileno((const uv_handle_t *)&t->tcp, &fd) != 0)
        return UV_ECANCELED;
    if (uv_stream_get_write_queue_size((const uv_stream_t *)&t->tcp) > 0)
        return 0; /* nothing goes before what waits */
    do
        written = count == 1 ? send(fd, parts->base, parts->len, MSG_DONTWAIT | MSG_NOSIGNAL)
                             : sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (written < 0 && errno == EINTR);
    if (written >= 0)
        return written;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : uv_translate_sys_error(errno);
}

static void on_written(uv_write_t *request, int status)
{
    struct pending_write *w = request->data;
    struct transport *t = w->transport;

    w->release(w->owner);
    free(w);
    if (uv_is_closing((uv_handle_t *)&t->tcp))
        return;
    if (status < 0)
        t->events->on_error(t);
    else
        t->events->on_written(t);
}

bool transport_write_later(struct transport *t, struct str bytes, void (*release)(void *owner), void *owner)
{
    struct pending_write *w = malloc(sizeof *w);

    if (w != NULL) {
        uv_buf_t part = uv_buf_init((char *)bytes.ptr, (unsigned)bytes.len);
        *w = (struct pending_write){.transport = t, .release = release, .owner = owner};
        w->request.data = w;
        if (uv_write(&w->request, (uv_stream_t *)&t->tcp, &part, 1, on_written) == 0)
            return true;
        free(w);
    }
    release(owner);
    return false;
}

size_t transport_unwritten(const struct transport *t)
{
    int fd;
    int taken = 0; /* by the system, and not acknowledged */

    if (uv_fileno((const uv_handle_t *)&t->tcp, &fd) != 0 || ioctl(fd, SIOCOUTQ, &taken) != 0)
        taken = 0;
    return uv_stream_get_write_queue_size((const uv_stream_t *)&t->tcp) + (size_t)taken;
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    (void)status; /* a client that is gone already needs no FIN */
    free(request);
}

void transport_shutdown(struct transport *t)
{
    uv_shutdown_t *request = malloc(sizeof *request);

    if (request == NULL || uv_shutdown(request, (uv_stream_t *)&t->tcp, on_shutdown) != 0) {
        free(request);
        t->events->on_error(t);
    }
}

static void on_close(uv_handle_t *handle)
{
    struct transport *t = of_handle(handle);

    t->events->on_closed(t);
}

void transport_close(struct transport *t)
{
    if (!uv_is_closing((uv_handle_t *)&t->tcp))
        uv_close((uv_handle_t *)&t->tcp, on_close);
}

bool transport_closing(const struct transport *t)
{
    return uv_is_closing((const uv_handle_t *)&t->tcp) != 0;
}

void transport_address(const struct transport *t, char *out, size_t size)
{
    struct sockaddr_storage address;
    int len = sizeof address;

    out[0] = '\0';
    if (uv_tcp_getpeername(&t->tcp, (struct sockaddr *)&address, &len) == 0)
        (void)uv_ip_name((struct sockaddr *)&address, out, size);
}
