#include "script/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"
#include "base/condition.h"

/* Each has workers of its own, so that what is in one holds up nobody in another. */
enum lane_kind {
    LANE_WRITER, /* mutations: one worker, one after the other */
    LANE_READERS,
    LANE_FREE, /* routes with transaction = false, which may wait for something outside */
    LANES
};

enum { IDLE_NS = 1000000000 }; /* for so long the writer waits before it looks after the house */

struct lane {
    struct exchange *first;
    struct exchange *last;
    size_t count;
    pthread_cond_t filled;
};

struct pool_thread {
    struct pool *pool;
    struct worker *worker;
    uv_thread_t thread;
    enum lane_kind lane;
    bool running;
};

struct pool {
    struct pool_config config;
    const struct app *app;
    pthread_mutex_t lock; /* guards the lanes and `stopping` */
    struct lane lanes[LANES];
    bool stopping;
    unsigned thread_count; /* threads[0] is the writer's, the readers' come next */
    struct pool_thread threads[];
};

/* --- the lanes --- */

static void push(struct lane *lane, struct exchange *ex)
{
    ex->next = NULL;
    if (lane->first == NULL)
        lane->first = ex;
    else
        lane->last->next = ex;
    lane->last = ex;
    lane->count++;
    pthread_cond_signal(&lane->filled);
}

static struct exchange *pop(struct lane *lane)
{
    struct exchange *ex = lane->first;

    if (ex == NULL)
        return NULL;
    lane->first = ex->next;
    lane->count--;
    return ex;
}

/* Waits for an exchange; NULL once the pool is stopping and the lane is empty. */
static struct exchange *take(struct pool *pool, struct lane *lane)
{
    struct exchange *ex;

    pthread_mutex_lock(&pool->lock);
    while ((ex = pop(lane)) == NULL && !pool->stopping)
        pthread_cond_wait(&lane->filled, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return ex;
}

/* Waits for a while at most. False: nothing came; true: something did, or the pool is stopping. */
static bool wait_awhile(struct pool *pool, struct lane *lane)
{
    uint64_t until_ns = clock_monotonic_ns() + IDLE_NS;
    bool in_time = true;

    pthread_mutex_lock(&pool->lock);
    while (lane->first == NULL && !pool->stopping && in_time)
        in_time = condition_wait(&lane->filled, &pool->lock, until_ns);
    bool came = lane->first != NULL || pool->stopping;
    pthread_mutex_unlock(&pool->lock);
    return came;
}

static bool is_empty(struct pool *pool, const struct lane *lane)
{
    pthread_mutex_lock(&pool->lock);
    bool empty = lane->first == NULL && !pool->stopping;
    pthread_mutex_unlock(&pool->lock);
    return empty;
}

static struct exchange *take_waiting(struct pool *pool, struct lane *lane)
{
    pthread_mutex_lock(&pool->lock);
    struct exchange *ex = pop(lane);
    pthread_mutex_unlock(&pool->lock);
    return ex;
}

static enum lane_kind lane_of(const struct pool *pool, const struct exchange *ex)
{
    if (ex->kind == EXCHANGE_EMISSION)
        return LANE_WRITER;
    if (ex->kind == EXCHANGE_STREAM)
        return LANE_READERS;
    switch (pool->app->routes[ex->route].mode) {
    case ROUTE_WRITE:
        return LANE_WRITER;
    case ROUTE_FREE:
        return LANE_FREE;
    default:
        return LANE_READERS;
    }
}

/* An emission of the process itself has not been in a queue. */
static void begin_batch(struct worker *worker, const struct exchange *first)
{
    worker_begin_batch(worker, first->queued_ns != 0 ? first->queued_ns : clock_monotonic_ns());
}

static void run_now(struct pool *pool, struct exchange *ex)
{
    bool writes = lane_of(pool, ex) == LANE_WRITER;
    struct worker *worker = pool->threads[writes ? 0 : 1].worker;

    counter_add(worker_counters(worker), COUNT_JOBS_TAKEN, 1);
    if (!writes) {
        worker_run_reader(worker, ex);
        return;
    }
    begin_batch(worker, ex);
    (void)worker_run_writer(worker, ex);
    worker_end_batch(worker);
}

bool pool_submit(struct pool *pool, struct exchange *ex)
{
    if (pool->config.immediate) {
        run_now(pool, ex);
        return true;
    }
    struct lane *lane = &pool->lanes[lane_of(pool, ex)];

    pthread_mutex_lock(&pool->lock);
    bool room = lane->count < pool->config.queue_max && !pool->stopping;
    if (room)
        push(lane, ex);
    pthread_mutex_unlock(&pool->lock);
    return room;
}

size_t pool_depth(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    size_t depth = 0;
    for (int i = 0; i < LANES; i++)
        depth += pool->lanes[i].count;
    pthread_mutex_unlock(&pool->lock);
    return depth;
}

/* --- the threads --- */

static void run_reader(void *arg)
{
    struct pool_thread *t = arg;
    struct exchange *ex;

    while ((ex = take(t->pool, &t->pool->lanes[t->lane])) != NULL) {
        counter_add(worker_counters(t->worker), COUNT_JOBS_TAKEN, 1);
        worker_run_reader(t->worker, ex);
    }
}

static struct exchange *take_or_keep_house(struct pool_thread *t)
{
    struct lane *lane = &t->pool->lanes[LANE_WRITER];

