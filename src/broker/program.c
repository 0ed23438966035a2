#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/logger.h"
#include "broker_private.h"
#include "db/db.h"
#include "db/migrate.h"
#include "harness/harness.h"
#include "script/state.h"

/* --- loading --- */

/*
 * The first load tells what the app is. It also loads lua-cjson, whose one global is so written before there
 * are threads.
 */
static bool load_app(struct pillar_broker *b, struct program *p, struct error *e)
{
    const struct settings *s = &b->options->values;
    struct script_state *state = script_state_create((size_t)s->script_memory, b->script_dir, b->library_dir, e);

    if (state == NULL)
        return false;
    p->app = app_load(state, b->script, s->load_deadline, e);
    script_state_free(state);
    return p->app != NULL;
}

static bool open_mounts(const struct pillar_broker *b, struct program *p, struct error *e)
{
    size_t count = p->app->mount_count;

    p->mounts = calloc(count + 1, sizeof *p->mounts);
    if (p->mounts == NULL)
        return error_no_memory(e);
    for (size_t i = 0; i < count; i++)
        p->mounts[i].root = -1;
    for (size_t i = 0; i < count; i++) {
        const struct mount *m = &p->app->mounts[i];
        p->mounts[i].fallback = m->fallback.len == 0 ? NULL : m->fallback.ptr;
        p->mounts[i].root = open(m->dir.ptr, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (p->mounts[i].root < 0)
            return error_set(e, "script", "%s: app:static: cannot open the directory %s: %s", b->script, m->dir.ptr,
                             strerror(errno));
    }
    return true;
}

struct program *program_load(struct pillar_broker *b, struct error *e)
{
    struct program *p = calloc(1, sizeof *p);

    if (p == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    atomic_init(&p->references, 1);
    if (load_app(b, p, e) && open_mounts(b, p, e))
        return p;
    program_unref(p);
    return NULL;
}

static bool is_reserved(const struct pillar_broker *b, struct str pattern)
{
    const struct settings *s = &b->options->values;

    return str_eq(pattern, str_of(s->events_path)) || str_eq(pattern, str_of(s->openapi_path)) ||
           str_eq(pattern, STR("/healthz")) || str_eq(pattern, STR("/readyz")) || str_eq(pattern, STR("/metrics"));
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

/* --- preparing --- */

static const char *database_of(const struct pillar_broker *b)
{
    const char *url = b->options->values.database;

    return strcmp(url, "none") == 0 ? NULL : url;
}

static bool apply_migrations(struct pillar_broker *b, const struct app *app, struct error *e)
{
    const char *url = database_of(b);
    size_t applied;

    if (url == NULL && app->migration_count > 0)
        return error_set(e, "database", "%s has migrations, and --database none leaves it without a database",
                         b->script);
    if (url == NULL)
        return true;
    struct db *db = db_open(url, e);
    if (db == NULL)
        return false;
    bool ok = migrate(db, app->migrations, app->migration_count, &applied, e);
    db_close(db);
    if (ok && applied > 0)
        log_info("db", "%zu migration step%s applied to %s", applied, applied == 1 ? "" : "s", url);
    return ok;
}

static struct pool *make_pool(const struct pillar_broker *b, const struct app *app, struct error *e)
{
    const struct settings *s = &b->options->values;
    struct pool_config config = {
        .worker = {.script = b->script,
                   .script_dir = b->script_dir,
                   .library_dir = b->library_dir,
                   .database = database_of(b),
                   .memory_limit = (size_t)s->script_memory,
                   .deadline_ms = s->handler_deadline,
                   .load_deadline_ms = s->load_deadline,
                   .dev = s->dev != 0,
                   .survives = b->harness == NULL ? NULL : harness_survives,
                   .survives_context = b->harness,
                   .user_rates = b->user_rates,
                   .limits = {.event_bytes = (size_t)s->max_event_bytes,
                              .event_targets = (size_t)s->max_event_targets,
                              .events = (size_t)s->max_events,
                              .all_event_bytes = (size_t)s->max_events_bytes}},
        .immediate = b->harness != NULL,
        .readers = (unsigned)s->workers,
        .queue_max = (size_t)s->queue_size,
        .batch_max = (size_t)s->batch_size,
        .batch_ms = s->batch_time,
    };

    return pool_create(&config, app, b->journal, e);
}

bool program_prepare(struct pillar_broker *b, struct program *p, struct error *e)
{
    if (!apply_migrations(b, p->app, e))
        return false;
    p->pool = make_pool(b, p->app, e);
    return p->pool != NULL;
}

/* --- references --- */

struct program *program_ref(struct program *p)
{
    atomic_fetch_add_explicit(&p->references, 1, memory_order_relaxed);
    return p;
}

void program_unref(struct program *p)
{
    if (p == NULL || atomic_fetch_sub_explicit(&p->references, 1, memory_order_acq_rel) > 1)
        return;
    pool_free(p->pool);
    for (size_t i = 0; p->mounts != NULL && i < p->app->mount_count; i++)
        if (p->mounts[i].root >= 0)
            close(p->mounts[i].root);
    free(p->mounts);
    app_free(p->app);
    free(p);
}
