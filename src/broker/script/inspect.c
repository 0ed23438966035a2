#include "script/inspect.h"

#include <lauxlib.h>

#include "base/clock.h"
#include "script/state.h"

/* { own = the paths that the broker answers by itself, emit and explain = with a key, these too } */
static void push_paths(lua_State *L, const struct inspection *i)
{
    lua_createtable(L, 0, 3);
    lua_newtable(L);
    for (lua_Integer n = 0; i->own_paths[n] != NULL; n++) {
        lua_pushstring(L, i->own_paths[n]);
        lua_rawseti(L, -2, n + 1);
    }
    lua_setfield(L, -2, "own");
    lua_pushstring(L, i->emit_path);
    lua_setfield(L, -2, "emit");
    lua_pushfstring(L, "%s%s", i->events_path, i->explain_below);
    lua_setfield(L, -2, "explain");
}

/* runtime.inspect(path, paths) loads the script and returns lines, and how many findings are among them. */
static int inspect_in_lua(lua_State *L)
{
    struct inspection *i = lua_touserdata(L, 1);

    script_state_push_runtime(L);
    lua_getfield(L, -1, "inspect");
    lua_pushstring(L, i->script);
    push_paths(L, i);
    lua_call(L, 2, 2);
    i->findings = (size_t)luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    for (lua_Integer n = 1; lua_rawgeti(L, -1, n) == LUA_TSTRING; n++) {
        i->print(i->context, lua_tostring(L, -1));
        lua_pop(L, 1);
    }
    return 0;
}

bool script_inspect(struct script_state *state, uint64_t deadline_ms, struct inspection *i, struct error *e)
{
    script_state_arm(state, clock_monotonic_ns() + deadline_ms * 1000000u);
    if (script_state_call(state, inspect_in_lua, i))
        return true;
    return error_set(e, "script", "%s: it cannot be looked at: %s", i->script,
                     lua_type(state->L, -1) == LUA_TSTRING ? lua_tostring(state->L, -1) : "it ran out of memory");
}