    while (!wait_awhile(t->pool, lane))
        while (is_empty(t->pool, lane) && worker_keep_house(t->worker)) {
        }
    return take(t->pool, lane);
}

/* Whatever waits shares a commit: its cost, a flush of the disk, is the same for one handler and for a hundred. */
static void run_writer(void *arg)
{
    struct pool_thread *t = arg;
    struct pool *pool = t->pool;
    struct lane *lane = &pool->lanes[LANE_WRITER];
    struct exchange *ex;

    while ((ex = take_or_keep_house(t)) != NULL) {
        uint64_t last_start = clock_monotonic_ns() + pool->config.batch_ms * 1000000u;
        size_t count = 0;
        bool open;
        begin_batch(t->worker, ex);
        do {
            counter_add(worker_counters(t->worker), COUNT_JOBS_TAKEN, 1);
            open = worker_run_writer(t->worker, ex);
            count++;
        } while (open && count < pool->config.batch_max && clock_monotonic_ns() < last_start &&
                 (ex = take_waiting(pool, lane)) != NULL);
        worker_end_batch(t->worker);
    }
}

static bool has_free_routes(const struct app *app)
{
    for (size_t i = 0; i < app->route_count; i++)
        if (app->routes[i].mode == ROUTE_FREE)
            return true;
    return false;
}

struct pool *pool_create(const struct pool_config *config, const struct app *app, struct journal *journal,
                         struct error *e)
{
    unsigned free_workers = has_free_routes(app) && !config->immediate ? config->free : 0;
    unsigned count = 1 + config->readers + free_workers;
    struct pool *pool = calloc(1, sizeof *pool + count * sizeof *pool->threads);

    if (pool == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    pool->config = *config;
    pool->app = app;
    pthread_mutex_init(&pool->lock, NULL); /* with default attributes it has nothing to fail at */
    for (int i = 0; i < LANES; i++)
        condition_init(&pool->lanes[i].filled);
    for (unsigned i = 0; i < count; i++) {
        struct pool_thread *t = &pool->threads[i];
        t->pool = pool;
        t->lane = i == 0 ? LANE_WRITER : i <= config->readers ? LANE_READERS : LANE_FREE;
        t->worker = worker_create(&pool->config.worker, app, journal, e);
        if (t->worker == NULL) {
            pool_free(pool);
            return NULL;
        }
        pool->thread_count++;
    }
    return pool;
}

bool pool_start(struct pool *pool, struct error *e)
{
    if (pool->config.immediate)
        return true;
    for (unsigned i = 0; i < pool->thread_count; i++) {
        struct pool_thread *t = &pool->threads[i];
        if (uv_thread_create(&t->thread, t->lane == LANE_WRITER ? run_writer : run_reader, t) != 0)
            return error_set(e, "thread", "cannot start a thread for a script worker");
        t->running = true;
    }
    return true;
}

void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    for (int i = 0; i < LANES; i++)
        pthread_cond_broadcast(&pool->lanes[i].filled);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->thread_count; i++) {
        if (pool->threads[i].running)
            uv_thread_join(&pool->threads[i].thread);
        pool->threads[i].running = false;
    }
}

void pool_free(struct pool *pool)
{
    if (pool == NULL)
        return;
    for (unsigned i = 0; i < pool->thread_count; i++)
        worker_free(pool->threads[i].worker);
    for (int i = 0; i < LANES; i++)
        pthread_cond_destroy(&pool->lanes[i].filled);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

bool pool_database_in_place(const struct pool *pool, struct error *e)
{
    const struct db *db = worker_db(pool->threads[0].worker);

    return db == NULL || db_in_place(db, e);
}

unsigned pool_workers(const struct pool *pool)
{
    return pool->thread_count;
}

const struct counters *pool_counters(const struct pool *pool, unsigned worker)
{
    return worker_counters(pool->threads[worker].worker);
}
