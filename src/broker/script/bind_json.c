/*
 * pillar.json's work: lua-cjson parses and prints, and what it would lose is carried around it.
 *
 * Decoding: json_scan refuses what is not strict JSON and rewrites empty lists and large integers as strings
 * that begin with a marker, drawn at random for each state. After lua-cjson has parsed, a walk turns those
 * back, turns integral floats into integers, and marks lists as lists.
 *
 * Encoding: a walk checks everything and finds what lua-cjson would print wrongly (empty lists, integers and
 * floats of more than 14 digits, the NULL columns of rows); only a table with such a thing in it is copied,
 * with marked strings in their place, which are unquoted in the text.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/random.h"
#include "base/utf8.h"
#include "script/core.h"
#include "script/failure.h"
#include "script/state.h"
#include "script/stdlib.h"

enum { MARKER_RANDOM = 16, CJSON_DIGITS_MAX = 14, SCRATCH_KEPT = 64 * 1024 };

/* lua-cjson prints keys that are numbers with this many digits. */
static const lua_Integer INTEGER_KEY_MAX = 99999999999999;

/* Keys of the registry, by address. */
static const char key_marker;
static const char key_encode;
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

static bool has_list_type(lua_State *L, int index)
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

/* Pushes the metatable of a row and returns true; or pushes nothing. */
static bool push_row_type(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    lua_rawgetp(L, -1, &key_row);
    bool row = lua_toboolean(L, -1) != 0;
    lua_pop(L, row ? 1 : 2);
    return row;
}

/* --- encoding: where we are, for messages --- */

struct place {
    const struct place *above; /* NULL at the top */
    const char *name;          /* a key, or NULL for a list's element */
    lua_Integer index;
};

static void append_place(struct buf *out, const struct place *p)
{
    if (p == NULL)
        return;
    append_place(out, p->above);
    if (p->name == NULL)
        buf_printf(out, "[%lld]", (long long)p->index);
    else
        buf_printf(out, "%s%s", out->len == 0 ? "" : ".", p->name);
}

static int refuse_value(lua_State *L, const struct place *p, const char *what)
{
    struct buf path = BUF_EMPTY;
    char text[256];

    append_place(&path, p);
    snprintf(text, sizeof text, "%.*s", path.failed ? 0 : STR_ARG(buf_str(&path)));
    buf_free(&path);
    if (text[0] == '\0')
        return luaL_error(L, "cannot encode as JSON: %s", what);
    return luaL_error(L, "cannot encode as JSON: %s is %s", text, what);
}

/*
 * lua-cjson's memory is not Lua's, and nothing interrupts it, so the text's size is bounded before it is asked. It
 * makes room for a string as if each of its bytes were to be escaped.
 */
static void count_bytes(lua_State *L, const struct place *p, size_t bytes)
{
    struct script_state *s = script_state_of(L);

    s->json_bytes += bytes;
    if (s->memory_limit > 0 && (s->json_bytes > s->memory_limit || bytes * 6 > 2 * s->memory_limit))
        (void)refuse_value(L, p, "a value too large for JSON (--script-memory)");
}

/* --- encoding: the walk --- */

static bool replace(lua_State *L, int index, const struct place *p, int depth);

static void push_marked(lua_State *L, const char *text)
{
    struct str m = marker(L);

    lua_pushlstring(L, m.ptr, m.len);
    lua_pushstring(L, text);
    lua_concat(L, 2);
}

static bool replace_number(lua_State *L, int index, const struct place *p)
{
    char text[40];

    if (lua_isinteger(L, index)) {
        lua_Integer n = lua_tointeger(L, index);
        if (n > -100000000000000 && n < 100000000000000)
            return false;
        snprintf(text, sizeof text, "%lld", (long long)n);
        push_marked(L, text);
        return true;
    }
    double d = lua_tonumber(L, index);
    if (!isfinite(d))
        return refuse_value(L, p, "a number that is not finite (NaN or infinity)") != 0;
    for (int digits = CJSON_DIGITS_MAX; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d) {
            if (digits == CJSON_DIGITS_MAX)
                return false;
            break;
        }
    }
    push_marked(L, text);
    return true;
}

/* Pushes a shallow copy of the table at `index`. */
static void push_copy(lua_State *L, int index)
{
    lua_newtable(L);
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_pushvalue(L, -2);
        lua_insert(L, -2);
        lua_rawset(L, -4);
    }
}

static struct place place_of_key(lua_State *L, int key, const struct place *above)
{
    struct place here = {above, NULL, 0};

    if (lua_type(L, key) == LUA_TSTRING) {
        here.name = lua_tostring(L, key);
        count_bytes(L, above, lua_rawlen(L, key));
        if (!utf8_valid(string_at(L, key)))
            (void)refuse_value(L, above, "a table with a key that is not UTF-8");
    } else if (lua_isinteger(L, key)) {
        here.index = lua_tointeger(L, key);
        if (here.index > INTEGER_KEY_MAX || here.index < -INTEGER_KEY_MAX)
            (void)refuse_value(L, above, "a table with an integer key of more than 14 digits; make it a string");
    } else {
        (void)refuse_value(L, above, "a table with a key that is neither a string nor an integer");
    }
    return here;
}

