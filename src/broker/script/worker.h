/*
 * worker.h - one script worker: a Lua state, a database connection, and the transaction-and-events core
 * around handlers.
 *
 * A worker is used by one thread. It does not know queues or sockets: it is given exchanges, runs them, and
 * hands each to its `complete`. The pool runs workers on threads; a test may run one directly.
 */
#ifndef PILLAR_SCRIPT_WORKER_H
#define PILLAR_SCRIPT_WORKER_H

#include "base/counters.h"
#include "base/secrets.h"
#include "db/journal.h"
#include "script/app.h"
#include "script/job.h"
#include "script/replay.h"
#include "script/user_rates.h"

struct sources;
struct worker;

enum commit_stage { BEFORE_COMMIT, AFTER_COMMIT };

struct worker_config {
    const char *script; /* the path */
    const char *script_dir;
    const char *library_dir;
    struct sources *sources; /* what the script is loaded from */
    const char *database;    /* NULL: none */
    size_t memory_limit;
    uint64_t deadline_ms;
    uint64_t load_deadline_ms;
    bool dev;                      /* error answers tell what went wrong */
    struct user_rates *user_rates; /* borrowed; how often users ask. NULL: there is no limit */
    struct script_limits limits;
    struct replay_config replay;
    struct secrets secrets; /* for pillar.auth; the texts outlive the worker */
    /* Asked on both sides of a COMMIT; false: from there on it is as if the process had died. NULL: never asked. */
    bool (*survives)(void *context, enum commit_stage stage);
    void *survives_context;
};

/*
 * Loads the script and opens the database. `app` is what the others run: a script that defines something else
 * now is refused. config, its sources, app and journal outlive the worker. Failure: NULL.
 */
struct worker *worker_create(const struct worker_config *config, const struct app *app, struct journal *journal,
                             struct error *e);
/* Accepts NULL. */
void worker_free(struct worker *w);

/* Runs an exchange that only reads, or opens transactions itself, and completes it. */
void worker_run_reader(struct worker *w, struct exchange *ex);

/* --- the writer: many handlers, one commit --- */

/* Takes the write lock and begins a transaction. When that fails, every exchange of the batch is answered with 503. The
 * first of them has been waiting since `since_ns` (monotonic). */
void worker_begin_batch(struct worker *w, uint64_t since_ns);

/*
 * Runs a handler, or adds the events of an emission, inside the batch. The exchange is held until worker_end_batch. Returns
 * false once the transaction is lost: further exchanges would only share the 503.
 */
bool worker_run_writer(struct worker *w, struct exchange *ex);

/* Commits, publishes, releases the lock, and only then completes the exchanges. A worker that did not survive the commit
 * does no more than that; it is to be freed. */
void worker_end_batch(struct worker *w);

/* While there is nothing else to do: drops a slice of the history that is over its limits, and of expired records of
 * requests. True when there is more of it. */
bool worker_keep_house(struct worker *w);

struct counters *worker_counters(struct worker *w);

/* --- for the bindings --- */

struct db *worker_db(struct worker *w);
size_t worker_event_count(const struct worker *w);
/* Takes the reference over, unless it returns false for want of memory. */
bool worker_add_event(struct worker *w, struct event *ev);
/* Drops what the job has emitted behind the first `count` events of the worker. */
void worker_cut_events(struct job *job, size_t count);

/* db:transaction in a route with transaction = false: the write lock, then BEGIN. */
bool worker_begin(struct job *job, struct error *e);
/* Commits and publishes, or rolls back and fails. */
bool worker_commit(struct job *job, struct error *e);
/* Harmless when there is no transaction. */
void worker_rollback(struct job *job);

#endif
