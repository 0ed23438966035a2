/*
 * The C side of the script library as a module for a plain Lua interpreter, so that busted can test what lua/pillar/
 * builds on it. There is no worker behind it: what needs a handler says so.
 */
#include <lauxlib.h>
#include <string.h>

#include "script/core.h"
#include "script/state.h"

__attribute__((visibility("default"))) int luaopen_pillar_core(lua_State *L);

static int release(lua_State *L)
{
    struct script_state *s = lua_touserdata(L, 1);

    buf_free(&s->traceback);
    buf_free(&s->scratch);
    return 0;
}

int luaopen_pillar_core(lua_State *L)
{
    struct script_state *s = lua_newuserdatauv(L, sizeof *s, 0);

    memset(s, 0, sizeof *s);
    s->L = L;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, release);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, s);
    *(struct script_state **)lua_getextraspace(L) = s;
    core_open(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "pillar.core");
    return 1;
}
