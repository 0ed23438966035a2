/* A new version of the script in place of the one that runs. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "retirement.h"
#include "script/sources.h"

enum { ROUTES_NAMED_MAX = 20 };

/* --- what has changed --- */

static bool has_route(const struct app *app, const struct route *r)
{
    for (size_t i = 0; i < app->route_count; i++)
        if (app->routes[i].method == r->method && str_eq(app->routes[i].pattern, r->pattern))
            return true;
    return false;
}

static void append_routes(struct buf *out, const char *what, const struct app *in, const struct app *not_in)
{
    size_t found = 0;

    for (size_t i = 0; i < in->route_count; i++) {
        const struct route *r = &in->routes[i];
        if (has_route(not_in, r) || ++found > ROUTES_NAMED_MAX)
            continue;
        buf_printf(out, "%s%.*s %.*s", found == 1 ? what : ", ", STR_ARG(method_names[r->method]), STR_ARG(r->pattern));
    }
    if (found > ROUTES_NAMED_MAX)
        buf_printf(out, " and %zu more", found - ROUTES_NAMED_MAX);
}

/* What one reload has found out. */
struct outcome {
    uint64_t started_ns;
    size_t migrated;     /* steps */
    struct buf settings; /* names of those that wait for the next start */
};

static void log_outcome(const struct app *before, const struct app *after, const struct outcome *o)
{
    struct buf text = BUF_EMPTY;

    buf_printf(&text, "reloaded in %llu ms: %zu route%s",
               (unsigned long long)((clock_monotonic_ns() - o->started_ns) / 1000000u), after->route_count - 1,
               after->route_count == 2 ? "" : "s");
    append_routes(&text, "; new: ", after, before);
    append_routes(&text, "; gone: ", before, after);
    buf_printf(&text, "; %zu migration step%s applied", o->migrated, o->migrated == 1 ? "" : "s");
    if (after->anonymous && !before->anonymous)
        buf_printf(&text, "; nobody has to sign in any more (app:anonymous)");
    if (!text.failed)
        log_info("script", "%.*s", STR_ARG(buf_str(&text)));
    buf_free(&text);
    if (o->settings.len > 0)
        log_warn("script", "pillar.app has other settings than at the start, and they wait for the next one: %.*s",
                 STR_ARG(buf_str(&o->settings)));
}

/* The settings must do for the next start. Until then those of the last one hold. */
static bool check_settings(struct pillar_broker *b, const struct app *app, struct buf *changed, struct error *e)
{
    struct pillar_options *options = options_copy(b->given);

    if (options == NULL)
        return error_no_memory(e);
    bool ok = broker_apply_settings(b, app, options, e);
    if (ok)
        options_list_differences(b->options, options, changed);
    pillar_options_free(options);
    return ok;
}

static bool same_migrations(const struct app *a, const struct app *b)
{
    bool same = a->migration_count == b->migration_count;

    for (size_t i = 0; same && i < a->migration_count; i++)
        same = strcmp(a->migrations[i].sql, b->migrations[i].sql) == 0;
    return same;
}

/* --- reload --- */

static bool check_moment(struct pillar_broker *b, struct error *e)
{
    if (!b->started)
        return error_set(e, "not_started", "the broker has not started");
    if (atomic_load(&b->draining))
        return error_set(e, "draining", "the broker is going away");
    if (retirement_reap(b) < b->options->values.max_retiring)
        return true;
    return error_set(e, "busy",
                     "%llu earlier versions of the script have handlers that do not return (option max-retiring)",
                     (unsigned long long)b->options->values.max_retiring);
}

/*
 * Everything that can go wrong, with what cannot be taken back, the migrations, at the end. The new workers open what is
 * at the database's path, or make it: where that is not what the old ones have open, the streams have another history.
 */
static bool make_ready(struct program *p, const struct program *running, struct retirement **r, struct outcome *o,
                       struct error *e)
{
    struct pillar_broker *b = p->broker;

    return program_load(p, e) && program_check(b, p, e) && check_settings(b, p->app, &o->settings, e) &&
           pool_database_in_place(running->pool, e) && program_make_pool(p, e) && pool_start(p->pool, e) &&
           (*r = retirement_create(b, e)) != NULL && check_moment(b, e) &&
           (same_migrations(running->app, p->app) || program_migrate(p, &o->migrated, e));
}

/* A change to what was read may mend it, unless nothing was wrong with that. */
static void give_up(struct pillar_broker *b, struct program *p, struct retirement *r, const struct error *e)
{
    retirement_call_off(r);
    if (p->pool != NULL)
        pool_stop(p->pool);
    if (strcmp(e->code, "busy") != 0) {
        sources_free(b->failed);
        b->failed = p->sources;
        p->sources = NULL;
    }
    program_unref(p);
}

static bool replace(struct program *old, struct program *p, struct error *e)
{
    struct pillar_broker *b = p->broker;
    struct outcome outcome = {.started_ns = clock_monotonic_ns(), .settings = BUF_EMPTY};
    struct retirement *r = NULL;

    bool ok = make_ready(p, old, &r, &outcome, e);
    if (ok) {
        sources_free(b->failed);
        b->failed = NULL;
        retirement_switch(r, p);
        log_outcome(old->app, p->app, &outcome);
        program_tell_missing(p);
    } else {
        give_up(b, p, r, e);
    }
    buf_free(&outcome.settings);
    return ok;
}

static bool reload(struct pillar_broker *b, struct error *e)
{
    struct program *p = check_moment(b, e) ? program_new(b, e) : NULL;

    if (p == NULL)
        return false;
    struct program *old = broker_program(b);
    bool ok = replace(old, p, e);
    program_unref(old);
    return ok;
}

int pillar_broker_reload(struct pillar_broker *b, pillar_error *error)
{
    struct error e = {.code = "internal"};

    pthread_mutex_lock(&b->reload_lock);
    bool ok = reload(b, &e);
    pthread_mutex_lock(&b->program_lock);
    b->counted[ok ? COUNT_RELOADS : COUNT_RELOAD_FAILURES]++;
    pthread_mutex_unlock(&b->program_lock);
    pthread_mutex_unlock(&b->reload_lock);
    return ok ? 0 : api_report(error, &e);
}

/* --- looking for changes --- */

int pillar_broker_watches(const struct pillar_broker *b)
{
    return b->options->values.watch != 0;
}

int pillar_broker_script_changed(struct pillar_broker *b)
{
    if (pthread_mutex_trylock(&b->reload_lock) != 0)
        return 0; /* a reload is under way: the next look tells */
    bool changed = sources_changed(b->failed != NULL ? b->failed : b->program->sources);
    pthread_mutex_unlock(&b->reload_lock);
    return changed;
}
