/*
 * The writing half of pillar.json (RFC 8259), straight from Lua's values to text.
 *
 * lua-cjson would print integers of more than 14 digits as floats, empty lists as objects, and leave out the NULL columns of
 * rows; to find and carry these around it took longer than to print everything. What is a list and what an object is as with
 * lua-cjson, so that a script may use either: keys that are all positive integers make a list, in which what is missing is
 * null, unless most of it is missing.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "script/core.h"
#include "script/state.h"

/* A list may have more holes than elements as long as it is no longer than SPARSE_SAFE. */
enum { SPARSE_RATIO = 2, SPARSE_SAFE = 10, DOUBLE_DIGITS = 15, DOUBLE_DIGITS_MAX = 17, TEXT_KEPT = 64 * 1024 };

/* Below it a float without a fraction is printed as an integer. */
static const double DOUBLE_INTEGRAL = 1e15;

/* So many digits an integer key may have: as many as a float has for sure. */
static const lua_Integer INTEGER_KEY_MAX = 99999999999999;

/* Where we are, for messages. */
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

static void refuse_value(lua_State *L, const struct place *p, const char *what)
{
    struct buf path = BUF_EMPTY;
    char text[256];

    append_place(&path, p);
    snprintf(text, sizeof text, "%.*s", path.failed ? 0 : STR_ARG(buf_str(&path)));
    buf_free(&path);
    if (text[0] == '\0')
        luaL_error(L, "cannot encode as JSON: %s", what);
    else
        luaL_error(L, "cannot encode as JSON: %s is %s", text, what);
}

/* What is being written: the text is the state's, so that an error raised on the way leaks nothing. */
struct writer {
    lua_State *L;
    struct buf *out;
    size_t most; /* bytes; 0: any number */
};

/* The text's memory is not Lua's, so it is held against the script's limit here, before `bytes` more are written. */
static void make_room(const struct writer *w, const struct place *p, size_t bytes)
{
    if (w->most > 0 && (w->out->len > w->most || bytes > w->most - w->out->len))
        refuse_value(w->L, p, "a value too large for JSON (--script-memory)");
    if (!buf_reserve(w->out, bytes)) {
        buf_free(w->out);
        luaL_error(w->L, "not enough memory");
    }
}

static void write_value(const struct writer *w, int index, const struct place *p, int depth);

/* The string or key at `index`; `not_utf8` says what it is if it is not UTF-8. */
static void write_string(const struct writer *w, int index, const struct place *p, const char *not_utf8)
{
    struct str text;

    text.ptr = lua_tolstring(w->L, index, &text.len);
    if (!utf8_valid(text))
        refuse_value(w->L, p, not_utf8);
    make_room(w, p, json_string_length(text));
    json_append_string(w->out, text);
}

static void write_integer(const struct writer *w, lua_Integer n)
{
    if (n < 0)
        buf_append_char(w->out, '-');
    buf_append_u64(w->out, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}

/* With as few digits as tell it from every other number. */
static void write_float(const struct writer *w, double d, const struct place *p)
{
    char text[40];
    int len = 0;

    if (!isfinite(d))
        refuse_value(w->L, p, "a number that is not finite (NaN or infinity)");
    if (d == floor(d) && fabs(d) < DOUBLE_INTEGRAL) {
        write_integer(w, (lua_Integer)d);
        return;
    }
    for (int digits = DOUBLE_DIGITS; digits <= DOUBLE_DIGITS_MAX; digits++) {
        len = snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    buf_append(w->out, text, (size_t)len);
}

static struct place place_of_key(const struct writer *w, int key, const struct place *above)
{
    lua_State *L = w->L;
    struct place here = {above, NULL, 0};

    if (lua_type(L, key) == LUA_TSTRING) {
        here.name = lua_tostring(L, key);
    } else if (lua_isinteger(L, key)) {
        here.index = lua_tointeger(L, key);
        if (here.index > INTEGER_KEY_MAX || here.index < -INTEGER_KEY_MAX)
            refuse_value(L, above, "a table with an integer key of more than 14 digits; make it a string");
    } else {
        refuse_value(L, above, "a table with a key that is neither a string nor an integer");
    }
    return here;
}

static void write_key(const struct writer *w, int key, const struct place *above)
{
    lua_State *L = w->L;

    if (lua_type(L, key) == LUA_TSTRING) {
        write_string(w, key, above, "a table with a key that is not UTF-8");
    } else {
        buf_append_char(w->out, '"');
        write_integer(w, lua_tointeger(L, key));
        buf_append_char(w->out, '"');
    }
    buf_append_char(w->out, ':');
}

/* The length of the list that the table is, 0 for an object. */
static lua_Integer list_length(const struct writer *w, int index, const struct place *p)
{
    lua_State *L = w->L;
    lua_Integer longest = 0;
    lua_Integer count = 0;

    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        lua_Integer at = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        if (at < 1) {
            lua_pop(L, 2);
            return 0;
        }
        (void)place_of_key(w, lua_gettop(L) - 1, p);
        longest = at > longest ? at : longest;
        count++;
        lua_pop(L, 1);
    }
    if (longest > SPARSE_SAFE && longest > count * SPARSE_RATIO)
        refuse_value(L, p, "a table with integer keys most of which are missing; make them strings");
    return longest;
}

static void write_list(const struct writer *w, int index, lua_Integer length, const struct place *p, int depth)
{
    buf_append_char(w->out, '[');
    for (lua_Integer i = 1; i <= length; i++) {
        struct place here = {p, NULL, i};
        make_room(w, p, 2);
        if (i > 1)
            buf_append_char(w->out, ',');
        if (lua_rawgeti(w->L, index, i) == LUA_TNIL)
            buf_append_str(w->out, STR("null"));
        else
            write_value(w, lua_gettop(w->L), &here, depth + 1);
        lua_pop(w->L, 1);
    }
    buf_append_char(w->out, ']');
}

/* Whether the name on the stack's top is that of a column before number i, as a join may have it: a row has it once. */
static bool is_named_before(lua_State *L, int columns, lua_Integer i)
{
    bool found = false;

    for (lua_Integer before = 1; before < i && !found; before++) {
        lua_rawgeti(L, columns, before);
        found = lua_rawequal(L, -1, -2) != 0;
        lua_pop(L, 1);
    }
    return found;
}

/* Which columns of a row are NULL is known only to its metatable, whose columns are at `columns`. */
static void write_null_columns(const struct writer *w, int index, int columns, size_t first)
{
    lua_State *L = w->L;
    lua_Integer count = (lua_Integer)lua_rawlen(L, columns);

    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, columns, i);
        lua_pushvalue(L, -1);
        bool null = lua_rawget(L, index) == LUA_TNIL;
        lua_pop(L, 1);
        if (null && !is_named_before(L, columns, i)) {
            if (w->out->len > first)
                buf_append_char(w->out, ',');
            write_key(w, lua_gettop(L), NULL);
            buf_append_str(w->out, STR("null"));
        }
        lua_pop(L, 1);
    }
}

