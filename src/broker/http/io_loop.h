/*
 * io_loop.h - one I/O loop: a libuv loop on a thread of its own, with its connections, its streams and its inbox.
 *
 * Private to http/. Everything here belongs to the loop's thread, but for the inbox and the counters.
 */
#ifndef PILLAR_HTTP_IO_LOOP_H
#define PILLAR_HTTP_IO_LOOP_H

#include <uv.h>

#include "base/list.h"
#include "http/drain.h"
#include "http/http.h"
#include "http/inbox.h"

struct h1;

/* Why a connection is closed when it stays as it is for too long. Each kind lasts the same for all, so that a list
 * in order of arrival is in order of expiry. */
enum timeout_kind {
    TIMEOUT_HEADER, /* a head is due: from its first byte, and from the connection's start */
    TIMEOUT_BODY,
    TIMEOUT_IDLE,   /* between requests */
    TIMEOUT_WRITE,  /* the client takes no byte */
    TIMEOUT_LINGER, /* all was sent; the client is given time to read it */
    TIMEOUT_REFUSE, /* the same as TIMEOUT_HEADER on a connection that is over the limit, and shorter */
    TIMEOUT_KINDS
};

struct io_loop {
    struct http_server *server;
    const struct http_config *config;
    const struct http_handler *handler;

    uv_loop_t uv; /* uv.data is the loop */
    uv_tcp_t listener;
    struct wake wake;
    uv_timer_t tick;
    uv_idle_t more; /* active while streams wait for the next slice of a flush */
    uv_thread_t thread;
    bool running;
    bool draining;
    struct drain drain;
    bool stopping;
    bool accept_waits; /* a connection could not be taken for want of memory */

    struct inbox inbox;
    struct inbox_batch batch;
    struct stream_hub *hub;
    struct rate *rates; /* of requests by address; NULL: there is no limit */

    struct list connections;
    size_t connection_count;
    size_t refuse_count;     /* connections over the limit, kept just long enough to be told */
    struct list outstanding; /* exchanges that are elsewhere, by their h1_exchange */
    size_t inquiries;        /* of its own that are under way; they come back to it, so it waits for them */
    struct list timeouts[TIMEOUT_KINDS];
    size_t body_memory;
    uint64_t request_seed;
    uint64_t request_number;

    char date[32]; /* the Date header's value, renewed each second */
    uint64_t date_second;

    struct counters counters;
    char read_buffer[64 * 1024];
};

/* Makes the loop and its handles, and takes `listen_fd` over. Returns false with *e set; io_loop_destroy cleans up. */
bool io_loop_init(struct io_loop *loop, struct http_server *server, const struct http_config *config,
                  const struct http_handler *handler, int listen_fd, struct error *e);

/* Runs until it is asked to stop: the thread's function. */
void io_loop_run(void *arg);

/* After the thread has ended (or never began). Every handle is closed before; a leak of one ends the process. */
void io_loop_destroy(struct io_loop *loop);

/* Takes what the inbox holds and lets streams send. */
void io_loop_take_inbox(struct io_loop *loop);

/* Schedules the sending of what streams have to send. */
void io_loop_flush(struct io_loop *loop);

/* From now on the loop looks at its times more often, beginning with the next turn. */
void io_loop_tick_faster(struct io_loop *loop);

/* Puts the connection's node (`timeout` and `timeout_at`) at the end of a list; it may be in another one. */
void io_loop_arm(struct io_loop *loop, struct h1 *conn, enum timeout_kind kind);

/* The loop behind this one, in a ring of all. */
struct io_loop *http_server_next_loop(struct http_server *server, const struct io_loop *loop);

/* The server's count of connections, over all loops. Returns false, and counts nothing, at the limit. */
bool http_server_admit(struct http_server *server);
void http_server_release(struct http_server *server);

#endif
