/*
 * changes.h - the tables whose rows a handler changed, but for what it rolled back.
 *
 * For people, who are told that a route changes something and nobody hears of it. So of many tables a few are enough.
 */
#ifndef PILLAR_DB_CHANGES_H
#define PILLAR_DB_CHANGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum {
    CHANGES_MAX = 8,       /* tables; further ones are not noted */
    CHANGES_NAME_MAX = 64, /* longer names are cut */
    CHANGES_COMMITTED = -1 /* the depth of what can no longer be rolled back */
};

struct changes {
    struct {
        char table[CHANGES_NAME_MAX];
        int depth; /* how many savepoints were open */
    } at[CHANGES_MAX];
    size_t count;
};

/* `table` holds CHANGES_NAME_MAX bytes and ends with a NUL. */
void changes_note(struct changes *c, const char *table, int depth);

/* Forgets what was changed at this depth or a deeper one. */
void changes_undo(struct changes *c, int depth);

/* What was changed at this depth or a deeper one belongs to the depth `now`. */
void changes_keep(struct changes *c, int depth, int now);

void changes_clear(struct changes *c);

/* Appends "tasks, labels". Returns false, and appends nothing, when there is nothing. */
bool changes_append(const struct changes *c, struct buf *out);

#endif
