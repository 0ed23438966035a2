/*
 * db: SQL for handlers. Rows are tables whose metatable knows the statement's columns, so that a NULL, which
 * is nil in Lua, is null in JSON. What goes wrong is raised as a failure with the database's code.
 */
#include <lauxlib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "db/db.h"
#include "script/core.h"
#include "script/failure.h"
#include "script/job.h"
#include "script/state.h"
#include "script/stdlib.h"
#include "script/worker.h"

enum { ROW_TYPES_MAX = 512 };

static const char db_type[] = "pillar.db";
static const char blob_type[] = "pillar.blob";
static const char key_db;
static const char key_row_types;
static const char key_row_type_count;

/* --- what a call needs --- */

static struct job *current_job(lua_State *L)
{
    struct job *job = script_state_of(L)->job;

    luaL_checkudata(L, 1, db_type);
    if (job == NULL)
        luaL_error(L, "the database can be used inside handlers only");
    return job;
}

static struct db *usable_db(lua_State *L)
{
    struct db *db = worker_db(current_job(L)->worker);

    if (db == NULL)
        luaL_error(L, "there is no database: the broker was started with --database none");
    return db;
}

/* Ends the statement, then raises: nothing of a failed run stays open. */
static int raise(lua_State *L, struct db_statement *s, const struct error *e)
{
    if (s != NULL)
        db_finish(s);
    return failure_raise(L, e);
}

/* --- parameters --- */

static bool is_blob(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, blob_type);
    bool same = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 2);
    return same;
}

bool db_to_value(lua_State *L, int index, struct db_value *v)
{
    *v = (struct db_value){.type = DB_NULL};
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        return true;
    case LUA_TBOOLEAN:
        v->type = DB_BOOLEAN;
        v->integer = lua_toboolean(L, index);
        return true;
    case LUA_TNUMBER:
        v->type = lua_isinteger(L, index) ? DB_INTEGER : DB_REAL;
        v->integer = lua_isinteger(L, index) ? lua_tointeger(L, index) : 0;
        v->real = lua_tonumber(L, index);
        return true;
    case LUA_TSTRING:
        v->type = DB_TEXT;
        v->bytes.ptr = lua_tolstring(L, index, &v->bytes.len);
        return true;
    case LUA_TTABLE:
        if (!is_blob(L, index))
            return false;
        lua_rawgeti(L, index, 1);
        v->type = DB_BLOB;
        v->bytes.ptr = lua_tolstring(L, -1, &v->bytes.len);
        lua_pop(L, 1); /* the blob keeps it alive */
        return true;
    default:
        return is_null(L, index);
    }
}

/* Ends the statement, which may be gone then, and raises the message. */
static _Noreturn void refuse_binding(lua_State *L, struct db_statement *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)lua_pushvfstring(L, format, args);
    va_end(args);
    db_finish(s);
    luaL_error(L, "%s", lua_tostring(L, -1));
    abort(); /* luaL_error does not return, but does not say so to the compiler */
}

static void bind_one(lua_State *L, struct db_statement *s, int parameter, int index, const char *name)
{
    struct db_value v;
    struct error e;

    if (!db_to_value(L, index, &v)) {
        if (name != NULL)
            refuse_binding(L, s, "the value for :%s is a %s; SQL takes strings, numbers, booleans, nil and pillar.blob",
                           name, luaL_typename(L, index));
        refuse_binding(L, s, "value %d is a %s; SQL takes strings, numbers, booleans, nil and pillar.blob", parameter,
                       luaL_typename(L, index));
    }
    if (!db_bind(s, parameter, &v, &e))
        (void)raise(L, s, &e);
}

static void bind_named(lua_State *L, struct db_statement *s, int table)
{
    int count = db_parameter_count(s);

    for (int i = 1; i <= count; i++) {
        const char *name = db_parameter_name(s, i);
        if (name == NULL)
            refuse_binding(L, s, "the statement has a ? and the values are a table; give values for ?, or :names");
        if (lua_getfield(L, table, name) == LUA_TNIL)
            refuse_binding(L, s, "no value for :%s; give pillar.null for NULL", name);
        /* Left on the stack: SQLite keeps no copy of the bytes, and a field need not be a plain one. */
        luaL_checkstack(L, 4, "too many parameters");
        bind_one(L, s, i, lua_gettop(L), name);
    }
}

static void bind_positional(lua_State *L, struct db_statement *s, int first, int given)
{
    int count = db_parameter_count(s);

    for (int i = 1; i <= count; i++) {
        if (db_parameter_name(s, i) != NULL)
            refuse_binding(L, s, "the statement has the parameter :%s; give the values as a table of names",
                           db_parameter_name(s, i));
    }
    if (count != given)
        refuse_binding(L, s, "the statement has %d parameters, and %d values were given", count, given);
    for (int i = 1; i <= count; i++)
        bind_one(L, s, i, first + i - 1, NULL);
}