static void write_object(const struct writer *w, int index, const struct place *p, int depth)
{
    lua_State *L = w->L;

    buf_append_char(w->out, '{');
    size_t first = w->out->len;
    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        int value = lua_gettop(L);
        struct place here = place_of_key(w, value - 1, p);
        make_room(w, p, 2);
        if (w->out->len > first)
            buf_append_char(w->out, ',');
        write_key(w, value - 1, p);
        write_value(w, value, &here, depth + 1);
        lua_pop(L, 1);
    }
    if (json_push_row_type(L, index)) {
        write_null_columns(w, index, lua_gettop(L), first);
        lua_pop(L, 1);
    }
    buf_append_char(w->out, '}');
}

static void write_table(const struct writer *w, int index, const struct place *p, int depth)
{
    if (depth == JSON_DEPTH_MAX)
        refuse_value(w->L, p, "nested too deeply, or contains itself");
    luaL_checkstack(w->L, 8, "JSON");
    make_room(w, p, 2);
    lua_Integer length = list_length(w, index, p);
    if (length == 0 && json_is_list_at(w->L, index)) {
        lua_pushnil(w->L);
        if (lua_next(w->L, index) != 0)
            refuse_value(w->L, p, "a list with keys that are not 1, 2, 3, ...");
        buf_append_str(w->out, STR("[]"));
    } else if (length == 0) {
        write_object(w, index, p, depth);
    } else {
        write_list(w, index, length, p, depth);
    }
}

static void write_value(const struct writer *w, int index, const struct place *p, int depth)
{
    lua_State *L = w->L;

    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        buf_append_str(w->out, lua_toboolean(L, index) ? STR("true") : STR("false"));
        return;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index))
            write_integer(w, lua_tointeger(L, index));
        else
            write_float(w, lua_tonumber(L, index), p);
        return;
    case LUA_TSTRING:
        write_string(w, index, p, "a string that is not UTF-8");
        return;
    case LUA_TTABLE:
        write_table(w, index, p, depth);
        return;
    default:
        if (is_null(L, index)) {
            buf_append_str(w->out, STR("null"));
            return;
        }
        lua_pushfstring(L, "a %s", luaL_typename(L, index));
        refuse_value(L, p, lua_tostring(L, -1));
    }
}

void json_push_encoded(lua_State *L, int index)
{
    struct script_state *s = script_state_of(L);
    struct writer w = {L, &s->json, s->memory_limit};
    int value = lua_absindex(L, index);

    luaL_checkstack(L, 8, "JSON");
    w.out->len = 0;
    if (lua_isnoneornil(L, value))
        refuse_value(L, NULL, "nil");
    write_value(&w, value, NULL, 0);
    make_room(&w, NULL, 0);
    lua_pushlstring(L, w.out->data, w.out->len);
    if (w.out->cap > TEXT_KEPT)
        buf_free(w.out);
}
