#include "script/state.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/logger.h"
#include "script/core.h"
#include "script/failure.h"
#include "script/stdlib.h"

enum { INSTRUCTIONS = 1000 };

static const char key_runtime;

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
    (void)where;
    if (!script_state_must_stop(script_state_of(L)))
        return;
    if (!lua_isyieldable(L)) {
        (void)script_state_raise_trip(L);
        return;
    }
    /* A coroutine had better be left than die of it: whoever has resumed it raises the error (see stdlib.c). */
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    (void)lua_yield(L, 0);
}

int script_state_raise_trip(lua_State *L)
{
    /* From here on every instruction of this coroutine ends up here, so that a pcall catches the error in vain. */
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);
    return luaL_error(L, script_state_of(L)->trip == TRIP_MEMORY ? "the memory limit of the script was passed"
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

/* --- life --- */

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
    const struct setup *setup = lua_touserdata(L, 1);

    stdlib_open(L, setup->script_dir, setup->library_dir);
    core_open(L);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "pillar.sandbox");
    lua_call(L, 1, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_runtime);
    return 0;
}

struct script_state *script_state_create(size_t memory_limit, const char *script_dir, const char *library_dir,
                                         struct sources *sources, struct error *e)
{
    struct script_state *s = calloc(1, sizeof *s);
    struct setup setup = {script_dir, library_dir};

    if (s == NULL) {
        (void)error_no_memory(e);
        return NULL;
    }
    s->memory_limit = memory_limit;
    s->sources = sources;
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
    buf_free(&s->json);
    free(s);
}

/* --- the gate --- */

void script_state_push_runtime(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_runtime);
}

/* Runs where the error was raised, so that the traceback shows it. The value itself goes on unchanged. */
static int on_error(lua_State *L)
{
    struct script_state *s = script_state_of(L);

    if (failure_is_expected(L, 1))
        return 1;
    const bool mute = lua_type(L, 1) == LUA_TTABLE && luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL;
    const char *text =
        mute ? "error was called with a table, which says nothing here; call it with a string, or pillar.fail"
             : luaL_tolstring(L, 1, NULL);
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
    if (status == LUA_ERRMEM && s->trip == TRIP_NONE)
        s->trip = TRIP_MEMORY; /* refused, or not to be had from the system */
    return status == LUA_OK;
}
