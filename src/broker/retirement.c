#include "retirement.h"

#include <stdlib.h>

/*
 * The last reference is the retirement's own, so nobody is left who could submit, and every request is answered. A
 * program that is called off has none.
 */
static struct program *await_program(struct retirement *r)
{
    struct pillar_broker *b = r->broker;

    pthread_mutex_lock(&b->program_lock);
    while (!r->called_off && (r->program == NULL || r->program->references > 1))
        pthread_cond_wait(&b->program_left, &b->program_lock);
    struct program *p = r->program;
    pthread_mutex_unlock(&b->program_lock);
    return p;
}

/* In one step, so that no counter on /metrics ever falls. */
static void keep_counters(struct retirement *r)
{
    struct pillar_broker *b = r->broker;

    pthread_mutex_lock(&b->program_lock);
    metrics_add_pool(r->program->pool, b->counted);
    r->program = NULL;
    pthread_mutex_unlock(&b->program_lock);
}

static void retire(void *arg)
{
    struct retirement *r = arg;
    struct program *p = await_program(r);

    if (p == NULL)
        return;
    pool_stop(p->pool);
    keep_counters(r);
    program_unref(p);
    pthread_mutex_lock(&r->broker->program_lock);
    r->over = true;
    pthread_cond_broadcast(&r->broker->program_left);
    pthread_mutex_unlock(&r->broker->program_lock);
}

struct retirement *retirement_create(struct pillar_broker *b, struct error *e)
{
    struct retirement *r = calloc(1, sizeof *r);

    if (r == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    r->broker = b;
    if (uv_thread_create(&r->thread, retire, r) == 0)
        return r;
    free(r);
    (void)error_set(e, "thread", "cannot start a thread for the version of the script that is to be replaced");
    return NULL;
}

static void join(struct retirement *r)
{
    uv_thread_join(&r->thread);
    free(r);
}

void retirement_call_off(struct retirement *r)
{
    if (r == NULL)
        return;
    pthread_mutex_lock(&r->broker->program_lock);
    r->called_off = true;
    pthread_cond_broadcast(&r->broker->program_left);
    pthread_mutex_unlock(&r->broker->program_lock);
    join(r);
}

void retirement_switch(struct retirement *r, struct program *next)
{
    struct pillar_broker *b = r->broker;

    pthread_mutex_lock(&b->program_lock);
    r->program = b->program;
    b->program = next;
    r->next = b->retiring;
    b->retiring = r;
    pthread_cond_broadcast(&b->program_left);
    pthread_mutex_unlock(&b->program_lock);
}

static size_t count(const struct retirement *r)
{
    size_t n = 0;

    for (; r != NULL; r = r->next)
        n++;
    return n;
}

/* Takes one that is over out of the broker's list; NULL: there is none. */
static struct retirement *take_over(struct pillar_broker *b, size_t *left)
{
    struct retirement **at = &b->retiring;

    pthread_mutex_lock(&b->program_lock);
    while (*at != NULL && !(*at)->over)
        at = &(*at)->next;
    struct retirement *r = *at;
    if (r != NULL)
        *at = r->next;
    *left = count(b->retiring);
    pthread_mutex_unlock(&b->program_lock);
    return r;
}

size_t retirement_reap(struct pillar_broker *b)
{
    struct retirement *r;
    size_t left;

    while ((r = take_over(b, &left)) != NULL)
        join(r);
    return left;
}

void retirement_wait_for_all(struct pillar_broker *b)
{
    pthread_mutex_lock(&b->program_lock);
    for (struct retirement *r = b->retiring; r != NULL; r = r->next)
        while (!r->over)
            pthread_cond_wait(&b->program_left, &b->program_lock);
    pthread_mutex_unlock(&b->program_lock);
    (void)retirement_reap(b);
}
