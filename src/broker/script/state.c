#include "script/state.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "script/core.h"
#include "script/failure.h"

enum { INSTRUCTIONS = 1000 };

/* --- memory --- */

/*
 * A refused allocation makes Lua collect garbage and ask once more. So the limit counts as passed when
 * something else than the same request again comes next, or the same request is refused again.
 */
static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
    struct script_state *s = context;
    size_t old = block == NULL ? 0 : old_size; /* for a new block, old_size tells the kind of object */

    if (new_size == 0) {
        s->memory_used -= old;
        free(block);
        return NULL;
    }
    if (new_size > old && new_size - old > s->memory_limit - s->memory_used) {
        if (s->denied == new_size)
            s->trip = TRIP_MEMORY;
        s->denied = new_size;
        return NULL;
    }
    void *moved = realloc(block, new_size);
    if (moved == NULL)
        return NULL;
    if (new_size > old) {
        if (s->denied != 0 && s->denied != new_size)
            s->trip = TRIP_MEMORY;
        s->denied = 0;
    }
    s->memory_used += new_size - old;
    return moved;
}

/* --- running time --- */

struct script_state *script_state_of(lua_State *L)
{
    /* A new coroutine's extra space is a copy of the main thread's. */
    return *(struct script_state **)lua_getextraspace(L);
}

static void on_count(lua_State *L, lua_Debug *where)
{
    struct script_state *s = script_state_of(L);

    (void)where;
    if (!script_state_must_stop(s))
        return;
    /* From here on every instruction of this coroutine ends up here, so that a pcall catches the error in vain. */
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    luaL_error(L, s->trip == TRIP_MEMORY ? "the memory limit of the script was passed"
                                         : "the handler ran past its deadline");
}

bool script_state_must_stop(void *state)
{
    struct script_state *s = state;

    if (s->trip == TRIP_NONE && s->deadline_ns != 0 && clock_monotonic_ns() >= s->deadline_ns)
        s->trip = TRIP_DEADLINE;
    return s->trip != TRIP_NONE;
}

void script_state_arm(struct script_state *s, uint64_t deadline_ns)
{
    s->trip = TRIP_NONE;
    s->denied = 0;
    s->deadline_ns = deadline_ns;
    lua_sethook(s->L, on_count, LUA_MASKCOUNT, INSTRUCTIONS);
}

/* --- the standard library --- */

static void keep_only(lua_State *L, const char *library, const char *const *names)
{
    lua_newtable(L);
    lua_getglobal(L, library);
    for (; *names != NULL; names++) {
        lua_getfield(L, -1, *names);
        lua_setfield(L, -3, *names);
    }
    lua_pop(L, 1);
    /* In place, for the sake of package.loaded. */
    lua_getglobal(L, library);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        lua_pop(L, 1);
        lua_pushvalue(L, -1);
        lua_rawget(L, -4);
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
    lua_pop(L, 2);
}

static int no_exit(lua_State *L)
{
    return luaL_error(L, "os.exit is not available: a script does not end the broker");
}

static void prepend_path(lua_State *L, const char *dir)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", dir, dir, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

/* All calls into Lua go through the gate, so this is a mistake of ours. */
static int on_panic(lua_State *L)
{
    log_error("script", "an error outside of the call gate: %s",
              lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "no message");
    return 0;
}

struct setup {
    const char *script_dir;
    const char *library_dir;
};

static int set_up(lua_State *L)
{
    static const char *const harmless_debug[] = {"traceback", "getinfo", NULL};
    const struct setup *setup = lua_touserdata(L, 1);

    luaL_openlibs(L);
    keep_only(L, "debug", harmless_debug);
    lua_getglobal(L, "os");
    lua_pushcfunction(L, no_exit);
    lua_setfield(L, -2, "exit");
    lua_pop(L, 1);
    prepend_path(L, setup->library_dir);
    prepend_path(L, setup->script_dir);
    core_open(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "pillar.sandbox");
    lua_call(L, 1, 0);
    return 0;
}

struct script_state *script_state_create(size_t memory_limit, const char *script_dir, const char *library_dir,
                                         struct error *e)
{
    struct script_state *s = calloc(1, sizeof *s);
    struct setup setup = {script_dir, library_dir};

    if (s == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    s->memory_limit = memory_limit;
    s->L = lua_newstate(allocate, s);
    if (s->L == NULL) {
        (void)error_no_memory(e);
        free(s);
        return NULL;
    }
    lua_atpanic(s->L, on_panic);
    *(struct script_state **)lua_getextraspace(s->L) = s;
    script_state_arm(s, 0);
    if (!script_state_call(s, set_up, &setup)) {
        const char *message = lua_type(s->L, -1) == LUA_TSTRING ? lua_tostring(s->L, -1) : "out of memory";
        (void)error_set(e, "script", "cannot set up the script library: %s", message);
        script_state_free(s);
        return NULL;
    }
    return s;
}

void script_state_free(struct script_state *s)
{
    if (s == NULL)
        return;
    script_state_arm(s, 0);
    lua_close(s->L);
    buf_free(&s->traceback);
    buf_free(&s->scratch);
    free(s);
}

/* --- the gate --- */

/* Runs where the error was raised, so that the traceback shows it. The value itself goes on unchanged. */
static int on_error(lua_State *L)
{
    struct script_state *s = script_state_of(L);

    if (failure_is_expected(L, 1))
        return 1;
    const char *text = luaL_tolstring(L, 1, NULL);
    luaL_traceback(L, L, text, 1);
    size_t len;
    const char *traceback = lua_tolstring(L, -1, &len);
    buf_free(&s->traceback);
    buf_append(&s->traceback, traceback, len);
    lua_settop(L, 1);
    return 1;
}

bool script_state_call(struct script_state *s, lua_CFunction function, void *argument)
{
    lua_State *L = s->L;
    int top = lua_gettop(L);

    buf_free(&s->traceback);
    lua_pushcfunction(L, on_error);
    lua_pushcfunction(L, function);
    lua_pushlightuserdata(L, argument);
    int status = lua_pcall(L, 1, 0, top + 1);
    lua_remove(L, top + 1);
    return status == LUA_OK;
}