/* db, sql, values...: prepares and binds. */
static struct db_statement *start(lua_State *L, struct db *db)
{
    struct str sql;
    struct error e;
    int given = lua_gettop(L) - 2;

    sql.ptr = luaL_checklstring(L, 2, &sql.len);
    struct db_statement *s = db_prepare(db, sql, &e);
    if (s == NULL)
        (void)raise(L, NULL, &e);
    if (given == 1 && lua_type(L, 3) == LUA_TTABLE && !is_blob(L, 3))
        bind_named(L, s, 3);
    else
        bind_positional(L, s, 3, given);
    return s;
}

/* --- results --- */

void db_push_value(lua_State *L, const struct db_value *v)
{
    switch (v->type) {
    case DB_NULL:
        lua_pushnil(L);
        break;
    case DB_INTEGER:
        lua_pushinteger(L, v->integer);
        break;
    case DB_REAL:
        lua_pushnumber(L, v->real);
        break;
    case DB_BOOLEAN:
        lua_pushboolean(L, v->integer != 0);
        break;
    case DB_TEXT:
    case DB_BLOB:
        lua_pushlstring(L, v->bytes.len == 0 ? "" : v->bytes.ptr, v->bytes.len);
        break;
    }
}

/* Forgets all row types once there are many: a script that builds its SQL as text makes new ones for ever. */
static void limit_row_types(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_row_type_count);
    lua_Integer count = lua_tointeger(L, -1) + 1;
    lua_pop(L, 1);
    if (count > ROW_TYPES_MAX) {
        lua_newtable(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &key_row_types);
        count = 0;
    }
    lua_pushinteger(L, count);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_row_type_count);
}

/* Pushes the metatable for rows of the statement whose text is at index 2: the columns' names are its elements. */
static void push_row_type(lua_State *L, const struct db_statement *s)
{
    lua_Integer version = (lua_Integer)db_statement_version(s);

    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_row_types);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) == LUA_TTABLE) {
        lua_getfield(L, -1, "version");
        bool same = lua_tointeger(L, -1) == version;
        lua_pop(L, 1);
        if (same) {
            lua_remove(L, -2);
            return;
        }
    }
    lua_pop(L, 2);
    limit_row_types(L);
    int columns = db_column_count(s);
    lua_createtable(L, columns, 3);
    for (int i = 0; i < columns; i++) {
        lua_pushstring(L, db_column_name(s, i));
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushinteger(L, version);
    lua_setfield(L, -2, "version");
    lua_pushliteral(L, "pillar.row");
    lua_setfield(L, -2, "__name");
    json_mark_row_type(L);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_row_types);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static void push_row(lua_State *L, struct db_statement *s, int type)
{
    int columns = db_column_count(s);

    lua_createtable(L, 0, columns);
    for (int i = 0; i < columns; i++) {
        struct db_value v = db_column(s, i);
        if (v.type == DB_NULL)
            continue;
        lua_rawgeti(L, type, i + 1);
        db_push_value(L, &v);
        lua_rawset(L, -3);
    }
    lua_pushvalue(L, type);
    lua_setmetatable(L, -2);
}

static enum db_step step(lua_State *L, struct db_statement *s)
{
    struct error e;
    enum db_step result = db_step(s, &e);

    if (result == DB_FAILED)
        (void)raise(L, s, &e);
    return result;
}

/*
 * Building rows may raise for want of memory while the statement is in the middle of its run: whoever ends
 * the handler calls db_finish_all.
 */
static int db_row(lua_State *L)
{
    struct db_statement *s = start(L, usable_db(L));

    if (step(L, s) == DB_ROW) {
        push_row_type(L, s);
        push_row(L, s, lua_gettop(L));
        /* To its end: a RETURNING clause has done its work only then. */
        while (step(L, s) == DB_ROW) {
        }
    } else {
        lua_pushnil(L);
    }
    db_finish(s);
    return 1;
}

static int db_rows(lua_State *L)
{
    struct db_statement *s = start(L, usable_db(L));

    lua_newtable(L);
    int list = lua_gettop(L);
    json_set_list(L, list);
    lua_Integer n = 0;
    while (step(L, s) == DB_ROW) {
        if (n == 0)
            push_row_type(L, s);
        push_row(L, s, list + 1);
        lua_rawseti(L, list, ++n);
    }
    db_finish(s);
    lua_settop(L, list);
    return 1;
}

