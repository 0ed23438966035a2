/*
 * state.h - a lua_State with limits: memory, running time, and what of the standard library a server can bear.
 *
 * One thread owns a state. A limit that is passed raises a Lua error that no pcall can swallow: from then on
 * every instruction raises it again, until the call gate has been left.
 */
#ifndef PILLAR_SCRIPT_STATE_H
#define PILLAR_SCRIPT_STATE_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct job;
struct secrets;
struct sources;

enum script_trip { TRIP_NONE, TRIP_DEADLINE, TRIP_MEMORY };

struct script_state {
    lua_State *L; /* owned */
    size_t memory_used;
    size_t memory_limit;
    size_t denied;        /* the size that was last refused, while it may still be asked for again */
    uint64_t deadline_ns; /* monotonic; 0: none */
    enum script_trip trip;
    bool spoiled;         /* holds a coroutine that no limit would reach any more: not to be used again */
    struct buf traceback; /* of the last error that was not an expected one */
    struct buf scratch;   /* for bindings that need room across a call that may raise */
    struct job *job;      /* what is being done for whom; NULL while a script is loaded */
    struct buf json;      /* the text of the value that is being encoded */
    int instructions;     /* between two looks at the deadline */

    const struct secrets *secrets; /* what pillar.auth signs with; borrowed; NULL while the script is loaded */
    struct sources *sources;       /* what the script is loaded from; borrowed */
};

/*
 * Makes a state with the standard library, as stdlib.h and lua/pillar/sandbox.lua leave it. `script_dir` and
 * `library_dir` are where `require` looks first; `sources` keep what is loaded, and outlive the state. NULL with
 * "out_of_memory" or "script".
 */
struct script_state *script_state_create(size_t memory_limit, const char *script_dir, const char *library_dir,
                                         struct sources *sources, struct error *e);
/* Accepts NULL. */
void script_state_free(struct script_state *s);

/* The state that L (or the state that L is a coroutine of) belongs to. */
struct script_state *script_state_of(lua_State *L);

/* From now on code may run until deadline_ns (monotonic; 0: for ever). Clears a trip. */
void script_state_arm(struct script_state *s, uint64_t deadline_ns);

/* Raises what a limit that was passed raises. Does not return. */
int script_state_raise_trip(lua_State *L);

/* Pushes lua/pillar/runtime.lua's functions, out of a script's reach. */
void script_state_push_runtime(lua_State *L);

/* True once the deadline has passed or memory was refused. Looks at the clock. */
bool script_state_must_stop(void *state);

/*
 * The one gate into Lua: runs `function`, a C function that gets `argument` as a light userdata, in protected
 * mode. Everything that can raise, pushing included, happens inside of it. Returns true when it returned.
 * Otherwise the error value is on the stack's top (the stack is as before but for it), and s->traceback holds
 * what to log, empty for an expected failure (see failure.h). The caller pops the value.
 */
bool script_state_call(struct script_state *s, lua_CFunction function, void *argument);

#endif