/* Which columns of a row are nil is known only to its metatable. */
static int add_null_columns(lua_State *L, int index, int copy)
{
    if (!push_row_type(L, index))
        return copy;
    int type = lua_gettop(L);
    lua_Integer columns = (lua_Integer)lua_rawlen(L, type);
    for (lua_Integer i = 1; i <= columns; i++) {
        lua_rawgeti(L, type, i);
        lua_pushvalue(L, -1);
        if (lua_rawget(L, index) == LUA_TNIL) {
            lua_pop(L, 1);
            if (copy == 0) {
                push_copy(L, index);
                lua_insert(L, type); /* below the type and the name */
                copy = type;
                type++;
            }
            lua_pushlightuserdata(L, NULL);
            lua_rawset(L, copy);
        } else {
            lua_pop(L, 2);
        }
    }
    lua_remove(L, type);
    return copy;
}

static bool replace_table(lua_State *L, int index, const struct place *p, int depth)
{
    int copy = 0;

    if (depth == JSON_DEPTH_MAX)
        return refuse_value(L, p, "nested too deeply, or contains itself") != 0;
    luaL_checkstack(L, 12, "JSON");
    count_bytes(L, p, 2);
    if (has_list_type(L, index) && lua_rawlen(L, index) == 0) {
        lua_pushnil(L);
        if (lua_next(L, index) != 0)
            return refuse_value(L, p, "a list with keys that are not 1, 2, 3, ...") != 0;
        push_marked(L, "[]");
        return true;
    }
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        int value = lua_gettop(L);
        struct place here = place_of_key(L, value - 1, p);
        if (replace(L, value, &here, depth + 1)) {
            /* key, value, replacement -> copy below the key */
            if (copy == 0) {
                push_copy(L, index);
                lua_insert(L, value - 1);
                copy = value - 1;
                value++;
            }
            lua_pushvalue(L, value - 1);
            lua_pushvalue(L, value + 1);
            lua_rawset(L, copy);
        }
        lua_settop(L, value - 1);
    }
    return add_null_columns(L, index, copy) != 0;
}

/* Checks the value at `index` (absolute). If lua-cjson would print it wrongly, pushes what to print instead. */
static bool replace(lua_State *L, int index, const struct place *p, int depth)
{
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        return false;
    case LUA_TNUMBER:
        return replace_number(L, index, p);
    case LUA_TSTRING:
        if (!utf8_valid(string_at(L, index)))
            return refuse_value(L, p, "a string that is not UTF-8") != 0;
        count_bytes(L, p, lua_rawlen(L, index));
        return false;
    case LUA_TTABLE:
        return replace_table(L, index, p, depth);
    default:
        if (is_null(L, index))
            return false;
        lua_pushfstring(L, "a %s", luaL_typename(L, index));
        return refuse_value(L, p, lua_tostring(L, -1)) != 0;
    }
}

/* "<marker>12" -> 12. The marked text is the string on the stack's top. */
static void unquote_marked(lua_State *L)
{
    struct str text = string_at(L, -1);
    struct str m = marker(L);
    luaL_Buffer out;

    luaL_buffinitsize(L, &out, text.len);
    while (text.len > 0) {
        const char *found = memmem(text.ptr, text.len, m.ptr, m.len);
        if (found == NULL)
            break;
        luaL_addlstring(&out, text.ptr, (size_t)(found - text.ptr) - 1);
        text = str_from(text, (size_t)(found - text.ptr) + m.len);
        size_t len = (size_t)((const char *)memchr(text.ptr, '"', text.len) - text.ptr);
        luaL_addlstring(&out, text.ptr, len);
        text = str_from(text, len + 1);
    }
    luaL_addlstring(&out, text.ptr, text.len);
    luaL_pushresult(&out);
    lua_remove(L, -2);
}

void json_push_encoded(lua_State *L, int index)
{
    int value = lua_absindex(L, index);

    luaL_checkstack(L, 8, "JSON");
    if (lua_isnoneornil(L, value)) {
        (void)refuse_value(L, NULL, "nil");
        return;
    }
    script_state_of(L)->json_bytes = 0;
    bool marked = replace(L, value, NULL, 0);
    int text = lua_gettop(L) + (marked ? 0 : 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_encode);
    lua_pushvalue(L, marked ? -2 : value);
    lua_call(L, 1, 1);
    if (marked) {
        lua_replace(L, text);
        unquote_marked(L);
    }
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
    lua_pushboolean(L, has_list_type(L, 1));
    return 1;
}

/* --- set-up --- */

static void keep_function(lua_State *L, const char *name, const char *key)
{
    lua_getfield(L, -1, name);
    lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

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
    keep_function(L, "encode", &key_encode);
    keep_function(L, "decode", &key_decode);
    lua_pop(L, 2);
    luaL_setfuncs(L, functions, 0);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
}
