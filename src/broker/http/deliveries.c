#include "http/deliveries.h"

#include <stdlib.h>

#include "base/hash.h"

bool deliveries_init(struct deliveries *d, size_t room, uint64_t now_ms)
{
    *d = (struct deliveries){.room = room, .begun_ms = now_ms};
    if (room > 0)
        d->entries = malloc(room * sizeof *d->entries); /* its pages become memory when they are written to */
    if (d->entries == NULL)
        d->room = 0;
    return d->room == room;
}

void deliveries_free(struct deliveries *d)
{
    free(d->entries);
    *d = (struct deliveries){.entries = NULL};
}

uint32_t deliveries_session(struct str session_id)
{
    return (uint32_t)hash_str(session_id);
}

/* The entry noted before the last `seen` ones, of which there are fewer than `count`. */
static const struct delivery *before(const struct deliveries *d, size_t seen)
{
    size_t back = seen + 1;

    return &d->entries[d->next >= back ? d->next - back : d->next + d->room - back];
}

uint64_t deliveries_since(const struct deliveries *d)
{
    if (d->room == 0)
        return UINT64_MAX;
    return d->count < d->room ? d->begun_ms : before(d, d->count - 1)->at_ms;
}

const struct delivery *deliveries_find(const struct deliveries *d, uint64_t position, uint64_t user, size_t *seen)
{
    while (*seen < d->count) {
        const struct delivery *entry = before(d, (*seen)++);
        if (entry->position == position && entry->user == user)
            return entry;
    }
    return NULL;
}
