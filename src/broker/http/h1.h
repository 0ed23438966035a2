/*
 * h1.h - an HTTP/1.1 connection (RFC 9112), the middle of http's three layers: over a transport, under streams.
 *
 * Requests of one connection are handled one at a time, so pipelined ones are answered in order. A connection
 * that becomes a stream gives back everything that it needed as a request.
 */
#ifndef PILLAR_HTTP_H1_H
#define PILLAR_HTTP_H1_H

#include "base/list.h"
#include "http/io_loop.h"
#include "http/sink.h"
#include "http/transport.h"

enum h1_state {
    H1_IDLE, /* nothing of a request has come */
    H1_HEAD,
    H1_BODY,
    H1_HANDLING, /* the exchange is with the handler */
    H1_WRITING,  /* the response is on its way out */
    H1_STREAM,
    H1_LINGER, /* all was sent, FIN too; what still comes is dropped */
    H1_CLOSED
};

struct h1_message; /* what reading a request needs */

struct h1 {
    struct transport transport;
    struct sink sink;
    struct list node; /* of the loop's connections */
    struct list timeout;
    struct h1_message *message; /* NULL for a stream, and before the first byte */
    struct stream *stream;
    uint32_t timeout_at; /* by uv_now, modulo 2^32: timeouts are much shorter */
    union {
        uint32_t
            unwritten; /* H1_WRITING, H1_STREAM: what was not written when it was last asked; UINT32_MAX: that or more */
        uint32_t lingered; /* H1_LINGER: bytes dropped */
    };
    uint8_t state;
    uint8_t timeout_kind;
    bool keep_alive;  /* after the response under way */
    bool half_closed; /* the client sends no more */
    bool reading;
    bool feeding; /* inside the loop that reads requests: whoever answers need not restart it */
    bool refused; /* over the connection limit: gets one answer */
};

/* A stream is to cost few bytes, and libuv knows the loop. Once it was accepted. */
static inline struct io_loop *h1_loop(const struct h1 *conn)
{
    return conn->transport.tcp.loop->data;
}

/* The exchange of an HTTP/1.1 connection. */
struct h1_exchange {
    struct exchange base; /* first */
    struct io_loop *loop;
    struct h1 *conn; /* NULL once the connection has gone on without it */
    struct list outstanding;
    size_t charged; /* of the loop's body_memory */
};

/* Accepts one connection from the loop's listener. */
void h1_accept(struct io_loop *loop);

/* Sends a response of which the loop's thread owns the exchange, and releases the exchange. */
void h1_respond(struct exchange *ex);
void h1_respond_file(struct exchange *ex, const struct static_mount *mount, struct str path);
void h1_open_stream(struct exchange *ex, const struct stream_request *request);
void h1_refuse_stream(struct exchange *ex, const char *reason);

/* The connection's timeout has run out. */
void h1_on_timeout(struct h1 *conn);

/* Closes without a word. Harmless when closed already. */
void h1_close(struct h1 *conn);

/* Lets what is under way be the last thing, and refuses a request that has not arrived whole. */
void h1_drain(struct h1 *conn);

/* The same, and closes if nothing is under way. */
void h1_finish(struct h1 *conn);

/* The worker that runs this exchange has overrun its deadline by far, or none has found the time: answers 503. */
void h1_give_up(struct h1_exchange *ex, bool running);

/* Releases an exchange, its response sent or not. */
void h1_release_exchange(struct h1_exchange *ex);

/* --- for file.c --- */

/* Starts a response whose body is written piece by piece: sends the head, with Content-Length `length`. */
void h1_begin_body(struct h1 *conn, struct exchange *ex, uint64_t length);
/* Sends a piece. `bytes` stay in place until h1_file_written or h1_file_gone. */
void h1_send_piece(struct h1 *conn, struct str bytes);
/* The body is complete. */
void h1_finish_body(struct h1 *conn);

#endif
