#include "reloader.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Between two looks at the files, and after a reload that was refused for the moment. */
enum { LOOK_MS = 150, RETRY_MS = 1000 };

struct reloader {
    pillar_broker *broker;
    bool watches;
    pthread_t thread;
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t told;
    bool asked;
    bool ending;
};

/* Sleeps until it is told something, or for pause_ms if that is not 0. Returns whether a reload was asked for. */
static bool wait_to_be_told(struct reloader *r, long pause_ms)
{
    struct timespec until;
    int result = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (until.tv_nsec / 1000000 + pause_ms) / 1000;
    until.tv_nsec = (until.tv_nsec / 1000000 + pause_ms) % 1000 * 1000000 + until.tv_nsec % 1000000;
    while (!r->asked && !r->ending && result == 0)
        result =
            pause_ms == 0 ? pthread_cond_wait(&r->told, &r->lock) : pthread_cond_timedwait(&r->told, &r->lock, &until);
    bool asked = r->asked;
    r->asked = false;
    return asked;
}

/* True when the same script may be taken later. `again`: it was refused for the moment before, and that was said. */
static bool reload(struct reloader *r, const char *why, bool again)
{
    pillar_error error;

    if (pillar_broker_reload(r->broker, &error) == 0) {
        fprintf(stderr, "pillar: %s: the script was reloaded\n", why);
        return false;
    }
    bool later = strcmp(error.code, "busy") == 0;
    if (!later || !again)
        fprintf(stderr, "pillar: %s: the script was not reloaded, the old one goes on: %s\n", why, error.message);
    return later;
}

static void *run(void *arg)
{
    struct reloader *r = arg;
    bool later = false;

    pthread_mutex_lock(&r->lock);
    while (!r->ending) {
        bool asked = wait_to_be_told(r, !r->watches ? 0 : later ? RETRY_MS : LOOK_MS);
        bool ending = r->ending;
        pthread_mutex_unlock(&r->lock);
        if (!ending && asked)
            later = reload(r, "SIGHUP", false);
        else if (!ending)
            later = pillar_broker_script_changed(r->broker) != 0 && reload(r, "a file has changed", later);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct reloader *reloader_start(pillar_broker *broker)
{
    struct reloader *r = calloc(1, sizeof *r);
    pthread_condattr_t monotonic;

    if (r == NULL)
        return NULL;
    r->broker = broker;
    r->watches = pillar_broker_watches(broker) != 0;
    /* With these attributes there is nothing to fail at. */
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&r->told, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&r->thread, NULL, run, r) == 0)
        return r;
    pthread_cond_destroy(&r->told);
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}

static void tell(struct reloader *r, bool *what)
{
    pthread_mutex_lock(&r->lock);
    *what = true;
    pthread_cond_signal(&r->told);
    pthread_mutex_unlock(&r->lock);
}

void reloader_ask(struct reloader *r)
{
    tell(r, &r->asked);
}

void reloader_stop(struct reloader *r)
{
    if (r == NULL)
        return;
    tell(r, &r->ending);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->told);
    pthread_mutex_destroy(&r->lock);
    free(r);
}
