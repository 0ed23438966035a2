/*
 * The reading half of pillar.json: lua-cjson parses, and what it would lose is carried around it. json_encode.c writes.
 *
 * json_scan refuses what is not strict JSON and rewrites empty lists and large integers as strings that begin with a marker,
 * drawn at random for each state. After lua-cjson has parsed, a walk turns those back, turns integral floats into integers,
 * and marks lists as lists.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "script/core.h"
#include "script/failure.h"
#include "script/state.h"
#include "script/stdlib.h"

enum { MARKER_RANDOM = 16, SCRATCH_KEPT = 64 * 1024 };

/* Keys of the registry, by address. */
static const char key_marker;
static const char key_decode;
static const char key_row;
static const char list_type[] = "pillar.list";

static struct str marker(lua_State *L)
{
    size_t len;

    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_marker);
    const char *text = lua_tolstring(L, -1, &len);
    lua_pop(L, 1); /* the registry keeps it alive */
    return (struct str){text, len};
}

static struct str string_at(lua_State *L, int index)
{
    size_t len;
    const char *text = lua_tolstring(L, index, &len);

    return (struct str){text, len};
}

bool is_null(lua_State *L, int index)
{
    return lua_type(L, index) == LUA_TLIGHTUSERDATA && lua_touserdata(L, index) == NULL;
}

void json_set_list(lua_State *L, int index)
{
    int at = lua_absindex(L, index);

    luaL_getmetatable(L, list_type);
    lua_setmetatable(L, at);
}

bool json_is_list_at(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, list_type);
    bool same = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    return same;
}

void json_mark_row_type(lua_State *L)
{
    lua_pushboolean(L, 1);
    lua_rawsetp(L, -2, &key_row);
    stdlib_protect_metatable(L);
}

bool json_push_row_type(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    lua_rawgetp(L, -1, &key_row);
    bool row = lua_toboolean(L, -1) != 0;
    lua_pop(L, row ? 1 : 2);
    return row;
}

static int json_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    json_push_encoded(L, 1);
    return 1;
}

/* --- decoding --- */

static void restore_table(lua_State *L, int index);

/* The value on the stack's top becomes what the text said. Returns true when it is another one now. */
static bool restore(lua_State *L, struct str m)
{
    int top = lua_gettop(L);

    if (lua_type(L, top) == LUA_TNUMBER) {
        double d = lua_tonumber(L, top);
        if (!isfinite(d))
            (void)failure_raise(L, &(struct error){"invalid_json", "", "not JSON: a number out of range"});
        if (d != floor(d) || fabs(d) > 9007199254740992.0)
            return false;
        lua_pushinteger(L, (lua_Integer)d);
        lua_replace(L, top);
        return true;
    }
    if (lua_type(L, top) == LUA_TTABLE) {
        restore_table(L, top);
        return false;
    }
    if (lua_type(L, top) != LUA_TSTRING || !str_starts_with(string_at(L, top), m))
        return false;
    struct str rest = str_from(string_at(L, top), m.len);
    if (str_eq(rest, STR("[]"))) {
        lua_newtable(L);
        json_set_list(L, -1);
    } else {
        lua_pushinteger(L, (lua_Integer)strtoll(rest.ptr, NULL, 10));
    }
    lua_replace(L, top);
    return true;
}

static void restore_table(lua_State *L, int index)
{
    struct str m = marker(L);

    luaL_checkstack(L, 8, "JSON");
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        if (restore(L, m)) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, index); /* an existing key: allowed during the walk */
        } else {
            lua_pop(L, 1);
        }
    }
    /* An object of lua-cjson's has string keys only. */
    if (lua_rawlen(L, index) > 0)
        json_set_list(L, index);
}

static int json_decode(lua_State *L)
{
    struct buf *rewritten = &script_state_of(L)->scratch; /* the state's, so that an error raised here leaks nothing */
    struct error e;

    luaL_checktype(L, 1, LUA_TSTRING);
    lua_settop(L, 1);
    rewritten->len = 0;
    if (!json_scan(string_at(L, 1), marker(L), rewritten, &e)) {
        buf_free(rewritten);
        return failure_raise(L, &e);
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_decode);
    if (rewritten->len > 0)
        lua_pushlstring(L, rewritten->data, rewritten->len);
    else
        lua_pushvalue(L, 1);
    if (rewritten->cap > SCRATCH_KEPT)
        buf_free(rewritten);
    lua_call(L, 1, 1);
    (void)restore(L, marker(L));
    return 1;
}

static int json_list(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    json_set_list(L, 1);
    return 1;
}

static int json_is_list(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, json_is_list_at(L, 1));
    return 1;
}

/* --- set-up --- */

void bind_json_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"json_encode", json_encode},
                                         {"json_decode", json_decode},
                                         {"list", json_list},
                                         {"is_list", json_is_list},
                                         {NULL, NULL}};
    char random[2 * MARKER_RANDOM + 1];

    luaL_newmetatable(L, list_type);
    stdlib_protect_metatable(L);
    lua_pop(L, 1);
    random_hex(random, MARKER_RANDOM);
    lua_pushfstring(L, "pillar-%s-", random);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_marker);
    /* An instance of its own: a script that configures lua-cjson does not configure ours. */
    lua_getglobal(L, "require");
    lua_pushliteral(L, "cjson");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "new");
    lua_call(L, 0, 1);
    lua_getfield(L, -1, "decode");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_decode);
    lua_pop(L, 2);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
}
