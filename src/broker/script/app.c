#include "script/app.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "script/state.h"

/* --- reading the description that lua/pillar/app.lua makes --- */

struct load {
    const char *path;
    struct app *app;
    bool whole;
};

static _Noreturn void raise_no_memory(lua_State *L)
{
    luaL_error(L, "out of memory");
    abort(); /* luaL_error does not return, but does not say so to the compiler */
}

static struct str copy(lua_State *L, struct app *app, struct str s)
{
    struct str kept = arena_copy(&app->arena, s);

    if (kept.ptr == NULL)
        raise_no_memory(L);
    return kept;
}

static void *reserve(lua_State *L, struct app *app, size_t count, size_t size)
{
    void *memory = arena_alloc(&app->arena, (count + 1) * size);

    if (memory == NULL)
        raise_no_memory(L);
    return memory;
}

/* A string field of the table on the stack's top; empty if it is not there. It ends with a NUL as well. */
static struct str field(lua_State *L, struct app *app, const char *name)
{
    struct str s = STR_NONE;

    lua_getfield(L, -1, name);
    if (lua_type(L, -1) == LUA_TSTRING)
        s.ptr = lua_tolstring(L, -1, &s.len);
    struct str kept = copy(L, app, (struct str){s.ptr == NULL ? "" : s.ptr, s.len + 1});
    lua_pop(L, 1);
    return (struct str){kept.ptr, s.len};
}

static bool read_flag(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    bool on = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    return on;
}

/* Pushes the list `name` of the description on the stack's top, and returns its length. */
static size_t push_list(lua_State *L, const char *name)
{
    lua_getfield(L, -1, name);
    luaL_checktype(L, -1, LUA_TTABLE);
    return lua_rawlen(L, -1);
}

static enum method read_method(lua_State *L, struct str name)
{
    for (int i = 0; i < METHOD_COUNT; i++)
        if (str_eq(name, method_names[i]))
            return (enum method)i;
    luaL_error(L, "unknown method %s", name.ptr);
    return METHOD_GET;
}

static enum route_mode read_mode(struct str name)
{
    return str_eq(name, STR("write")) ? ROUTE_WRITE : str_eq(name, STR("free")) ? ROUTE_FREE : ROUTE_READ;
}

static void read_routes(lua_State *L, struct app *app)
{
    size_t count = push_list(L, "routes");

    app->routes = reserve(L, app, count, sizeof *app->routes);
    for (size_t i = 0; i < count; i++) {
        struct route *r = &app->routes[i];
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        r->method = read_method(L, field(L, app, "method"));
        r->pattern = field(L, app, "pattern");
        r->mode = read_mode(field(L, app, "mode"));
        r->source = field(L, app, "source");
        r->silent = read_flag(L, "silent");
        if (r->pattern.len == 0)
            app->emit_route = i;
        lua_pop(L, 1);
    }
    app->route_count = count;
    lua_pop(L, 1);
}

static struct str *read_strings(lua_State *L, struct app *app, const char *name, size_t *count)
{
    *count = push_list(L, name);
    struct str *strings = reserve(L, app, *count, sizeof *strings);

    for (size_t i = 0; i < *count; i++) {
        size_t len;
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        const char *text = luaL_checklstring(L, -1, &len);
        strings[i] = copy(L, app, (struct str){text, len});
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return strings;
}

static void read_cors(lua_State *L, struct app *app)
{
    struct cors *cors = &app->cors;

    if (lua_getfield(L, -1, "cors") == LUA_TTABLE) {
        cors->on = true;
        cors->any = read_flag(L, "any");
        cors->credentials = read_flag(L, "credentials");
        cors->origins = read_strings(L, app, "origins", &cors->origin_count);
        cors->max_age = field(L, app, "maxAge");
        cors->headers = field(L, app, "headers");
        cors->exposed = field(L, app, "exposed");
    }
    lua_pop(L, 1);
}

static void read_mounts(lua_State *L, struct app *app)
{
    size_t count = push_list(L, "mounts");

    app->mounts = reserve(L, app, count, sizeof *app->mounts);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        app->mounts[i].prefix = field(L, app, "prefix");
        app->mounts[i].dir = field(L, app, "dir");
        app->mounts[i].fallback = field(L, app, "fallback");
        app->mounts[i].immutable = field(L, app, "immutable");
        app->mounts[i].missing = field(L, app, "missing");
        lua_pop(L, 1);
    }
    app->mount_count = count;
    lua_pop(L, 1);
}

static void read_migrations(lua_State *L, struct app *app)
{
    size_t count = push_list(L, "migrations");

    app->migrations = reserve(L, app, count, sizeof *app->migrations);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        app->migrations[i].name = field(L, app, "name").ptr;
        app->migrations[i].sql = field(L, app, "sql").ptr;
        lua_pop(L, 1);
    }
    app->migration_count = count;
    lua_pop(L, 1);
}

