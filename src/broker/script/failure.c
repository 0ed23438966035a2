#include "script/failure.h"

#include <lauxlib.h>
#include <stdio.h>

#include "script/stdlib.h"

static const char metatable[] = "pillar.failure";

/* For logs: what really happened. */
static int failure_to_string(lua_State *L)
{
    if (lua_getfield(L, 1, "detail") != LUA_TSTRING && lua_getfield(L, 1, "message") != LUA_TSTRING)
        lua_pushliteral(L, "failure");
    return 1;
}

/* What the client is told. What a database says of an error names tables and columns, and stays in `detail`. */
struct meaning {
    const char *code;
    int status;
    const char *message; /* NULL: the error's own, which is made for clients; %s stands for the field */
};

static const struct meaning *meaning_of(const char *code)
{
    static const struct meaning meanings[] = {
        {"unique", 409, "%s is taken already"},
        {"foreign_key", 409, "it refers to something that does not exist, or is still referred to"},
        {"not_null", 400, "%s is missing"},
        {"check", 400, "a value is out of range"},
        {"invalid_field", 400, NULL},
        {"invalid_json", 400, NULL},
        {"busy", 503, "the server cannot do this right now"},
        {"unavailable", 503, "the server cannot do this right now"},
        {"out_of_memory", 503, "the server cannot do this right now"},
        {"", 500, "the server made a mistake"},
    };
    size_t i = 0;

    while (meanings[i].code[0] != '\0' && strcmp(code, meanings[i].code) != 0)
        i++;
    return &meanings[i];
}

static void set_string(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value);
    lua_setfield(L, -2, name);
}

void failure_push(lua_State *L, const struct error *e)
{
    const struct meaning *m = meaning_of(e->code);
    char message[ERROR_MESSAGE_MAX];

    if (strcmp(e->code, "unique") == 0 && strchr(e->field, ',') != NULL)
        snprintf(message, sizeof message, "%s: this combination is taken already", e->field);
    else if (m->message == NULL)
        snprintf(message, sizeof message, "%s", e->message);
    else if (strncmp(m->message, "%s", 2) == 0)
        snprintf(message, sizeof message, "%s%s", e->field[0] == '\0' ? "this" : e->field, m->message + 2);
    else
        snprintf(message, sizeof message, "%s", m->message);
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, m->status);
    lua_setfield(L, -2, "status");
    set_string(L, "code", e->code);
    set_string(L, "message", message);
    set_string(L, "detail", e->message);
    if (e->field[0] != '\0')
        set_string(L, "field", e->field);
    luaL_setmetatable(L, metatable);
}

int failure_raise(lua_State *L, const struct error *e)
{
    failure_push(L, e);
    return lua_error(L);
}

static bool is_failure(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, metatable);
    bool same = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    return same;
}

/* 0 for what is no failure; may raise for want of memory. */
static int read_status(lua_State *L, int index)
{
    if (!is_failure(L, index))
        return 0;
    lua_getfield(L, index, "status");
    lua_Integer status = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
    lua_pop(L, 1);
    return status >= 400 && status <= 599 ? (int)status : 500;
}

bool failure_is_expected(lua_State *L, int index)
{
    int status = read_status(L, index);

    return status > 0 && status < 500;
}

struct answer {
    int status;
    char code[64];
    char message[ERROR_MESSAGE_MAX];
    char field[128];
};

/* Copies a string field; a field that is missing or no string leaves what is there. */
static void copy_field(lua_State *L, const char *name, char *out, size_t size)
{
    if (lua_getfield(L, 1, name) == LUA_TSTRING)
        snprintf(out, size, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
}

static int read_answer(lua_State *L)
{
    struct answer *a = lua_touserdata(L, 2);
    int status = read_status(L, 1);

    if (status == 0 || status == 500)
        return 0;
    a->status = status;
    copy_field(L, "code", a->code, sizeof a->code);
    copy_field(L, "message", a->message, sizeof a->message);
    copy_field(L, "field", a->field, sizeof a->field);
    return 0;
}

void failure_respond(lua_State *L, int index, struct exchange *ex)
{
    struct answer a = {.status = 500, .code = "internal", .message = "the server made a mistake"};
    int value = lua_absindex(L, index);

    lua_pushcfunction(L, read_answer);
    lua_pushvalue(L, value);
    lua_pushlightuserdata(L, &a);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK)
        lua_pop(L, 1);
    response_set_error(ex, a.status, a.code, a.message, a.field);
    if (a.status == 503)
        (void)response_add_header(ex, STR("Retry-After"), STR("1"), NULL);
}

/* --- for lua/pillar/failure.lua --- */

/* failure(fields): makes the table a failure. */
static int make_failure(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_setmetatable(L, metatable);
    return 1;
}

static int push_is_failure(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, is_failure(L, 1));
    return 1;
}

void failure_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"failure", make_failure}, {"is_failure", push_is_failure}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, metatable);
    stdlib_protect_metatable(L);
    lua_pushcfunction(L, failure_to_string);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}
