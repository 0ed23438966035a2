/*
 * The request as a handler sees it: a table whose common fields are there at once, and whose headers, query,
 * cookies and body are made when they are first asked for.
 *
 * The exchange is gone once the handler has returned, but a script may have kept the request. So the table
 * holds a box, and the box is emptied.
 */
#include <lauxlib.h>

#include "base/exchange.h"
#include "script/core.h"
#include "script/job.h"
#include "script/state.h"
#include "script/stdlib.h"

static const char request_type[] = "pillar.request";
static const char headers_type[] = "pillar.headers";
static const char key_box;
static const char key_current; /* of the registry: the box of the request that is being handled */

struct box {
    struct exchange *ex; /* NULL once severed */
};

static void push_str(lua_State *L, struct str s)
{
    lua_pushlstring(L, s.len == 0 ? "" : s.ptr, s.len);
}

/* Of several pairs with one name the first one counts, and req:queryAll gives all. */
static void push_pairs(lua_State *L, const struct pairs *p)
{
    lua_createtable(L, 0, (int)p->count);
    for (size_t i = p->count; i > 0; i--) {
        push_str(L, p->at[i - 1].name);
        push_str(L, p->at[i - 1].value);
        lua_rawset(L, -3);
    }
}

/* Fields of one name are one list, joined by commas (RFC 9110 section 5.3). */
static void push_headers(lua_State *L, const struct pairs *headers)
{
    lua_createtable(L, 0, (int)headers->count);
    for (size_t i = 0; i < headers->count; i++) {
        push_str(L, headers->at[i].name);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) == LUA_TNIL) {
            lua_pop(L, 1);
            push_str(L, headers->at[i].value);
        } else {
            lua_pushstring(L, str_eq(headers->at[i].name, STR("cookie")) ? "; " : ", ");
            push_str(L, headers->at[i].value);
            lua_concat(L, 3);
        }
        lua_rawset(L, -3);
    }
    luaL_setmetatable(L, headers_type);
}

/* headers["Content-Type"] finds "content-type". */
static int headers_index(lua_State *L)
{
    size_t len;
    luaL_Buffer lower;

    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    const char *name = lua_tolstring(L, 2, &len);
    luaL_buffinitsize(L, &lower, len);
    for (size_t i = 0; i < len; i++)
        luaL_addchar(&lower, ascii_lower(name[i]));
    luaL_pushresult(&lower);
    lua_rawget(L, 1);
    return 1;
}

static struct str unquote(struct str value)
{
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        return (struct str){value.ptr + 1, value.len - 2};
    return value;
}

/* RFC 6265 section 4.2.1. The first cookie of a name counts: browsers send the most specific path first. */
static void push_cookies(lua_State *L, const struct pairs *headers)
{
    lua_newtable(L);
    for (size_t i = 0; i < headers->count; i++) {
        struct str rest = headers->at[i].value;
        struct str part;
        if (!str_eq(headers->at[i].name, STR("cookie")))
            continue;
        while (str_split(&rest, ';', &part)) {
            struct str name;
            (void)str_split(&part, '=', &name);
            name = str_trim(name);
            if (name.len == 0 || part.ptr == NULL)
                continue;
            push_str(L, name);
            lua_pushvalue(L, -1);
            if (lua_rawget(L, -3) != LUA_TNIL) {
                lua_pop(L, 2);
                continue;
            }
            lua_pop(L, 1);
            push_str(L, unquote(str_trim(part)));
            lua_rawset(L, -3);
        }
    }
}

static struct exchange *boxed(lua_State *L, int index)
{
    lua_rawgetp(L, index, &key_box);
    const struct box *box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return box == NULL ? NULL : box->ex;
}

/* Pushes a part that is made on demand; returns false, and pushes nothing, for any other name. */
static bool push_part(lua_State *L, const struct request *r, struct str name)
{
    if (str_eq(name, STR("headers")))
        push_headers(L, &r->headers);
    else if (str_eq(name, STR("query")))
        push_pairs(L, &r->query);
    else if (str_eq(name, STR("cookies")))
        push_cookies(L, &r->headers);
    else if (str_eq(name, STR("body")))
        push_str(L, r->body);
    else
        return false;
    return true;
}

/* req.<name>; upvalue 1 is the table of methods. */
static int request_index(lua_State *L)
{
    size_t len;

    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(1)) != LUA_TNIL)
        return 1;
    lua_pop(L, 1);
    const struct exchange *ex = boxed(L, 1);
    const char *name = lua_tolstring(L, 2, &len);
    if (ex == NULL || !push_part(L, &ex->request, (struct str){name, len}))
        return 0;
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 1);
    return 1;
}

/* req:queryAll(name): every value of a parameter. */
static int request_query_all(lua_State *L)
{
    size_t len;

    luaL_checktype(L, 1, LUA_TTABLE);
    const char *name = luaL_checklstring(L, 2, &len);
    const struct exchange *ex = boxed(L, 1);
    lua_newtable(L);
    json_set_list(L, -1);
    if (ex == NULL)
        return 1;
    lua_Integer n = 0;
    for (size_t i = 0; i < ex->request.query.count; i++) {
        if (!str_eq(ex->request.query.at[i].name, (struct str){name, len}))
            continue;
        push_str(L, ex->request.query.at[i].value);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static void set_str(lua_State *L, const char *name, struct str value)
{
    push_str(L, value);
    lua_setfield(L, -2, name);
}

void request_push(lua_State *L, struct exchange *ex)
{
    const struct request *r = &ex->request;
    struct str session = pairs_get(&r->headers, STR("x-session-id"));

    lua_createtable(L, 0, 12);
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->ex = ex;
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_current);
    lua_rawsetp(L, -2, &key_box);
    set_str(L, "method", method_names[r->method]);
    set_str(L, "path", r->path);
    set_str(L, "id", r->id);
    set_str(L, "remoteAddress", r->remote_address);
    if (session.len > 0)
        set_str(L, "sessionId", session);
    push_pairs(L, &r->params);
    lua_setfield(L, -2, "params");
    luaL_setmetatable(L, request_type);
}

void request_sever(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_current);
    struct box *box = lua_touserdata(L, -1);
    if (box != NULL)
        box->ex = NULL;
    lua_pop(L, 1);
}

void bind_request_open(lua_State *L)
{
    luaL_newmetatable(L, headers_type);
    stdlib_protect_metatable(L);
    lua_pushcfunction(L, headers_index);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);

    luaL_newmetatable(L, request_type);
    stdlib_protect_metatable(L);
    lua_newtable(L); /* the methods; lua/pillar/request.lua adds more */
    lua_pushcfunction(L, request_query_all);
    lua_setfield(L, -2, "queryAll");
    lua_pushvalue(L, -1);
    lua_setfield(L, -4, "request_methods");
    lua_pushcclosure(L, request_index, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
