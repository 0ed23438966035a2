/*
 * The Lua module pillar.harness: a harness for a plain Lua interpreter, under lua/pillar/testing.lua.
 *
 * The state it is loaded into is the test's. The script's own states are made by the harness, with the same limits and
 * the same library as in a broker; nothing but text passes between the two.
 */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/logger.h"
#include "harness/harness.h"
#include "script/core.h"
#include "script/failure.h"
#include "script/state.h"

static const char harness_type[] = "pillar.harness";
static const char stream_type[] = "pillar.virtual_stream";

__attribute__((visibility("default"))) int luaopen_pillar_harness(lua_State *L);

static int raise(lua_State *L, const struct error *e)
{
    return luaL_error(L, "%s", e->message);
}

static struct str string_argument(lua_State *L, int index)
{
    struct str s;

    s.ptr = luaL_checklstring(L, index, &s.len);
    return s;
}

static void push_str(lua_State *L, struct str s)
{
    lua_pushlstring(L, s.len == 0 ? "" : s.ptr, s.len);
}

static void set_str(lua_State *L, const char *name, struct str s)
{
    if (s.len == 0)
        return;
    push_str(L, s);
    lua_setfield(L, -2, name);
}

static struct harness *harness_argument(lua_State *L)
{
    struct harness **box = luaL_checkudata(L, 1, harness_type);

    if (*box == NULL)
        luaL_error(L, "this test app was closed");
    if (!harness_alive(*box))
        luaL_error(L, "this test app died, and could not be started again");
    return *box;
}

/* --- making one --- */

static void read_options(lua_State *L, int index, struct pillar_options *options)
{
    pillar_error problem;

    lua_pushnil(L);
    while (lua_next(L, index) != 0) {
        const char *value = luaL_tolstring(L, -1, NULL);
        const char *name = luaL_tolstring(L, -3, NULL);
        if (pillar_options_set(options, name, value, &problem) != 0)
            luaL_error(L, "%s", problem.message);
        lua_pop(L, 3);
    }
}

static int free_options(lua_State *L)
{
    struct pillar_options **options = lua_touserdata(L, 1);

    pillar_options_free(*options);
    *options = NULL;
    return 0;
}

/* Options in a box that is freed whatever happens. */
static struct pillar_options *push_options(lua_State *L)
{
    struct pillar_options **options = lua_newuserdatauv(L, sizeof(void *), 0);

    *options = NULL;
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, free_options);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    *options = pillar_options_create();
    if (*options == NULL)
        luaL_error(L, "out of memory");
    return *options;
}

/* load(script, options, now): options by their names, as texts; the time to begin with, or 0. Raises what keeps the script
 * from running. */
static int load(lua_State *L)
{
    const char *script = luaL_checkstring(L, 1);
    lua_Integer begin = luaL_optinteger(L, 3, 0);
    struct error e = {.message = ""};

    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_argcheck(L, begin >= 0, 3, "a time is not negative");
    lua_settop(L, 2);
    struct harness **box = lua_newuserdatauv(L, sizeof(void *), 0);
    *box = NULL;
    luaL_setmetatable(L, harness_type);
    struct pillar_options *options = push_options(L);
    read_options(L, 2, options);
    *box = harness_create(script, options, (uint64_t)begin, &e);
    if (*box == NULL)
        return raise(L, &e);
    lua_settop(L, 3);
    return 1;
}

static int close_harness(lua_State *L)
{
    struct harness **box = luaL_checkudata(L, 1, harness_type);

    harness_free(*box);
    *box = NULL;
    return 0;
}

/* --- requests --- */

/* Appends names and values in turn to the list on the stack's top. */
static void append_headers(lua_State *L, const struct pairs *headers)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, -1);

    for (size_t i = 0; i < headers->count; i++) {
        push_str(L, headers->at[i].name);
        lua_rawseti(L, -2, ++n);
        push_str(L, headers->at[i].value);
        lua_rawseti(L, -2, ++n);
    }
}

static void push_answer(lua_State *L, const struct exchange *ex)
{
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, ex->response.status);
    lua_setfield(L, -2, "status");
    lua_newtable(L);
    append_headers(L, &ex->always);
    append_headers(L, &ex->response.headers);
    lua_setfield(L, -2, "headers");
    push_str(L, buf_str(&ex->response.body));
    lua_setfield(L, -2, "body");
    set_str(L, "trouble", ex->trouble);
}