static void read_settings(lua_State *L, struct app *app)
{
    size_t count = push_list(L, "settings");

    app->settings.at = reserve(L, app, count, sizeof *app->settings.at);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        app->settings.at[i].name = field(L, app, "name");
        app->settings.at[i].value = field(L, app, "value");
        lua_pop(L, 1);
    }
    app->settings.count = count;
    lua_pop(L, 1);
}

/* require("pillar.runtime").load(path) runs the script and returns its description. */
static int load_in_lua(lua_State *L)
{
    const struct load *load = lua_touserdata(L, 1);

    script_state_push_runtime(L);
    lua_getfield(L, -1, "load");
    lua_pushstring(L, load->path);
    lua_pushboolean(L, load->whole);
    lua_call(L, 2, 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    read_routes(L, load->app);
    load->app->entities = read_strings(L, load->app, "entities", &load->app->entity_count);
    read_mounts(L, load->app);
    read_migrations(L, load->app);
    read_settings(L, load->app);
    load->app->openapi = field(L, load->app, "openapi");
    read_cors(L, load->app);
    load->app->anonymous = read_flag(L, "anonymous");
    return 0;
}

static int describe_error(lua_State *L)
{
    struct error *e = lua_touserdata(L, 2);

    (void)error_set(e, "script", "%s", luaL_tolstring(L, 1, NULL));
    return 0;
}

static void report(struct script_state *state, struct error *e)
{
    lua_State *L = state->L;

    (void)error_set(e, "script", "the script failed for want of memory");
    lua_pushcfunction(L, describe_error);
    lua_pushvalue(L, -2);
    lua_pushlightuserdata(L, e);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    lua_pop(L, 1);
}

/* What stopped the script, and where if Lua knows. */
static void report_trip(struct script_state *state, const char *path, bool returned, struct error *e)
{
    const char *what = state->trip == TRIP_DEADLINE ? "does not end within --load-deadline"
                                                    : "needs more memory than --script-memory gives it";
    struct error where = {.message = ""};

    if (!returned && state->traceback.len > 0)
        report(state, &where);
    else if (!returned)
        lua_pop(state->L, 1);
    (void)error_set(e, "script", "%s: loading the script %s%s%s%s", path, what, where.message[0] == '\0' ? "" : " (",
                    where.message, where.message[0] == '\0' ? "" : ")");
}

struct app *app_load(struct script_state *state, const char *path, uint64_t deadline_ms, bool whole, struct error *e)
{
    struct app *app = calloc(1, sizeof *app);
    struct error why;

    if (app == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    script_state_arm(state, clock_monotonic_ns() + deadline_ms * 1000000u);
    bool returned = script_state_call(state, load_in_lua, &(struct load){path, app, whole});
    if (state->trip != TRIP_NONE)
        report_trip(state, path, returned, &why);
    else if (!returned)
        report(state, &why);
    else if (app_build_routes(app, &why))
        return app;
    if (e != NULL)
        *e = why;
    app_free(app);
    return NULL;
}

void app_free(struct app *app)
{
    if (app == NULL)
        return;
    arena_free(&app->arena);
    free(app);
}

static bool same_route(const struct route *a, const struct route *b)
{
    return a->method == b->method && a->mode == b->mode && str_eq(a->pattern, b->pattern);
}

const struct route *app_other_route(const struct app *a, const struct app *b)
{
    const struct app *longer = a->route_count >= b->route_count ? a : b;
    const struct app *shorter = longer == a ? b : a;
    size_t i = 0;

    while (i < shorter->route_count && same_route(&longer->routes[i], &shorter->routes[i]))
        i++;
    return i < longer->route_count ? &longer->routes[i] : NULL;
}

bool app_has_entity(const struct app *app, struct str name)
{
    for (size_t i = 0; i < app->entity_count; i++)
        if (str_eq(app->entities[i], name))
            return true;
    return false;
}

const struct mount *app_mount(const struct app *app, const struct request *r, struct str *below)
{
    const struct mount *best = NULL;

    for (size_t i = 0; i < app->mount_count; i++) {
        const struct mount *m = &app->mounts[i];
        bool inside =
            str_starts_with(r->path, m->prefix) && (r->path.len == m->prefix.len || r->path.ptr[m->prefix.len] == '/');
        if (inside && (best == NULL || m->prefix.len > best->prefix.len))
            best = m;
    }
    if (best == NULL)
        return NULL;
    *below = str_from(r->path, best->prefix.len);
    if (below->len > 0)
        *below = str_from(*below, 1);
    return best;
}
