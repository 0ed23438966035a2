#include "db/changes.h"

#include <string.h>

void changes_note(struct changes *c, const char *table, int depth)
{
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->at[i].table, table) == 0 && c->at[i].depth <= depth)
            return;
    if (c->count == CHANGES_MAX)
        return;
    memcpy(c->at[c->count].table, table, CHANGES_NAME_MAX);
    c->at[c->count++].depth = depth;
}

void changes_undo(struct changes *c, int depth)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].depth < depth)
            c->at[kept++] = c->at[i];
    c->count = kept;
}

void changes_keep(struct changes *c, int depth, int now)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->at[i].depth >= depth)
            c->at[i].depth = now;
}

void changes_clear(struct changes *c)
{
    c->count = 0;
}

static bool is_named(const struct changes *c, size_t count, const char *table)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(c->at[i].table, table) == 0)
            return true;
    return false;
}

bool changes_append(const struct changes *c, struct buf *out)
{
    for (size_t i = 0; i < c->count; i++)
        if (!is_named(c, i, c->at[i].table))
            buf_printf(out, "%s%s", i == 0 ? "" : ", ", c->at[i].table);
    return c->count > 0;
}
