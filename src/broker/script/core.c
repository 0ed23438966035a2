#include "script/core.h"

#include <lauxlib.h>

#include "script/failure.h"

void core_open(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_newtable(L);
    failure_open(L);
    bind_json_open(L);
    bind_db_open(L);
    bind_emit_open(L);
    bind_request_open(L);
    bind_source_open(L);
    bind_util_open(L);
    bind_crypto_open(L);
    lua_setfield(L, -2, "pillar.core");
    lua_pop(L, 1);
}
