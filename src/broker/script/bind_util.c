/* Small things that scripts need and Lua lacks: time, unpredictable ids, the log. */
#include <lauxlib.h>

#include "base/clock.h"
#include "base/logger.h"
#include "base/random.h"
#include "base/str.h"
#include "base/utf8.h"
#include "script/core.h"
#include "script/failure.h"
#include "script/job.h"
#include "script/state.h"

enum { RANDOM_BYTES_MAX = 1024 };

/* now(): milliseconds since 1970. */
static int util_now(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)clock_wall_ms());
    return 1;
}

static int util_uuid(lua_State *L)
{
    char text[37];

    random_uuid7(text, clock_wall_ms());
    lua_pushlstring(L, text, 36);
    return 1;
}

/* random_hex(bytes): twice as many hex digits. */
static int util_random_hex(lua_State *L)
{
    char text[2 * RANDOM_BYTES_MAX + 1];
    lua_Integer bytes = luaL_checkinteger(L, 1);

    luaL_argcheck(L, bytes >= 1 && bytes <= RANDOM_BYTES_MAX, 1, "1 to 1024 bytes");
    random_hex(text, (size_t)bytes);
    lua_pushlstring(L, text, (size_t)bytes * 2);
    return 1;
}

static int util_secret_equal(lua_State *L)
{
    struct str a;
    struct str b;

    a.ptr = luaL_checklstring(L, 1, &a.len);
    b.ptr = luaL_checklstring(L, 2, &b.len);
    lua_pushboolean(L, str_eq_secret(a, b));
    return 1;
}

static int util_valid_utf8(lua_State *L)
{
    struct str s;

    s.ptr = luaL_checklstring(L, 1, &s.len);
    lua_pushboolean(L, utf8_valid(s));
    return 1;
}

/* valid_user_id(text): may a user be named so? */
static int util_valid_user_id(lua_State *L)
{
    struct str s;

    s.ptr = luaL_checklstring(L, 1, &s.len);
    lua_pushboolean(L, event_id_valid(s));
    return 1;
}

/* log(level, message) */
static int util_log(lua_State *L)
{
    static const char *const names[] = {"debug", "info", "warn", "error", NULL};
    const struct job *job = script_state_of(L)->job;
    int level = luaL_checkoption(L, 1, NULL, names);
    const char *message = luaL_checkstring(L, 2);

    if (job != NULL && job->ex != NULL)
        logger_write((enum log_level)level, "app", "%.*s %s", STR_ARG(job->ex->request.id), message);
    else
        logger_write((enum log_level)level, "app", "%s", message);
    return 0;
}

/* identify(id, expires): the request's user is this one, until `expires` (milliseconds since 1970; 0: for ever). */
static int util_identify(lua_State *L)
{
    struct job *job = script_state_of(L)->job;
    struct str id;

    id.ptr = luaL_checklstring(L, 1, &id.len);
    lua_Integer expires = luaL_checkinteger(L, 2);
    if (job == NULL || job->ex == NULL)
        return luaL_error(L, "there is no request");
    if (!event_id_valid(id))
        return luaL_error(
            L, "authenticate must return a user whose id is 1 to %d bytes of UTF-8 without control characters",
            EVENT_ID_MAX);
    job->user_id = arena_copy(&job->ex->arena, id);
    if (job->user_id.ptr == NULL)
        return luaL_error(L, "out of memory");
    job->ex->user_id = job->user_id;
    job->ex->user_expires_ms = (uint64_t)expires;
    return 0;
}

void bind_util_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"now", util_now},
                                         {"uuid", util_uuid},
                                         {"random_hex", util_random_hex},
                                         {"secret_equal", util_secret_equal},
                                         {"valid_utf8", util_valid_utf8},
                                         {"valid_user_id", util_valid_user_id},
                                         {"log", util_log},
                                         {"identify", util_identify},
                                         {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    lua_pushliteral(L, PILLAR_VERSION);
    lua_setfield(L, -2, "version");
}
