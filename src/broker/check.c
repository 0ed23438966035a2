/* Looking at a script without running it. */
#include "broker_private.h"
#include "db/db.h"
#include "db/migrate.h"
#include "script/inspect.h"
#include "script/state.h"

/* The steps from nothing, in a database that is gone afterwards: an error in their SQL is found before it meets data. */
static bool try_migrations(const struct app *app, struct error *e)
{
    if (app->migration_count == 0)
        return true;
    struct db *db = db_open("sqlite::memory:", e);
    bool ok = db != NULL && migrate(db, app->migrations, app->migration_count, NULL, e);
    db_close(db);
    return ok;
}

/* Loads the script once more, in a state of its own, to look at what the first load did not keep. */
static bool look(const struct pillar_broker *b, struct inspection *i, struct error *e)
{
    const struct settings *s = &b->options->values;
    const char *const own[] = {"/healthz",      "/readyz",      "/metrics", s->events_path,
                               s->openapi_path, s->client_path, NULL};
    struct script_state *state =
        script_state_create((size_t)s->script_memory, b->script_dir, b->library_dir, b->program->sources, e);

    if (state == NULL)
        return false;
    i->script = b->script;
    i->own_paths = own;
    i->emit_path = s->emit_path;
    i->events_path = s->events_path;
    i->explain_below = EXPLAIN_BELOW;
    bool ok = script_inspect(state, s->load_deadline, i, e);
    script_state_free(state);
    return ok;
}

int pillar_check(const char *script, const struct pillar_options *options,
                 void (*print)(void *context, const char *line), void *context, pillar_error *error)
{
    struct error e = {.code = "internal"};
    struct pillar_broker *b = broker_new(options, &e);
    struct inspection i = {.print = print, .context = context};
    bool ok = b != NULL && broker_load(b, script, &e) && try_migrations(b->program->app, &e) && look(b, &i, &e);

    pillar_broker_destroy(b);
    if (ok && i.findings == 0)
        return 0;
    if (ok)
        (void)error_set(&e, "findings", "%s: %zu finding%s", script, i.findings, i.findings == 1 ? "" : "s");
    (void)api_report(error, &e);
    return ok ? (int)i.findings : -1;
}
