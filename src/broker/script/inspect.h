/*
 * inspect.h - what `pillar check` says of a script; lua/pillar/report.lua writes it.
 */
#ifndef PILLAR_SCRIPT_INSPECT_H
#define PILLAR_SCRIPT_INSPECT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct script_state;

struct inspection {
    const char *script;
    const char *const *own_paths; /* those that the broker answers by itself; ends with NULL */
    const char *emit_path;        /* one that it answers with an emit key */
    const char *events_path;      /* with `explain_below` behind it another one */
    const char *explain_below;
    void (*print)(void *context, const char *line);
    void *context;
    size_t findings; /* how many there were */
};

/*
 * Loads the script into a fresh state, for at most `deadline_ms`, and prints what it defines, and what it cannot mean.
 * Failure: false with "script".
 */
bool script_inspect(struct script_state *state, uint64_t deadline_ms, struct inspection *i, struct error *e);

#endif
