/*
 * failure.h - error values that say what to answer, and what becomes of any error value.
 *
 * A failure is a table { status, code, message, field, detail } with the metatable "pillar.failure".
 * pillar.fail raises one for the client's mistakes; the database binding raises one for SQL errors. One with
 * a status below 500 is expected: it is answered, not logged. `message` is for the client, `detail` for the log.
 */
#ifndef PILLAR_SCRIPT_FAILURE_H
#define PILLAR_SCRIPT_FAILURE_H

#include <lua.h>

#include "base/error.h"
#include "base/exchange.h"

/* Creates the metatable, and adds what lua/pillar/failure.lua needs to the table on the stack's top; once a state. */
void failure_open(lua_State *L);

/* Pushes a failure made of a C error, with the status that fits its code. May raise for want of memory. */
void failure_push(lua_State *L, const struct error *e);

/* Raises it. */
int failure_raise(lua_State *L, const struct error *e);

bool failure_is_expected(lua_State *L, int index);

/* Makes the response that an error value asks for: its own for a failure, 500 for anything else. Does not raise. */
void failure_respond(lua_State *L, int index, struct exchange *ex);

#endif