static int db_value_(lua_State *L)
{
    struct db_statement *s = start(L, usable_db(L));

    if (step(L, s) == DB_ROW) {
        struct db_value v = db_column(s, 0);
        db_push_value(L, &v);
        while (step(L, s) == DB_ROW) {
        }
    } else {
        lua_pushnil(L);
    }
    db_finish(s);
    return 1;
}

static int db_values(lua_State *L)
{
    struct db_statement *s = start(L, usable_db(L));

    lua_newtable(L);
    int list = lua_gettop(L);
    json_set_list(L, list);
    lua_Integer n = 0;
    while (step(L, s) == DB_ROW) {
        struct db_value v = db_column(s, 0);
        if (v.type == DB_NULL)
            continue;
        db_push_value(L, &v);
        lua_rawseti(L, list, ++n);
    }
    db_finish(s);
    return 1;
}

static int db_exec(lua_State *L)
{
    struct db *db = usable_db(L);
    struct db_statement *s = start(L, db);

    while (step(L, s) == DB_ROW) {
    }
    db_finish(s);
    lua_pushinteger(L, db_changes(db));
    return 1;
}

/* --- transactions, for lua/pillar/db.lua, which puts pcall around what is between them --- */

static int check_transaction(lua_State *L, bool ok, const struct error *e)
{
    return ok ? 0 : failure_raise(L, e);
}

/* Returns what release and rollback_to are to be given: the depth, and how many events there are. */
static int savepoint(lua_State *L)
{
    struct db *db = usable_db(L);
    struct error e;

    (void)check_transaction(L, db_savepoint(db, &e), &e);
    lua_pushinteger(L, db_depth(db));
    lua_pushinteger(L, (lua_Integer)worker_event_count(current_job(L)->worker));
    return 2;
}

static int release(lua_State *L)
{
    struct db *db = usable_db(L);
    struct error e;

    if (luaL_checkinteger(L, 2) != db_depth(db))
        return luaL_error(L, "db:try and db:transaction must end in the order they began");
    db_finish_all(db);
    return check_transaction(L, db_release(db, &e), &e);
}

static int rollback_to(lua_State *L)
{
    struct db *db = usable_db(L);
    lua_Integer depth = luaL_checkinteger(L, 2);
    lua_Integer events = luaL_checkinteger(L, 3);
    struct error e;

    /* A mutation's own savepoint is not the script's. */
    if (depth <= (current_job(L)->access == JOB_WRITES ? 1 : 0) || depth > db_depth(db) || events < 0)
        return luaL_error(L, "db:try and db:transaction must end in the order they began");
    db_finish_all(db);
    worker_cut_events(current_job(L), (size_t)events);
    return check_transaction(L, db_rollback_to(db, (int)depth - 1, &e), &e);
}

static int in_transaction(lua_State *L)
{
    const struct job *job = script_state_of(L)->job;

    lua_pushboolean(L, job != NULL && job->in_transaction);
    return 1;
}

static int begin(lua_State *L)
{
    struct job *job = current_job(L);
    struct error e;

    if (job->access != JOB_FREE)
        return luaL_error(L, "db:transaction is for mutations; a GET only reads");
    return check_transaction(L, worker_begin(job, &e), &e);
}

static int commit(lua_State *L)
{
    struct error e;

    return check_transaction(L, worker_commit(current_job(L), &e), &e);
}

static int rollback(lua_State *L)
{
    worker_rollback(current_job(L));
    return 0;
}

static int make_blob(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    luaL_setmetatable(L, blob_type);
    return 1;
}

static int push_is_blob(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_pushboolean(L, is_blob(L, 1));
    return 1;
}

void db_push(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &key_db);
}

void bind_db_open(lua_State *L)
{
    static const luaL_Reg methods[] = {{"row", db_row},       {"rows", db_rows}, {"value", db_value_},
                                       {"values", db_values}, {"exec", db_exec}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"savepoint", savepoint},
                                         {"release", release},
                                         {"rollback_to", rollback_to},
                                         {"in_transaction", in_transaction},
                                         {"begin", begin},
                                         {"commit", commit},
                                         {"rollback", rollback},
                                         {"blob", make_blob},
                                         {"is_blob", push_is_blob},
                                         {NULL, NULL}};

    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, blob_type);
    stdlib_protect_metatable(L);
    lua_pop(L, 1);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_row_types);
    /* There is one db a state: which connection it means, and whether there is one, the job knows. */
    lua_newuserdatauv(L, 0, 0);
    luaL_newmetatable(L, db_type);
    stdlib_protect_metatable(L);
    luaL_newlib(L, methods);
    lua_pushvalue(L, -1);
    lua_setfield(L, -5, "db_methods");
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &key_db);
}
