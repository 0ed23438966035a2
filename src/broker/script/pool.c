#include "script/pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <uv.h>

#include "base/clock.h"

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
    bool writer;
    bool running;
};

struct pool {
    struct pool_config config;
    const struct app *app;
    pthread_mutex_t lock; /* guards the lanes and `stopping` */
    struct lane readers;
    struct lane writer;
    bool stopping;
    unsigned thread_count; /* threads[0] is the writer's */
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

static struct exchange *take_waiting(struct pool *pool, struct lane *lane)
{
    pthread_mutex_lock(&pool->lock);
    struct exchange *ex = pop(lane);
    pthread_mutex_unlock(&pool->lock);
    return ex;
}

static bool is_mutation(const struct pool *pool, const struct exchange *ex)
{
    if (ex->kind == EXCHANGE_ROUTE)
        return pool->app->routes[ex->route].mode == ROUTE_WRITE;
    return ex->kind == EXCHANGE_EMISSION;
}

static void run_now(struct pool *pool, struct exchange *ex)
{
    struct worker *worker = pool->threads[is_mutation(pool, ex) ? 0 : 1].worker;

    counter_add(worker_counters(worker), COUNT_JOBS_TAKEN, 1);
    if (!is_mutation(pool, ex)) {
        worker_run_reader(worker, ex);
        return;
    }
    worker_begin_batch(worker);
    worker_run_writer(worker, ex);
    worker_end_batch(worker);
}

bool pool_submit(struct pool *pool, struct exchange *ex)
{
    if (pool->config.immediate) {
        run_now(pool, ex);
        return true;
    }
    struct lane *lane = is_mutation(pool, ex) ? &pool->writer : &pool->readers;

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
    size_t depth = pool->readers.count + pool->writer.count;
    pthread_mutex_unlock(&pool->lock);
    return depth;
}

/* --- the threads --- */

static void run_reader(void *arg)
{
    struct pool_thread *t = arg;
    struct exchange *ex;

    while ((ex = take(t->pool, &t->pool->readers)) != NULL) {
        counter_add(worker_counters(t->worker), COUNT_JOBS_TAKEN, 1);
        worker_run_reader(t->worker, ex);
    }
}

/* Whatever waits shares a commit: its cost, a flush of the disk, is the same for one handler and for a hundred. */
static void run_writer(void *arg)
{
    struct pool_thread *t = arg;
    struct pool *pool = t->pool;
    struct exchange *ex;

    while ((ex = take(pool, &pool->writer)) != NULL) {
        uint64_t last_start = clock_monotonic_ns() + pool->config.batch_ms * 1000000u;
        size_t count = 0;
        worker_begin_batch(t->worker);
        do {
            counter_add(worker_counters(t->worker), COUNT_JOBS_TAKEN, 1);
            worker_run_writer(t->worker, ex);
            count++;
        } while (count < pool->config.batch_max && clock_monotonic_ns() < last_start &&
                 (ex = take_waiting(pool, &pool->writer)) != NULL);
        worker_end_batch(t->worker);
    }
}

struct pool *pool_create(const struct pool_config *config, const struct app *app, struct journal *journal,
                         struct error *e)
{
    unsigned count = config->readers + 1;
    struct pool *pool = calloc(1, sizeof *pool + count * sizeof *pool->threads);

    if (pool == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    pool->config = *config;
    pool->app = app;
    /* With default attributes these have nothing to fail at. */
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->readers.filled, NULL);
    pthread_cond_init(&pool->writer.filled, NULL);
    for (unsigned i = 0; i < count; i++) {
        struct pool_thread *t = &pool->threads[i];
        t->pool = pool;
        t->writer = i == 0;
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
        if (uv_thread_create(&t->thread, t->writer ? run_writer : run_reader, t) != 0)
            return error_set(e, "thread", "cannot start a thread for a script worker");
        t->running = true;
    }
    return true;
}

void pool_stop(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->readers.filled);
    pthread_cond_broadcast(&pool->writer.filled);
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
    pthread_cond_destroy(&pool->readers.filled);
    pthread_cond_destroy(&pool->writer.filled);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

unsigned pool_workers(const struct pool *pool)
{
    return pool->thread_count;
}

const struct counters *pool_counters(const struct pool *pool, unsigned worker)
{
    return worker_counters(pool->threads[worker].worker);
}
