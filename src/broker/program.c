#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/logger.h"
#include "broker_private.h"
#include "db/db.h"
#include "db/idempotency.h"
#include "db/migrate.h"
#include "harness/harness.h"
#include "script/sources.h"
#include "script/state.h"

/* --- loading --- */

/*
 * The first load tells what the app is. It also loads lua-cjson, whose one global is so written before there
 * are threads; what a reload writes there is the same.
 */
static bool load_app(struct program *p, struct error *e)
{
    const struct pillar_broker *b = p->broker;
    const struct settings *s = &b->options->values;
    struct script_state *state =
        script_state_create((size_t)s->script_memory, b->script_dir, b->library_dir, p->sources, e);

    if (state == NULL)
        return false;
    p->app = app_load(state, b->script, s->load_deadline, true, e);
    script_state_free(state);
    return p->app != NULL;
}

static bool open_mount(struct program *p, size_t i, struct error *e)
{
    const struct mount *m = &p->app->mounts[i];
    struct str ignored;

    p->mounts[i].fallback = m->fallback.len == 0 ? NULL : m->fallback.ptr;
    p->mounts[i].immutable = m->immutable.len == 0 ? NULL : m->immutable.ptr;
    p->mounts[i].root = open(m->dir.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->mounts[i].root >= 0)
        return true;
    bool ok = errno == ENOENT && m->missing.len > 0;
    if (!ok)
        (void)error_set(e, "script", "%s: app:static: cannot open the directory %s: %s", p->broker->script, m->dir.ptr,
                        strerror(errno));
    (void)sources_read(p->sources, m->dir.ptr, &ignored, NULL); /* so that it is seen to come */
    return ok;
}

static bool open_mounts(struct program *p, struct error *e)
{
    size_t count = p->app->mount_count;

    p->mounts = calloc(count + 1, sizeof *p->mounts);
    if (p->mounts == NULL)
        return error_no_memory(e);
    for (size_t i = 0; i < count; i++)
        p->mounts[i].root = -1;
    for (size_t i = 0; i < count; i++)
        if (!open_mount(p, i, e))
            return false;
    return true;
}

struct program *program_new(struct pillar_broker *b, struct error *e)
{
    struct program *p = calloc(1, sizeof *p);
    struct sources *sources = sources_create(b->library_dir, (size_t)b->options->values.script_memory);

    if (p == NULL || sources == NULL) {
        free(p);
        sources_free(sources);
        (void)error_no_memory(e);
        return NULL;
    }
    p->broker = b;
    p->references = 1;
    p->sources = sources;
    return p;
}

bool program_load(struct program *p, struct error *e)
{
    return load_app(p, e) && open_mounts(p, e);
}

static bool is_reserved(const struct pillar_broker *b, struct str pattern)
{
    const struct settings *s = &b->options->values;

    return str_eq(pattern, str_of(s->events_path)) || str_eq(pattern, str_of(s->openapi_path)) ||
           str_eq(pattern, str_of(s->client_path)) || str_eq(pattern, STR("/healthz")) ||
           str_eq(pattern, STR("/readyz")) || str_eq(pattern, STR("/metrics"));
}

bool program_check(const struct pillar_broker *b, const struct program *p, struct error *e)
{
    for (size_t i = 0; i < p->app->route_count; i++) {
        const struct route *r = &p->app->routes[i];
        if (is_reserved(b, r->pattern))
            return error_set(e, "script", "%.*s: the broker itself answers %.*s; choose another path",
                             STR_ARG(r->source), STR_ARG(r->pattern));
    }
    return true;
}

void program_tell_missing(const struct program *p)
{
    for (size_t i = 0; i < p->app->mount_count; i++)
        if (p->mounts[i].root < 0)
            log_warn("script", "app:static: the directory %s is not there: %s", p->app->mounts[i].dir.ptr,
                     p->app->mounts[i].missing.ptr);
}

/* --- preparing --- */

static struct replay_config replay_settings(const struct pillar_broker *b)
{
    const struct settings *s = &b->options->values;
    uint64_t bytes = s->idempotency_bytes;

    /* In memory no answer may take the room of all others. */
    if (b->records != NULL && bytes > s->idempotency_memory / 4)
        bytes = s->idempotency_memory / 4;
    return (struct replay_config){.in_flight = b->in_flight,
                                  .memory = b->records,
                                  .age_ms = s->idempotency_age,
                                  .answer_bytes = (size_t)bytes,
                                  .memory_bytes = (size_t)s->idempotency_memory};
}

