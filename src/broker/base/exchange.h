/*
 * exchange.h - one request and its response, the plain thing that http and script hand to each other.
 *
 * An exchange is owned by one thread at a time: the I/O loop that made it, the request queue, the script
 * worker that took it, and the loop again; or, with an inquiry, one loop after the other. What passes it on no
 * longer touches it. The one exception is `state`, through which a loop may give up on a worker that overruns its
 * deadline (exchange_expire).
 */
#ifndef PILLAR_BASE_EXCHANGE_H
#define PILLAR_BASE_EXCHANGE_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_COUNT
};

extern const struct str method_names[METHOD_COUNT];

/* A name and a value: a header (name in lower case), a query parameter, a path parameter. */
struct pair {
    struct str name;
    struct str value;
};

struct pairs {
    struct pair *at;
    size_t count;
};

/* The value of the first pair with this name, or STR_NONE. */
struct str pairs_get(const struct pairs *p, struct str name);

/* All strs and pairs of a request live in the exchange's arena. */
struct request {
    enum method method;
    struct str target;    /* as sent */
    struct str path;      /* percent-decoded, begins with '/'; segments index it */
    struct str *segments; /* the decoded parts of path between slashes; a part may itself hold a slash */
    size_t segment_count;
    struct pairs query; /* decoded, in order */
    struct pairs headers;
    struct pairs params; /* what the route's :name and *name parts matched */
    struct str body;
    struct str remote_address;
    struct str id;
};

struct response {
    int status;           /* 0: none yet */
    struct pairs headers; /* checked by response_add_header; without framing headers, which http writes itself */
    size_t headers_room;
    struct buf body;
};

enum exchange_state {
    EXCHANGE_QUEUED,
    EXCHANGE_RUNNING, /* a worker runs it since started_ns */
    EXCHANGE_SETTLED, /* the worker's outcome stands */
    EXCHANGE_EXPIRED  /* the loop has answered for the worker, whose outcome must come to nothing */
};

/* What is asked of the script. */
enum exchange_kind {
    EXCHANGE_ROUTE,   /* run route number `route` */
    EXCHANGE_STREAM,  /* find out who the user is, for a stream */
    EXCHANGE_EMISSION /* commit `events`, which no script made */
};

struct event;
struct inquiry;
struct protocol;

struct exchange {
    struct arena arena;
    struct request request;
    struct response response;
    struct pairs always; /* headers of every answer; set before it is passed on. The strings outlive it */
    enum exchange_kind kind;
    size_t route;
    uint64_t address_key; /* of request.remote_address, for limits; see base/address.h */
    bool overloaded;      /* its connection is one too many: only a refusal may answer it */
    bool draining;        /* it came when the server was going away: nothing is begun for it any more */

    struct str user_id; /* who authenticate says it is, in the arena; empty: nobody, or not known yet */

    uint64_t user_expires_ms; /* until when it is, by the wall clock; 0: for ever */
    uint64_t stream_mark;     /* of a stream: see stream_hub_mark */
    struct str
        assumed_user;   /* who asks, as a JSON object, in place of asking authenticate: of tests, never of a wire */
    struct str trouble; /* what is wrong with the script, for who tests it: in the arena; empty: nothing */

    struct event *const *events; /* of an emission: borrowed drafts */
    size_t event_count;

    struct inquiry *inquiry; /* what is asked of the streams of all loops, in the arena; NULL: nothing is */

    _Atomic int state;
    _Atomic uint64_t started_ns;
    uint64_t queued_ns; /* when it went to the workers; 0: it did not. The loop's */

    /* Gives the exchange back to the loop it came from; safe on any thread. */
    void (*complete)(struct exchange *ex);
    const struct protocol *protocol; /* what it came by, and is answered by: see http/http.h. NULL: nobody asked */
    void *owner;                     /* of the handler that got it from http: what it must not outlive */
    struct exchange *next;           /* of whatever queue holds it */
};

/*
 * Adds a header to the response; copies both strs. Returns false with "invalid_header" for a name that is no
 * token (RFC 9110 section 5.6.2) or that frames the message, and for a value with CR, LF, NUL or another
 * control character.
 */
struct error;
bool response_add_header(struct exchange *ex, struct str name, struct str value, struct error *e);

/* Empties the response. */
void response_clear(struct exchange *ex);

/*
 * Makes the response the error answer of the wire contract: {"error":{"code","message","field"}}. `field` may be empty.
 */
void response_set_error(struct exchange *ex, int status, const char *code, const char *message, const char *field);

/* The same for what may be tried again in so many seconds (Retry-After, RFC 9110 section 10.2.3). */
void response_set_error_for_now(struct exchange *ex, int status, const char *code, const char *message,
                                uint64_t seconds);

/* The worker starts: returns false when the exchange has expired already. */
bool exchange_start(struct exchange *ex, uint64_t now_ns);

/* The worker is done and its outcome is to stand: returns false when the loop has already answered in its place. */
bool exchange_settle(struct exchange *ex);

/* The loop gives up on an exchange that is queued or running: returns false when it no longer is. */
bool exchange_expire(struct exchange *ex, enum exchange_state from);

#endif
