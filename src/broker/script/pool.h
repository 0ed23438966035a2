/*
 * pool.h - the request queue and the threads that run script workers.
 *
 * The queue is one of the places where threads meet. It has three lanes: mutations go to the one writer,
 * those with transaction = false, which may wait for something outside, to workers of their own, and everything else to
 * whichever reader is free. So a slow or stuck handler holds up one worker of its kind, and nobody's stream.
 */
#ifndef PILLAR_SCRIPT_POOL_H
#define PILLAR_SCRIPT_POOL_H

#include "script/worker.h"

struct pool;

struct pool_config {
    struct worker_config worker;
    bool immediate;    /* no threads: pool_submit runs the exchange, to its completion, before it returns */
    unsigned readers;  /* at least 1 */
    unsigned free;     /* workers for routes with transaction = false, at least 1; none are made where there are none */
    size_t queue_max;  /* exchanges waiting in a lane */
    size_t batch_max;  /* handlers that share a commit */
    uint64_t batch_ms; /* no further handler joins a batch that is older */
};

/* Makes the workers; they load the script. config's strings, app and journal outlive the pool. */
struct pool *pool_create(const struct pool_config *config, const struct app *app, struct journal *journal,
                         struct error *e);

/* Starts the threads. Failure: false with "thread"; the pool can still be stopped and freed. */
bool pool_start(struct pool *pool, struct error *e);

/* Hands an exchange to the lane it belongs to. Returns false, and leaves it to the caller, when the lane is full. */
bool pool_submit(struct pool *pool, struct exchange *ex);

/* Exchanges waiting in both lanes. */
size_t pool_depth(struct pool *pool);

/* Lets the workers finish what waits, and joins them. Nobody may submit any more. */
void pool_stop(struct pool *pool);

/* Accepts NULL. */
void pool_free(struct pool *pool);

/* What db_in_place says of the workers' database; true where there is none. */
bool pool_database_in_place(const struct pool *pool, struct error *e);

unsigned pool_workers(const struct pool *pool);
const struct counters *pool_counters(const struct pool *pool, unsigned worker);

#endif
