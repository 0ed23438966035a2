/*
 * A passed limit is raised as an error by the hook that counts instructions. Lua runs some code with hooks off: message
 * handlers and the closing of a coroutine, when the error came from the hook, and finalizers always. A loop there would
 * never end. So once a limit was passed, message handlers are not called and coroutines not closed, and scripts have no
 * finalizers.
 */
#include "script/stdlib.h"

#include <lauxlib.h>
#include <lualib.h>

#include "script/state.h"

static bool tripped(lua_State *L)
{
    return script_state_of(L)->trip != TRIP_NONE;
}

/* --- xpcall --- */

static int call_message_handler(lua_State *L)
{
    if (tripped(L))
        return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 1, 1);
    return 1;
}

static int finish_xpcall(lua_State *L, int status, lua_KContext context)
{
    (void)context;
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L) - 1;
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
}

/* xpcall(f, handler, ...) */
static int stdlib_xpcall(lua_State *L)
{
    int arguments = lua_gettop(L) - 2;

    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, call_message_handler, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    lua_remove(L, 1); /* handler, true, f, ... */
    return finish_xpcall(L, lua_pcallk(L, arguments, LUA_MULTRET, 1, 0, finish_xpcall), 0);
}

/* --- coroutines --- */

static lua_State *thread_at(lua_State *L, int index)
{
    lua_State *thread = lua_tothread(L, index);

    luaL_argexpected(L, thread != NULL, index, "coroutine");
    return thread;
}

/* Returns the number of results, which are on L's stack, or -1 with the error value there. */
static int resume(lua_State *L, lua_State *thread, int arguments)
{
    int results = 0;

    if (!lua_checkstack(thread, arguments)) {
        lua_pushliteral(L, "too many arguments to resume");
        return -1;
    }
    lua_xmove(L, thread, arguments);
    int status = lua_resume(thread, L, arguments, &results);
    bool died = status != LUA_OK && status != LUA_YIELD;
    if (tripped(L)) {
        if (died)
            script_state_of(L)->spoiled = true; /* its hooks are off for good, and somebody may close it one day */
        return script_state_raise_trip(L);
    }
    if (died) {
        lua_xmove(thread, L, 1);
        return -1;
    }
    if (!lua_checkstack(L, results + 1)) {
        lua_pop(thread, results);
        lua_pushliteral(L, "too many results to resume");
        return -1;
    }
    lua_xmove(thread, L, results);
    return results;
}

static int stdlib_resume(lua_State *L)
{
    int results = resume(L, thread_at(L, 1), lua_gettop(L) - 1);

    lua_pushboolean(L, results >= 0);
    results = results < 0 ? 1 : results;
    lua_insert(L, -(results + 1));
    return results + 1;
}

static int call_wrapped(lua_State *L)
{
    lua_State *thread = lua_tothread(L, lua_upvalueindex(1));
    int results = resume(L, thread, lua_gettop(L));

    if (results >= 0)
        return results;
    int status = lua_status(thread);
    if (status != LUA_OK && status != LUA_YIELD) {
        (void)lua_resetthread(thread);
        if (tripped(L))
            return script_state_raise_trip(L);
        lua_xmove(thread, L, 1); /* the error, or that of a __close */
    }
    if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
        luaL_where(L, 1);
        lua_insert(L, -2);
        lua_concat(L, 2);
    }
    return lua_error(L);
}

static int stdlib_wrap(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_State *thread = lua_newthread(L);
    lua_pushvalue(L, 1);
    lua_xmove(L, thread, 1);
    lua_pushcclosure(L, call_wrapped, 1);
    return 1;
}

static bool is_suspended_or_dead(lua_State *L, lua_State *thread)
{
    lua_Debug frame;

    if (thread == L)
        return false;
    return lua_status(thread) != LUA_OK || lua_getstack(thread, 0, &frame) == 0;
}

static int stdlib_close(lua_State *L)
{
    lua_State *thread = thread_at(L, 1);

    if (tripped(L))
        return script_state_raise_trip(L);
    if (!is_suspended_or_dead(L, thread))
        return luaL_error(L, "cannot close a running coroutine");
    int status = lua_resetthread(thread);
    if (tripped(L))
        return script_state_raise_trip(L);
    lua_pushboolean(L, status == LUA_OK);
    if (status == LUA_OK)
        return 1;
    lua_xmove(thread, L, 1);
    return 2;
}

/* --- finalizers --- */

void stdlib_protect_metatable(lua_State *L)
{
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
}

static int stdlib_setmetatable(lua_State *L)
{
    int type = lua_type(L, 2);

    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "__gc is not available: no deadline ends a finalizer; use a <close> variable");
    }
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

/* --- the rest --- */

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

static void set_function(lua_State *L, const char *library, const char *name, lua_CFunction function)
{
    lua_getglobal(L, library);
    if (function == NULL)
        lua_pushnil(L);
    else
        lua_pushcfunction(L, function);
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
}

static void prepend_path(lua_State *L, const char *dir)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "path");
    lua_pushfstring(L, "%s/?.lua;%s/?/init.lua;%s", dir, dir, lua_tostring(L, -1));
    lua_setfield(L, -3, "path");
    lua_pop(L, 2);
}

void stdlib_open(lua_State *L, const char *script_dir, const char *library_dir)
{
    static const char *const harmless_debug[] = {"traceback", "getinfo", NULL};

    luaL_openlibs(L);
    keep_only(L, "debug", harmless_debug);
    set_function(L, "os", "exit", no_exit);
    set_function(L, "package", "loadlib", NULL);
    set_function(L, "_G", "xpcall", stdlib_xpcall);
    set_function(L, "_G", "setmetatable", stdlib_setmetatable);
    set_function(L, "coroutine", "resume", stdlib_resume);
    set_function(L, "coroutine", "wrap", stdlib_wrap);
    set_function(L, "coroutine", "close", stdlib_close);
    luaL_getmetatable(L, LUA_FILEHANDLE);
    stdlib_protect_metatable(L); /* it has a finalizer, which may stay what it is */
    lua_pop(L, 1);
    prepend_path(L, library_dir);
    prepend_path(L, script_dir);
}