/* harness:ask(head, body, user): the answer, { status, headers, body, trouble, stream }, or nil when the process died. */
static int ask(lua_State *L)
{
    struct harness *h = harness_argument(L);
    struct harness_request request = {string_argument(L, 2), string_argument(L, 3), STR_NONE};
    struct harness_answer answer;
    struct error e;

    if (!lua_isnoneornil(L, 4))
        request.user = string_argument(L, 4);
    struct virtual_stream **stream = lua_newuserdatauv(L, sizeof(void *), 1);
    *stream = NULL;
    luaL_setmetatable(L, stream_type);
    lua_pushvalue(L, 1); /* a stream keeps its harness */
    lua_setiuservalue(L, -2, 1);
    if (!harness_ask(h, &request, &answer, &e))
        return raise(L, &e);
    if (answer.crashed)
        return 0;
    *stream = answer.stream;
    push_answer(L, answer.exchange);
    harness_release(answer.exchange);
    if (*stream != NULL) {
        lua_pushvalue(L, -2);
        lua_setfield(L, -2, "stream");
    }
    return 1;
}

/* --- events --- */

static int compare_targets(const void *a, const void *b)
{
    const struct str *x = a;
    const struct str *y = b;
    size_t shorter = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->ptr, y->ptr, shorter);

    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* Sorted, since an event keeps them by their hashes. */
