/*
 * harness.h - a broker without sockets, threads and waiting, for tests of scripts.
 *
 * It is made of the broker's own parts: the guard and the parser, the dispatcher, workers, transactions, journal, bus,
 * event log and streams. What it has in place of the rest: requests that are answered before the call returns, streams
 * whose sink is a buffer, a database in memory, a clock that stands still unless it is told to move, and a process that
 * dies at a COMMIT when it is told to.
 *
 * One thread uses a harness. It has two Lua states, as a broker has several: a reader's and the writer's.
 */
#ifndef PILLAR_HARNESS_HARNESS_H
#define PILLAR_HARNESS_HARNESS_H

#include "base/exchange.h"
#include "bus/event.h"
#include "db/db.h"
#include "pillar/pillar.h"
#include "script/worker.h"

struct harness;

/*
 * Loads `script` on an empty database. `options` is copied. The clock begins at `now_ms`, or with the real time for 0.
 * NULL with what keeps the script from running.
 */
struct harness *harness_create(const char *script, const struct pillar_options *options, uint64_t now_ms,
                               struct error *e);

/* Streams may outlive it; they are broken then. Accepts NULL. */
void harness_free(struct harness *h);

/* False once the process died and could not be started again: nothing but harness_free may be called then. */
bool harness_alive(const struct harness *h);

/* --- requests --- */

struct harness_request {
    struct str head; /* request line and header fields as on the wire, its empty line included */
    struct str body;
    struct str user; /* who asks, as a JSON object; empty: authenticate finds out */
};

struct virtual_stream;

struct harness_answer {
    struct exchange *exchange;     /* its response; released with harness_release */
    struct virtual_stream *stream; /* the caller's, when the request opened one */
    bool crashed;                  /* the process died: there is no response, and all streams are broken */
};

/* Runs a request to its answer. Failure: false with "out_of_memory", or what kept the script from being loaded again after a
 * crash. */
bool harness_ask(struct harness *h, const struct harness_request *request, struct harness_answer *answer,
                 struct error *e);
void harness_release(struct exchange *ex);

/* --- streams --- */

/* What the client has received since the last look, and has not taken yet. */
struct buf *virtual_stream_received(struct virtual_stream *s);

/* The client stops reading, or reads again. */
void virtual_stream_pause(struct virtual_stream *s, bool paused);

/* False once the broker has ended it, or the connection broke. */
bool virtual_stream_open(const struct virtual_stream *s);

/* The client goes away. */
void virtual_stream_close(struct virtual_stream *s);

/* Closes it, and gives it back. Accepts NULL. */
void virtual_stream_free(struct virtual_stream *s);

/* --- time, events, crashes --- */

/* Milliseconds since 1970; they move by one at each request. */
uint64_t harness_now(const struct harness *h);
/* Lets time pass for streams and everything else. */
void harness_advance(struct harness *h, uint64_t ms);

/* The events committed since the last harness_forget_events, sealed. The harness keeps its references. */
struct event *const *harness_events(const struct harness *h, size_t *count);
void harness_forget_events(struct harness *h);

/* The process is to die at the next COMMIT. */
void harness_crash_at(struct harness *h, enum commit_stage stage);
/* It dies now, and another one starts on the same database. Failure: false, and the harness is dead: it can be freed. */
bool harness_crash(struct harness *h, struct error *e);

/* The application's database, as another program sees it; NULL: it has none. */
struct db *harness_db(struct harness *h);

/* For worker_config.survives. */
bool harness_survives(void *context, enum commit_stage stage);

#endif
