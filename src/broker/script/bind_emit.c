/*
 * emit_sync_event: checks the table a script gives, fills in what the request knows, and adds a draft to the
 * transaction. pillar.disconnect adds the word that ends streams. Nothing is sent before the transaction is committed.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "script/core.h"
#include "script/emit_limits.h"
#include "script/failure.h"
#include "script/job.h"
#include "script/state.h"
#include "script/worker.h"

static const char key_entities;
static const char key_everyone;

/* The fields of an event, and where each lies on the stack of emit. */
enum {
    FIELD_ENTITY = 2,
    FIELD_ACTION,
    FIELD_TARGETS,
    FIELD_SESSION,
    FIELD_USER,
    FIELD_ENTITY_ID,
    FIELD_PROJECT_ID,
    FIELD_DATA,
    FIELD_LAST = FIELD_DATA
};

static const char *const field_names[] = {
    [FIELD_ENTITY] = "entity",        [FIELD_ACTION] = "action", [FIELD_TARGETS] = "targetUserIds",
    [FIELD_SESSION] = "sessionId",    [FIELD_USER] = "userId",   [FIELD_ENTITY_ID] = "entityId",
    [FIELD_PROJECT_ID] = "projectId", [FIELD_DATA] = "data"};

/* An error that names the field. */
static int refuse(lua_State *L, const char *field, const char *problem)
{
    struct error e;

    (void)error_field(&e, field, "%s %s", field, problem);
    return failure_raise(L, &e);
}

static int field_of(const char *name)
{
    for (int i = FIELD_ENTITY; i <= FIELD_LAST; i++)
        if (strcmp(field_names[i], name) == 0)
            return i;
    return 0;
}

/* Puts the fields on the stack at their places. */
static void read_fields(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    for (int i = FIELD_ENTITY; i <= FIELD_LAST; i++)
        lua_pushnil(L);
    lua_pushnil(L);
    while (lua_next(L, 1) != 0) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(not a name)";
        int place = field_of(name);
        if (place == 0)
            (void)refuse(L, name, "is not a field of an event");
        lua_replace(L, place);
    }
}

static struct str string_field(lua_State *L, int place)
{
    size_t len;

    if (lua_isnil(L, place))
        return STR_NONE;
    if (lua_type(L, place) != LUA_TSTRING)
        (void)refuse(L, field_names[place], "must be a string");
    const char *text = lua_tolstring(L, place, &len);
    return (struct str){text, len};
}

/* Makes the value at `index` a string if it is an id: numbers and strings name the same thing. */
static bool id_at(lua_State *L, int index, struct str *id)
{
    size_t len;

    if (lua_type(L, index) == LUA_TNUMBER) {
        int exact;
        lua_Integer n = lua_tointegerx(L, index, &exact);
        if (!exact)
            return false;
        lua_pushinteger(L, n);
        lua_replace(L, index < 0 ? index - 1 : index);
    } else if (lua_type(L, index) != LUA_TSTRING) {
        return false;
    }
    id->ptr = lua_tolstring(L, index, &len);
    id->len = len;
    return true;
}

/* `fallback` stands for nil; false stands for none. */
static struct str id_field(lua_State *L, int place, struct str fallback, bool may_be_false)
{
    struct str id;

    if (lua_isnil(L, place) || is_null(L, place))
        return fallback;
    if (may_be_false && lua_isboolean(L, place) && !lua_toboolean(L, place))
        return STR_NONE;
    if (!id_at(L, place, &id))
        (void)refuse(L, field_names[place],
                     may_be_false ? "must be a string, an integer or false" : "must be a string or an integer");
    return id;
}

static void check_declared(lua_State *L, struct str entity)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_entities);
    lua_pushlstring(L, entity.len == 0 ? "" : entity.ptr, entity.len);
    if (entity.len > 0 && lua_rawget(L, -2) != LUA_TBOOLEAN) {
        struct error e;
        (void)error_field(&e, "entity", "the entity '%.*s' is not declared; declare it with app:entity",
                          STR_ARG(entity));
        (void)failure_raise(L, &e);
    }
    lua_pop(L, 2);
}

static bool is_everyone(lua_State *L, int index)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_everyone);
    bool same = lua_rawequal(L, index, -1) != 0;
    lua_pop(L, 1);
    return same;
}

/*
 * Reads targetUserIds into memory that Lua owns. The strings stay alive in the list, or in the copy of the
 * list that is left on the stack, where integers became strings.
 */
