#include "script/silence.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/logger.h"

struct silence {
    const struct app *app;
    struct counters *counters;
    uint64_t said_ns[]; /* of each route: when the log was last told */
};

struct silence *silence_create(const struct app *app, struct counters *counters)
{
    struct silence *s = calloc(1, sizeof *s + app->route_count * sizeof *s->said_ns);

    if (s == NULL)
        return NULL;
    s->app = app;
    s->counters = counters;
    return s;
}

void silence_free(struct silence *s)
{
    free(s);
}

/* What a handler with transaction = false has committed stands, whatever it answers in the end. */
static bool is_watched(const struct silence *s, const struct job *job)
{
    const struct exchange *ex = job->ex;

    return ex->kind == EXCHANGE_ROUTE && !s->app->routes[ex->route].silent &&
           (job->access == JOB_FREE || ex->response.status < 400);
}

/* A route that does it once does it always: the log is told once a minute. */
static void complain(struct silence *s, struct exchange *ex, struct str what)
{
    enum { PAUSE_S = 60 };
    const struct route *r = &s->app->routes[ex->route];
    uint64_t now = clock_monotonic_ns();
    uint64_t *said = &s->said_ns[ex->route];
    struct buf text = BUF_EMPTY;

    counter_add(s->counters, COUNT_SILENT_CHANGES, 1);
    buf_printf(&text, "%.*s %.*s (%.*s) %.*s", STR_ARG(method_names[r->method]), STR_ARG(r->pattern),
               STR_ARG(r->source), STR_ARG(what));
    ex->trouble = arena_copy(&ex->arena, buf_str(&text));
    if (*said == 0 || now - *said >= PAUSE_S * 1000000000ull) {
        *said = now;
        log_warn("script", "%.*s %.*s", STR_ARG(ex->request.id), STR_ARG(buf_str(&text)));
    }
    buf_free(&text);
}

static const struct event *find_untargeted(const struct event_list *events, size_t first)
{
    for (size_t i = first; i < events->count; i++) {
        const struct event *ev = events->at[i];
        if (ev->kind == EVENT_SYNC && !ev->everyone && ev->target_count == 0)
            return ev;
    }
    return NULL;
}

void silence_look_at_events(struct silence *s, const struct job *job, const struct event_list *events)
{
    const struct event *ev = is_watched(s, job) ? find_untargeted(events, job->first_event) : NULL;
    struct buf what = BUF_EMPTY;

    if (ev == NULL)
        return;
    buf_printf(&what,
               "emitted %.*s %.*s with an empty target list, so nobody gets it; are its targets right? "
               "silent = true in the route's options says that it may be so",
               STR_ARG(ev->entity), STR_ARG(ev->action));
    complain(s, job->ex, buf_str(&what));
    buf_free(&what);
}

void silence_look_at_changes(struct silence *s, const struct job *job, size_t emitted, const struct db *db)
{
    struct buf tables = BUF_EMPTY;
    struct buf what = BUF_EMPTY;

    if (emitted == 0 && db != NULL && is_watched(s, job) && db_append_changed_tables(db, &tables)) {
        buf_printf(&what,
                   "changed %.*s and emitted nothing, so nobody learns of it; call emit_sync_event, or say "
                   "silent = true in the route's options",
                   STR_ARG(buf_str(&tables)));
        complain(s, job->ex, buf_str(&what));
    }
    buf_free(&tables);
    buf_free(&what);
}