static const char *database_of(const struct pillar_broker *b)
{
    const char *url = b->options->values.database;

    return strcmp(url, "none") == 0 ? NULL : url;
}

bool program_make_pool(struct program *p, struct error *e)
{
    const struct pillar_broker *b = p->broker;
    const struct settings *s = &b->options->values;
    const char *secret = s->secret[0] == '\0' ? b->made_secret : s->secret;
    const char *problem;
    struct pool_config config = {
        .worker = {.script = b->script,
                   .script_dir = b->script_dir,
                   .library_dir = b->library_dir,
                   .sources = p->sources,
                   .database = database_of(b),
                   .memory_limit = (size_t)s->script_memory,
                   .deadline_ms = s->handler_deadline,
                   .load_deadline_ms = s->load_deadline,
                   .dev = s->dev != 0,
                   .survives = b->harness == NULL ? NULL : harness_survives,
                   .survives_context = b->harness,
                   .user_rates = b->user_rates,
                   .replay = replay_settings(b),
                   .limits = {.event_bytes = (size_t)s->max_event_bytes,
                              .event_targets = (size_t)s->max_event_targets,
                              .events = (size_t)s->max_events,
                              .all_event_bytes = (size_t)s->max_events_bytes}},
        .immediate = b->harness != NULL,
        .readers = (unsigned)s->workers,
        .free = (unsigned)s->free_workers,
        .queue_max = (size_t)s->queue_size,
        .batch_max = (size_t)s->batch_size,
        .batch_ms = s->batch_time,
    };

    (void)secrets_read(&config.worker.secrets, str_of(secret), &problem); /* options_set has had a look */
    if (config.worker.database == NULL && p->app->migration_count > 0)
        return error_set(e, "database", "%s has migrations, and --database none leaves it without a database",
                         b->script);
    p->pool = pool_create(&config, p->app, b->journal, e);
    return p->pool != NULL;
}

static bool is_late(void *deadline_ns)
{
    return clock_monotonic_ns() >= *(const uint64_t *)deadline_ns;
}

bool program_migrate(const struct program *p, size_t *applied, struct error *e)
{
    const struct pillar_broker *b = p->broker;
    const char *url = database_of(b);

    *applied = 0;
    if (url == NULL)
        return true;
    struct db *db = db_open(url, e);
    if (db == NULL)
        return false;
    uint64_t deadline_ns = clock_monotonic_ns() + b->options->values.load_deadline * 1000000u;
    bool ok = journal_lock(b->journal, deadline_ns);
    if (ok) {
        /* At a reload every mutation waits for it. */
        if (b->started)
            db_set_guard(db, is_late, &deadline_ns);
        ok = (idempotency_prepare(db, e) && migrate(db, p->app->migrations, p->app->migration_count, applied, e)) ||
             broker_name_database(b, e);
        if (!ok && b->started && is_late(&deadline_ns))
            (void)error_set(e, "migration",
                            "%s: the migrations take longer than --load-deadline, while every mutation "
                            "waits; restart the broker to have them applied",
                            b->script);
        journal_unlock(b->journal);
    } else {
        (void)error_set(e, "busy", "a handler holds up the migrations: its transaction does not end; try again");
    }
    db_close(db);
    if (ok && *applied > 0)
        log_info("db", "%zu migration step%s applied to %s", *applied, *applied == 1 ? "" : "s", url);
    return ok;
}

/* --- references --- */

void program_unref(struct program *p)
{
    if (p == NULL)
        return;
    struct pillar_broker *b = p->broker;
    pthread_mutex_lock(&b->program_lock);
    unsigned left = --p->references;
    if (left == 1 && p != b->program)
        pthread_cond_broadcast(&b->program_left);
    pthread_mutex_unlock(&b->program_lock);
    if (left > 0)
        return;
    pool_free(p->pool);
    for (size_t i = 0; p->mounts != NULL && i < p->app->mount_count; i++)
        if (p->mounts[i].root >= 0)
            close(p->mounts[i].root);
    free(p->mounts);
    app_free(p->app);
    sources_free(p->sources);
    free(p);
}
