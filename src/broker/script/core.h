/*
 * core.h - the C side of the script library, the module "pillar.core". lua/pillar/ builds on it; scripts do not use it.
 *
 * One file for each part; each adds its functions to the table on the stack's top.
 */
#ifndef PILLAR_SCRIPT_CORE_H
#define PILLAR_SCRIPT_CORE_H

#include <lua.h>
#include <stdbool.h>

struct db_value;
struct exchange;
struct worker;

/* Makes `require "pillar.core"` work, and sets up what the bindings keep in the registry. */
void core_open(lua_State *L);

void bind_json_open(lua_State *L);
void bind_db_open(lua_State *L);
void bind_emit_open(lua_State *L);
void bind_request_open(lua_State *L);
void bind_source_open(lua_State *L);
void bind_util_open(lua_State *L);
void bind_crypto_open(lua_State *L);

/* Pushes the JSON text of the value at `index`. Raises for what JSON cannot hold, naming where it is. */
void json_push_encoded(lua_State *L, int index);

/* The metatable of lists, which stay lists in JSON when they are empty. */
void json_set_list(lua_State *L, int index);
bool json_is_list_at(lua_State *L, int index);

/* Marks the metatable on the stack's top as that of a row: columns that are nil are null in JSON. The columns' names
 * are its elements 1..n. */
void json_mark_row_type(lua_State *L);
/* Pushes the metatable of the row at `index` and returns true; or pushes nothing. */
bool json_push_row_type(lua_State *L, int index);

/* True for what stands for JSON's null and SQL's NULL. */
bool is_null(lua_State *L, int index);

/* Pushes the request that a handler gets, and the box that connects it with the exchange. */
void request_push(lua_State *L, struct exchange *ex);
/* Cuts that connection, once the handler has ended, in whatever way: what the script keeps of the request knows no more
 * than it has asked for. Never raises. */
void request_sever(lua_State *L);

/* Pushes the `db` that a handler gets. */
void db_push(lua_State *L);

/* An SQL value from the Lua value at `index`, which keeps its bytes; false for one that SQL does not take. And back. */
bool db_to_value(lua_State *L, int index, struct db_value *v);
void db_push_value(lua_State *L, const struct db_value *v);

#endif
