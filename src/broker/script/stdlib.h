/*
 * stdlib.h - Lua's standard library as a script gets it: whole, but for what would end the process, or run where the
 * limits of state.h do not reach.
 */
#ifndef PILLAR_SCRIPT_STDLIB_H
#define PILLAR_SCRIPT_STDLIB_H

#include <lua.h>

/* Opens the standard library in a new state; `require` looks first into the two directories. May raise. */
void stdlib_open(lua_State *L, const char *script_dir, const char *library_dir);

/* Keeps scripts from the metatable on the stack's top: getmetatable gives false. */
void stdlib_protect_metatable(lua_State *L);

#endif
