/* Looking at a script without running it. */
#include "broker_private.h"
#include "db/db.h"
#include "db/migrate.h"

static void print_line(void (*print)(void *context, const char *line), void *context, struct buf *line)
{
    buf_append_char(line, '\0');
    if (!line->failed)
        print(context, line->data);
    line->len = 0;
}

static void print_app(const struct app *app, void (*print)(void *context, const char *line), void *context)
{
    static const char *const modes[] = {[ROUTE_READ] = "reads", [ROUTE_WRITE] = "writes", [ROUTE_FREE] = "free"};
    struct buf line = BUF_EMPTY;

    for (size_t i = 0; i < app->route_count; i++) {
        const struct route *r = &app->routes[i];
        if (i == app->emit_route)
            continue;
        buf_printf(&line, "%-7.*s %-40.*s %-7s %.*s", STR_ARG(method_names[r->method]), STR_ARG(r->pattern),
                   modes[r->mode], STR_ARG(r->source));
        print_line(print, context, &line);
    }
    for (size_t i = 0; i < app->mount_count; i++) {
        buf_printf(&line, "files   %s/ from %s", app->mounts[i].prefix.ptr, app->mounts[i].dir.ptr);
        print_line(print, context, &line);
    }
    buf_printf(&line, "entities:");
    for (size_t i = 0; i < app->entity_count; i++)
        buf_printf(&line, " %.*s", STR_ARG(app->entities[i]));
    print_line(print, context, &line);
    buf_printf(&line, "migrations: %zu", app->migration_count);
    print_line(print, context, &line);
    buf_free(&line);
}

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

int pillar_check(const char *script, const struct pillar_options *options,
                 void (*print)(void *context, const char *line), void *context, pillar_error *error)
{
    struct error e = {.code = "internal"};
    struct pillar_broker *b = broker_new(options, &e);
    bool ok = b != NULL && broker_load(b, script, &e) && try_migrations(b->program->app, &e);

    if (ok)
        print_app(b->program->app, print, context);
    pillar_broker_destroy(b);
    return ok ? 0 : api_report(error, &e);
}
