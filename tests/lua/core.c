/*
 * The C side of the script library as a module for a plain Lua interpreter, so that busted can test what lua/pillar/
 * builds on it. There is no worker behind it: what needs a handler says so.
 */
#include <lauxlib.h>
#include <string.h>

#include "base/secrets.h"
#include "script/core.h"
#include "script/state.h"

__attribute__((visibility("default"))) int luaopen_pillar_core(lua_State *L);

struct fake {
    struct script_state state;
    struct secrets secrets;
    struct buf list;
};

static int release(lua_State *L)
{
    struct fake *fake = lua_touserdata(L, 1);

    buf_free(&fake->state.traceback);
    buf_free(&fake->state.scratch);
    buf_free(&fake->state.json);
    buf_free(&fake->list);
    return 0;
}

/* use_secrets(list): what option secret would have been; none at first. */
static int use_secrets(lua_State *L)
{
    struct fake *fake = (struct fake *)script_state_of(L);
    const char *problem = "out of memory";

    fake->secrets.count = 0;
    buf_free(&fake->list);
    buf_append_str(&fake->list, str_of(luaL_checkstring(L, 1)));
    if (fake->list.failed || !secrets_read(&fake->secrets, buf_str(&fake->list), &problem))
        return luaL_error(L, "%s", problem);
    return 0;
}

int luaopen_pillar_core(lua_State *L)
{
    struct fake *fake = lua_newuserdatauv(L, sizeof *fake, 0);

    memset(fake, 0, sizeof *fake);
    fake->state.L = L;
    fake->state.secrets = &fake->secrets;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, release);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, fake);
    *(struct script_state **)lua_getextraspace(L) = &fake->state;
    core_open(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "pillar.core");
    lua_pushcfunction(L, use_secrets);
    lua_setfield(L, -2, "use_secrets");
    return 1;
}
