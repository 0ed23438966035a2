/* Looking at a script without running it. */
#include <lauxlib.h>

#include "base/clock.h"
#include "broker_private.h"
#include "db/db.h"
#include "db/migrate.h"
#include "script/state.h"

struct inspection {
    const struct pillar_broker *broker;
    void (*print)(void *context, const char *line);
    void *context;
    size_t findings;
};

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

/* The paths that the broker answers by itself; with a key, that of /api/emit too. */
static void push_paths(lua_State *L, const struct settings *s)
{
    const char *const own[] = {"/healthz", "/readyz", "/metrics", s->events_path, s->openapi_path};

    lua_createtable(L, 0, 2);
    lua_createtable(L, sizeof own / sizeof *own, 0);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        lua_pushstring(L, own[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "own");
    lua_pushstring(L, s->emit_path);
    lua_setfield(L, -2, "emit");
}

/* runtime.inspect(path, paths) loads the script and returns lines, and how many findings are among them. */
static int inspect_in_lua(lua_State *L)
{
    struct inspection *i = lua_touserdata(L, 1);

    script_state_push_runtime(L);
    lua_getfield(L, -1, "inspect");
    lua_pushstring(L, i->broker->script);
    push_paths(L, &i->broker->options->values);
    lua_call(L, 2, 2);
    i->findings = (size_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    for (lua_Integer n = 1; lua_rawgeti(L, -1, n) == LUA_TSTRING; n++) {
        i->print(i->context, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return 0;
}

/* Loads the script once more, in a state of its own, to look at what the first load did not keep. */
static bool inspect(struct inspection *i, struct error *e)
{
    const struct pillar_broker *b = i->broker;
    const struct settings *s = &b->options->values;
    struct script_state *state =
        script_state_create((size_t)s->script_memory, b->script_dir, b->library_dir, b->program->sources, e);

    if (state == NULL)
        return false;
    script_state_arm(state, clock_monotonic_ns() + s->load_deadline * 1000000u);
    bool ok = script_state_call(state, inspect_in_lua, i);
    if (!ok)
        (void)error_set(e, "script", "%s: it cannot be looked at: %s", b->script,
                        lua_type(state->L, -1) == LUA_TSTRING ? lua_tostring(state->L, -1) : "it ran out of memory");
    script_state_free(state);
    return ok;
}

int pillar_check(const char *script, const struct pillar_options *options,
                 void (*print)(void *context, const char *line), void *context, pillar_error *error)
{
    struct error e = {.code = "internal"};
    struct pillar_broker *b = broker_new(options, &e);
    struct inspection i = {.broker = b, .print = print, .context = context};
    bool ok = b != NULL && broker_load(b, script, &e) && try_migrations(b->program->app, &e) && inspect(&i, &e);

    pillar_broker_destroy(b);
    if (ok && i.findings == 0)
        return 0;
    if (ok)
        (void)error_set(&e, "findings", "%s: %zu finding%s", script, i.findings, i.findings == 1 ? "" : "s");
    (void)api_report(error, &e);
    return ok ? (int)i.findings : -1;
}
