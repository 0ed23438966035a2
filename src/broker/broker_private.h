/*
 * broker_private.h - the broker whole: what broker.c puts together and dispatch.c and metrics.c use.
 */
#ifndef PILLAR_BROKER_PRIVATE_H
#define PILLAR_BROKER_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/address.h"
#include "base/counters.h"
#include "base/secrets.h"
#include "http/http.h"
#include "program.h"
#include "script/in_flight.h"
#include "script/user_rates.h"
#include "settings.h"

struct retirement;
struct sources;

/*
 * Arrows point down: http and script do not know each other; requests go from one to the other through
 * dispatch.c, and events through the bus.
 */
struct pillar_broker {
    struct pillar_options *given;   /* owned: flags and environment */
    struct pillar_options *options; /* owned: the same, and the settings of the script as it was at the start */
    char *script;
    char *script_dir;
    char *library_dir;
    struct static_mount client; /* the browser's; its root is -1 where it was not built, or is not served */
    char *summary;
    char made_secret[2 * SECRET_BYTES_MIN + 1]; /* signs sessions where the options have no secret */
    struct networks proxies;                    /* whose X-Forwarded-For is believed */
    struct user_rates *user_rates;              /* NULL: there is no limit */
    struct in_flight *in_flight;                /* requests with an Idempotency-Key */
    struct db *records;                         /* of those, where there is no database; else NULL */

    pthread_mutex_t program_lock; /* guards what follows, for moments only */
    pthread_cond_t program_left;  /* a replaced program is down to one reference; a retirement is called off, or over */
    struct program *program;      /* what new requests get; use broker_program */
    struct retirement *retiring;  /* of programs that were replaced, newest first */
    uint64_t counted[COUNTER_COUNT]; /* by the workers of programs that are gone, and by the reloads */

    pthread_mutex_t reload_lock; /* one reload at a time; guards `failed` */
    struct sources *failed;      /* of the last reload, if it failed: what may mend it */

    int database_lock; /* see db/database_lock.h; -1: none */
    struct bus *bus;
    struct journal *journal;
    struct http_server *server; /* NULL in a harness */
    struct harness *harness;    /* NULL: requests come by sockets, and workers have threads */
    _Atomic bool draining;
    uint64_t drain_ends_ns;
    bool started;
};

/* Copies an error to the caller of the public API; returns -1, for that caller. */
int api_report(pillar_error *out, const struct error *e);

/* A broker that has its options and nothing else. NULL when memory is short. pillar_broker_destroy releases it. */
struct pillar_broker *broker_new(const struct pillar_options *options, struct error *e);

/* The program of the moment, with a reference for the caller. Safe on any thread. */
struct program *broker_program(struct pillar_broker *b);

/* The first step of putting it together: finds and loads the script, and opens the directories it serves. */
bool broker_load(struct pillar_broker *b, const char *script, struct error *e);

/* The second one: the bus, and the journal that publishes on it. */
bool broker_make_journal(struct pillar_broker *b, struct error *e);

/* history.c: takes the database for this process, waiting for one that has it. */
bool broker_take_database(struct pillar_broker *b, struct error *e);

/*
 * history.c: continues the history in the database, or begins another. `reader` is told where the history begins that
 * clients may come back to, and is given the events since.
 */
bool broker_open_history(struct pillar_broker *b, const struct journal_reader *reader, struct error *e);

/* Trouble with the database's file is told with its name. Always false. */
bool broker_name_database(const struct pillar_broker *b, struct error *e);

/* What requests with an Idempotency-Key need. */
bool broker_make_idempotency(struct pillar_broker *b, struct error *e);

/* What the options say of requests and streams. */
struct guard_limits broker_guard_limits(const struct pillar_broker *b);
struct stream_config broker_stream_config(const struct pillar_broker *b);

/* Adds what the script gives to pillar.app { ... }. */
bool broker_apply_settings(const struct pillar_broker *b, const struct app *app, struct pillar_options *options,
                           struct error *e);

/* dispatch.c: what becomes of a request, and of one that a script has handled. `context` is the broker. */
void dispatch_request(void *context, struct exchange *ex);
void dispatch_complete(void *context, struct exchange *ex);
void dispatch_refuse(void *context, const struct request *request, struct exchange *answer);
bool dispatch_is_stream(void *context, struct str head);
void dispatch_release(void *context, struct exchange *ex);

/* forwarded.c: finds out who sent a request that came by proxies, where the list names those. */
void forwarded_resolve(const struct networks *proxies, struct exchange *ex);

/*
 * explain.c: GET <events-path>EXPLAIN_BELOW. explain_ask reads the question of a request that has the key, and asks
 * the loops; explain_answer answers it when they have been asked. Both take the exchange over.
 */
#define EXPLAIN_BELOW "/explain"
bool explain_is_path(const struct pillar_broker *broker, struct str path);
void explain_ask(struct pillar_broker *broker, struct exchange *ex);
void explain_answer(struct pillar_broker *broker, struct exchange *ex);

/* metrics.c: answers GET /metrics in the Prometheus text format. */
void metrics_respond(struct pillar_broker *broker, struct exchange *ex);

/* Adds what a pool's workers have counted. */
void metrics_add_pool(const struct pool *pool, uint64_t sums[COUNTER_COUNT]);

#endif