static void push_targets(lua_State *L, const struct event *ev)
{
    struct str *ids = lua_newuserdatauv(L, (ev->target_count + 1) * sizeof *ids, 0);

    for (size_t i = 0; i < ev->target_count; i++)
        ids[i] = ev->targets[i].user_id;
    qsort(ids, ev->target_count, sizeof *ids, compare_targets);
    lua_createtable(L, (int)ev->target_count, 0);
    for (size_t i = 0; i < ev->target_count; i++) {
        push_str(L, ids[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_remove(L, -2);
}

/* harness:events(): of each { frame, targetUserIds } or { frame, everyone }; what else there is stands in the frame. */
static int events(lua_State *L)
{
    size_t count;
    struct event *const *list = harness_events(harness_argument(L), &count);

    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 0, 3);
        set_str(L, "frame", (struct str){list[i]->frame, list[i]->frame_len});
        set_str(L, "projectId", list[i]->project_id);
        if (list[i]->everyone) {
            lua_pushboolean(L, 1);
            lua_setfield(L, -2, "everyone");
        } else {
            push_targets(L, list[i]);
            lua_setfield(L, -2, "targetUserIds");
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int forget_events(lua_State *L)
{
    harness_forget_events(harness_argument(L));
    return 0;
}

/* --- time and crashes --- */

static int now(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)harness_now(harness_argument(L)));
    return 1;
}

static int advance(lua_State *L)
{
    struct harness *h = harness_argument(L);
    lua_Integer ms = luaL_checkinteger(L, 2);

    luaL_argcheck(L, ms >= 0, 2, "time goes forward");
    harness_advance(h, (uint64_t)ms);
    return 0;
}

/* harness:crash(stage): at the next commit, "before commit" or "after commit"; without a stage, now. */
static int crash(lua_State *L)
{
    static const char *const stages[] = {"before commit", "after commit", NULL};
    struct harness *h = harness_argument(L);
    struct error e;

    if (lua_isnoneornil(L, 2)) {
        if (!harness_crash(h, &e))
            return raise(L, &e);
    } else {
        harness_crash_at(h, luaL_checkoption(L, 2, NULL, stages) == 0 ? BEFORE_COMMIT : AFTER_COMMIT);
    }
    return 0;
}

/* --- the database --- */

static void bind_argument(lua_State *L, struct db_statement *s, int parameter, int index)
{
    struct db_value v;
    struct error e;

    if (!db_to_value(L, index, &v))
        (void)error_set(&e, "sql", "value %d is a %s; SQL takes strings, numbers, booleans and nil", parameter,
                        luaL_typename(L, index));
    else if (db_bind(s, parameter, &v, &e))
        return;
    db_finish(s);
    (void)raise(L, &e);
}

static void push_row(lua_State *L, struct db_statement *s)
{
    int columns = db_column_count(s);

    lua_createtable(L, 0, columns);
    for (int i = 0; i < columns; i++) {
        struct db_value v = db_column(s, i);
        db_push_value(L, &v);
        lua_setfield(L, -2, db_column_name(s, i));
    }
}

/* harness:sql(text, ...): the rows, as another program gets them that has the database open. */
static int sql(lua_State *L)
{
    struct db *db = harness_db(harness_argument(L));
    int given = lua_gettop(L) - 2;
    struct error e;
    enum db_step step;

    if (db == NULL)
        return luaL_error(L, "there is no database: the script says database = \"none\"");
    struct db_statement *s = db_prepare(db, string_argument(L, 2), &e);
    if (s == NULL)
        return raise(L, &e);
    if (db_parameter_count(s) != given) {
        int count = db_parameter_count(s);
        db_finish(s);
        return luaL_error(L, "the statement has %d parameters, and %d values were given", count, given);
    }
    for (int i = 1; i <= given; i++)
        bind_argument(L, s, i, i + 2);
    lua_newtable(L);
    for (lua_Integer n = 1; (step = db_step(s, &e)) == DB_ROW; n++) {
        push_row(L, s);
        lua_rawseti(L, -2, n);
    }
    db_finish(s);
    return step == DB_FAILED ? raise(L, &e) : 1;
}

/* --- streams --- */

static struct virtual_stream *stream_argument(lua_State *L)
{
    struct virtual_stream **box = luaL_checkudata(L, 1, stream_type);

    if (*box == NULL)
        luaL_error(L, "this stream is gone");
    return *box;
}

/* stream:received(): the bytes that came since the last call. */
static int received(lua_State *L)
{
    struct buf *bytes = virtual_stream_received(stream_argument(L));

    push_str(L, buf_str(bytes));
    bytes->len = 0;
    return 1;
}

static int pause_stream(lua_State *L)
{
    virtual_stream_pause(stream_argument(L), lua_toboolean(L, 2) != 0);
    return 0;
}

static int is_open(lua_State *L)
{
    lua_pushboolean(L, virtual_stream_open(stream_argument(L)));
    return 1;
}

static int close_stream(lua_State *L)
{
    virtual_stream_close(stream_argument(L));
    return 0;
}

static int free_stream(lua_State *L)
{
    struct virtual_stream **box = luaL_checkudata(L, 1, stream_type);

    virtual_stream_free(*box);
    *box = NULL;
    return 0;
}

/* --- JSON, by the broker's own code, which asks its state for room --- */

static int with_state(lua_State *L)
{
    *(struct script_state **)lua_getextraspace(L) = lua_touserdata(L, lua_upvalueindex(1));
    return lua_tocfunction(L, lua_upvalueindex(2))(L);
}

static int free_state(lua_State *L)
{
    struct script_state *s = lua_touserdata(L, 1);

    buf_free(&s->traceback);
    buf_free(&s->scratch);
    buf_free(&s->json);
    return 0;
}

/* Adds the functions of bind_json.c to the module on the stack's top, each with a state that is nobody's. */
static void open_json(lua_State *L)
{
    static const char *const names[] = {"json_encode", "json_decode", "list"};

    struct script_state *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    s->L = L;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_state);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    lua_newtable(L);
    failure_open(L);
    bind_json_open(L);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        lua_pushvalue(L, -2);
        lua_getfield(L, -2, names[i]);
        lua_pushcclosure(L, with_state, 2);
        lua_setfield(L, -4, names[i]);
    }
    lua_pop(L, 2);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
}

static void make_type(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction release)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, release);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

int luaopen_pillar_harness(lua_State *L)
{
    static const luaL_Reg harness_methods[] = {{"ask", ask}, {"events", events},       {"forget_events", forget_events},
                                               {"now", now}, {"advance", advance},     {"crash", crash},
                                               {"sql", sql}, {"close", close_harness}, {NULL, NULL}};
    static const luaL_Reg stream_methods[] = {
        {"received", received}, {"pause", pause_stream}, {"is_open", is_open}, {"close", close_stream}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"load", load}, {NULL, NULL}};

    logger_set_level(LOG_OFF); /* what goes wrong is raised in the test */
    make_type(L, harness_type, harness_methods, close_harness);
    make_type(L, stream_type, stream_methods, free_stream);
    luaL_newlib(L, functions);
    open_json(L);
    return 1;
}