static void read_targets(lua_State *L, const struct job *job, struct event_fields *f)
{
    if (lua_isnil(L, FIELD_TARGETS))
        (void)refuse(L, "targetUserIds", "is missing; give a list of user ids, or pillar.everyone");
    f->everyone = is_everyone(L, FIELD_TARGETS);
    if (f->everyone)
        return;
    if (lua_type(L, FIELD_TARGETS) != LUA_TTABLE)
        (void)refuse(L, "targetUserIds", "must be a list of user ids, or pillar.everyone");
    f->target_count = lua_rawlen(L, FIELD_TARGETS);
    if (f->target_count > job->limits->event_targets)
        (void)refuse(L, "targetUserIds", "names more users than an event may have");
    lua_pushnil(L);
    for (size_t keys = 0; lua_next(L, FIELD_TARGETS) != 0; lua_pop(L, 1))
        if (++keys > f->target_count)
            (void)refuse(L, "targetUserIds", "must be a list without holes or other keys");
    struct str *targets = lua_newuserdatauv(L, (f->target_count + 1) * sizeof *targets, 0);
    lua_createtable(L, (int)f->target_count, 0);
    for (size_t i = 0; i < f->target_count; i++) {
        lua_rawgeti(L, FIELD_TARGETS, (lua_Integer)i + 1);
        if (!id_at(L, -1, &targets[i]))
            (void)refuse(L, "targetUserIds", "must hold user ids: strings or integers");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    f->targets = targets;
}

static void read_data(lua_State *L, const struct job *job, struct event_fields *f)
{
    size_t len;

    if (lua_isnil(L, FIELD_DATA))
        return;
    json_push_encoded(L, FIELD_DATA);
    const char *text = lua_tolstring(L, -1, &len);
    if (len > job->limits->event_bytes)
        (void)refuse(L, "data", "is larger than an event's data may be");
    f->data = (struct str){text, len};
}

static void check_amount(lua_State *L, struct job *job, size_t bytes)
{
    struct error e;

    if (!emit_count(job, bytes, &e))
        luaL_error(L, "the handler emits %s", e.message);
}

/* `what` is the function's name, for scripts. */
static struct job *emitting_job(lua_State *L, const char *what)
{
    struct job *job = script_state_of(L)->job;

    if (job == NULL)
        luaL_error(L, "%s works inside handlers only", what);
    else if (!job->in_transaction && job->access == JOB_FREE)
        luaL_error(L, "%s in a route with transaction = false works inside db:transaction only", what);
    else if (!job->in_transaction)
        luaL_error(L, "%s works in handlers that may write, not in a GET and not in authenticate", what);
    return job;
}

/* Takes the draft over. NULL: *e says why there is none. */
static int add_draft(lua_State *L, struct job *job, struct event *draft, struct error *e)
{
    if (draft == NULL)
        return failure_raise(L, e);
    if (worker_add_event(job->worker, draft))
        return 0;
    event_unref(draft);
    (void)error_no_memory(e);
    return failure_raise(L, e);
}

/* emit(event): userId and sessionId are the request's unless the event names others. */
static int emit(lua_State *L)
{
    struct job *job = emitting_job(L, "emit_sync_event");
    struct event_fields f = {0};
    struct error e;

    read_fields(L);
    f.entity = string_field(L, FIELD_ENTITY);
    f.action = string_field(L, FIELD_ACTION);
    f.session_id = id_field(L, FIELD_SESSION, job->session_id, true);
    f.user_id = id_field(L, FIELD_USER, job->user_id, true);
    f.entity_id = id_field(L, FIELD_ENTITY_ID, STR_NONE, false);
    f.project_id = id_field(L, FIELD_PROJECT_ID, STR_NONE, false);
    check_declared(L, f.entity);
    read_targets(L, job, &f);
    read_data(L, job, &f);
    check_amount(L, job, emit_bytes(&f));
    return add_draft(L, job, event_create(&f, &e), &e);
}

/* disconnect(userId, sessionId): ends the streams of a user, or of one of the user's sessions, with the commit. */
static int disconnect(lua_State *L)
{
    struct job *job = emitting_job(L, "pillar.disconnect");
    struct str user = STR_NONE;
    struct str session = STR_NONE;
    struct error e;

    lua_settop(L, 2);
    if (!lua_isnil(L, 1) && !id_at(L, 1, &user))
        return refuse(L, "userId", "must be a string or an integer");
    if (!lua_isnil(L, 2) && (!id_at(L, 2, &session) || session.len == 0))
        return refuse(L, "sessionId", "must be a string that is not empty");
    check_amount(L, job, sizeof(struct event) + user.len + session.len);
    return add_draft(L, job, event_create_disconnect(user, session, &e), &e);
}

/* declare_entities(names): the set that emit accepts. */
static int declare_entities(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_newtable(L);
    for (lua_Integer i = 1; lua_rawgeti(L, 1, i) == LUA_TSTRING; i++) {
        lua_pushboolean(L, 1);
        lua_rawset(L, 2);
    }
    lua_settop(L, 2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_entities);
    return 0;
}

static int everyone_to_string(lua_State *L)
{
    lua_pushliteral(L, "pillar.everyone");
    return 1;
}

void bind_emit_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"emit", emit}, {"disconnect", disconnect}, {"declare_entities", declare_entities}, {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_entities);
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, everyone_to_string);
    lua_setfield(L, -2, "__tostring");
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_everyone);
    lua_setfield(L, -2, "everyone");
}
