/*
 * transport.h - bytes to and from one client; the lowest of http's three layers.
 *
 * Plain TCP today. What is above uses only these functions, so that another transport can take their place.
 * At most one write is pending at a time: who got `pending` waits for on_written before writing again.
 */
#ifndef PILLAR_HTTP_TRANSPORT_H
#define PILLAR_HTTP_TRANSPORT_H

#include <sys/types.h>
#include <uv.h>

#include "base/str.h"

struct transport;

/* What the protocol above wants to hear. All run on the loop's thread. */
struct transport_events {
    /* `data` is borrowed until the call returns. */
    void (*on_data)(struct transport *t, struct str data);
    /* The client will send no more; it may still read. */
    void (*on_eof)(struct transport *t);
    /* The connection is broken: transport_close is all that is left to do. */
    void (*on_error)(struct transport *t);
    /* The pending write has gone out. */
    void (*on_written)(struct transport *t);
    /* After transport_close: nothing refers to the transport any more, its memory may go. */
    void (*on_closed)(struct transport *t);
};

struct transport {
    uv_tcp_t tcp;
    const struct transport_events *events;
};

/*
 * Takes a connection from a listener. A peer that acknowledges nothing for `peer_timeout_ms` is gone, and on_error says so;
 * 0: that is left to the system. Returns 0, or a negative libuv error; on_closed is due in both cases.
 */
int transport_accept(struct transport *t, uv_loop_t *loop, uv_stream_t *listener, const struct transport_events *events,
                     uint64_t peer_timeout_ms);

void transport_read(struct transport *t);
void transport_stop_reading(struct transport *t);

/* Writes what the socket takes at once. Returns the number of bytes, 0 when it takes none now, or a negative error. */
ssize_t transport_try_write(struct transport *t, const uv_buf_t *parts, unsigned count);

/*
 * Writes `bytes` when the socket takes them. They stay in place until release(owner) is called, which happens
 * exactly once, at the latest before on_closed, and before on_written. Returns false, and releases at once,
 * when memory is short.
 */
bool transport_write_later(struct transport *t, struct str bytes, void (*release)(void *owner), void *owner);

/*
 * How many bytes the client has not acknowledged, those of the pending write included: the system takes bytes in large
 * pieces, so a client that reads slowly would seem to read nothing for long.
 */
size_t transport_unwritten(const struct transport *t);

/* Sends FIN behind whatever is pending. */
void transport_shutdown(struct transport *t);

/* Closes at once; on_closed follows, never from inside this call. Harmless when closing already. */
void transport_close(struct transport *t);
bool transport_closing(const struct transport *t);

/* Writes the client's address, without port, and a NUL. */
void transport_address(const struct transport *t, char *out, size_t size);

#endif
