/*
 * http.h - the room's door: a server that turns bytes into exchanges and events into streams.
 *
 * The server knows nothing of routes or scripts. It hands each request that passed the guard to a handler, on
 * the loop's thread, and the handler answers with one of the http_* calls below, at once or after the
 * exchange has been elsewhere and come back by its `complete`.
 */
#ifndef PILLAR_HTTP_HTTP_H
#define PILLAR_HTTP_HTTP_H

#include "base/counters.h"
#include "base/error.h"
#include "base/exchange.h"
#include "base/rate.h"
#include "bus/bus.h"
#include "http/guard.h"
#include "http/stream.h"

/* Connections that may wait to be accepted, a loop; the kernel cuts it to net.core.somaxconn. */
enum { HTTP_BACKLOG = 4096 };

struct http_config {
    const char *host;
    uint16_t port; /* 0: any free one */
    unsigned loops;
    struct guard_limits guard;
    size_t max_connections;
    size_t max_body_memory; /* all bodies being received or handled, a loop */
    size_t max_inbox_events;
    uint64_t max_requests_per_address; /* a second, on a loop; 0: any number */
    size_t rate_entries;               /* addresses of which a loop knows how many they make */
    uint64_t header_timeout_ms;
    uint64_t body_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t write_timeout_ms;
    uint64_t peer_timeout_ms;     /* for which a peer may acknowledge nothing; 0: that is left to the system */
    uint64_t handler_deadline_ms; /* when a worker is given up on; 0: never */
    uint64_t queue_timeout_ms;    /* when a request that waits for a worker is */
    uint64_t drain_timeout_ms;    /* how long a drain lasts at most */
    uint64_t drain_window_ms;     /* over which it ends the streams; not above drain_timeout_ms */
    struct stream_config stream;
};

struct http_server;

/* All of it runs on the loops' threads, so on several at once. */
struct http_handler {
    void *context;
    /* A request. The exchange is the handler's until it answers or hands it on. */
    void (*on_request)(void *context, struct exchange *ex);
    /* An exchange that was handed on is back, or its inquiry is whole. */
    void (*on_complete)(void *context, struct exchange *ex);
    /* http itself refuses a request, of which it may not know the head: sets the headers that every answer to it has. */
    void (*on_refuse)(void *context, const struct request *request, struct exchange *answer);
    /* True when a request asks for the event stream of whose head only this much has come. */
    bool (*is_stream)(void *context, struct str head);
    /* An exchange is about to be freed, answered or not. */
    void (*on_release)(void *context, struct exchange *ex);
    /* True while requests, of whatever loop, are not answered, and may yet have events published. */
    bool (*is_busy)(void *context);
};

/*
 * Binds the address. Failure: NULL with "listen" and a message that names the address and the reason, or
 * "out_of_memory". `bus` outlives the server. config->host is used during the call only.
 */
struct http_server *http_server_create(const struct http_config *config, struct bus *bus,
                                       const struct http_handler *handler, struct error *e);

/* Before the start: the history begins behind `position`, in this generation. What was recalled before is forgotten. */
void http_server_begin(struct http_server *server, const struct generation *g, uint64_t position);

/* Before the start: takes the next event of the history, which was published by an earlier process. */
void http_server_recall(struct http_server *server, struct event *ev);

/* Starts the loops' threads. Failure: false with "thread". */
bool http_server_start(struct http_server *server, struct error *e);

/* Stops accepting; requests in hand go on, further ones are refused; then streams are ended over the window, and what is
 * idle is closed: see http/drain.h. */
void http_server_drain(struct http_server *server);

/* True once no connection is left on any loop. */
bool http_server_drained(const struct http_server *server);

/* Closes everything and joins the threads. No exchange may be elsewhere any more. */
void http_server_stop(struct http_server *server);

/* Accepts NULL. A server that was started must be stopped first. */
void http_server_free(struct http_server *server);

uint16_t http_server_port(const struct http_server *server);
unsigned http_server_loops(const struct http_server *server);
const struct counters *http_server_counters(const struct http_server *server, unsigned loop);

/*
 * A protocol: how the requests that come by it are answered. HTTP/1.1 is one; the virtual clients of a script's tests
 * are another. Each call but the last three takes the exchange over, on the thread that owns it.
 */
struct static_mount;

struct protocol {
    void (*respond)(struct exchange *ex);
    void (*respond_file)(struct exchange *ex, const struct static_mount *mount, struct str path);
    void (*open_stream)(struct exchange *ex, const struct stream_request *request);
    void (*refuse_stream)(struct exchange *ex, const char *reason);
    void (*inquire)(struct exchange *ex);
    struct counters *(*counters)(struct exchange *ex);
    struct stream_hub *(*hub)(struct exchange *ex); /* of the streams that it opens */
    struct rate *(*rates)(struct exchange *ex);     /* of requests by their address_key; NULL: there is no limit */
};

/* Counts for the loop that the exchange came from, on its thread. */
void http_count(struct exchange *ex, enum counter which);

/* The streams beside which it would open one. */
struct stream_hub *http_hub(struct exchange *ex);

/* Counts a request of ex->address_key. Returns 0 if it may be made, or in how many nanoseconds one may. */
uint64_t http_take_turn(struct exchange *ex, uint64_t now_ns);

/* --- answers, by whatever protocol the exchange came; each takes it over --- */

/* Sends ex->response. */
void http_respond(struct exchange *ex);

/* Sends an error answer of the wire contract. */
void http_respond_error(struct exchange *ex, int status, const char *code, const char *message, const char *field);

/* Turns the connection into a stream for request->user_id. The strs are copied. */
void http_open_stream(struct exchange *ex, const struct stream_request *request);

/* Sends a client of the stream away to come back later: 200, a reconnection time, a clean end. */
void http_refuse_stream(struct exchange *ex, const char *reason);

/*
 * Asks ex->inquiry of the streams of all loops, one loop after the other, and gives the exchange to the handler's
 * on_complete then; that may happen before this returns. All events that were published before are known to it.
 */
void http_inquire(struct exchange *ex);

/*
 * Serves the file `path` (without leading slash) below the directory `root`, an open descriptor that outlives
 * the exchange. `fallback`, if not NULL, is served where there is no such file. Files below `immutable` may be kept by
 * caches for a year (RFC 8246), all others are to be asked for anew. Answers 404, 304, 206, 416 as it fits.
 */
void http_respond_file(struct exchange *ex, const struct static_mount *mount, struct str path);

struct static_mount {
    int root;              /* an open directory; -1: none */
    const char *fallback;  /* a path below root, or NULL */
    const char *immutable; /* a folder below root that ends with '/', whose files never change; or NULL */
};

#endif
