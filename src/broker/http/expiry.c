#include "http/expiry.h"

#include <stdlib.h>

enum { ROOM_MIN = 16 };

static void put(struct expiry_queue *q, size_t index, struct expiry entry)
{
    q->at[index] = entry;
    *entry.place = (uint32_t)index + 1;
}

/* Moves the entry at `index` to where it belongs, towards the front. Returns where that is. */
static size_t rise(struct expiry_queue *q, size_t index)
{
    struct expiry entry = q->at[index];

    while (index > 0 && entry.due_ms < q->at[(index - 1) / 2].due_ms) {
        put(q, index, q->at[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(q, index, entry);
    return index;
}

static void sink(struct expiry_queue *q, size_t index)
{
    struct expiry entry = q->at[index];

    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= q->count)
            break;
        if (child + 1 < q->count && q->at[child + 1].due_ms < q->at[child].due_ms)
            child++;
        if (q->at[child].due_ms >= entry.due_ms)
            break;
        put(q, index, q->at[child]);
        index = child;
    }
    put(q, index, entry);
}

static bool resize(struct expiry_queue *q, size_t room)
{
    struct expiry *at = realloc(q->at, room * sizeof *at);

    if (at == NULL)
        return false;
    q->at = at;
    q->room = room;
    return true;
}

bool expiry_add(struct expiry_queue *q, const struct expiry *entry)
{
    if (q->count == q->room && !resize(q, q->room == 0 ? ROOM_MIN : q->room * 2))
        return false;
    q->at[q->count++] = *entry;
    (void)rise(q, q->count - 1);
    return true;
}

void expiry_remove(struct expiry_queue *q, uint32_t *place)
{
    if (*place == 0)
        return;
    size_t index = *place - 1;
    *place = 0;
    q->count--;
    if (index < q->count) {
        q->at[index] = q->at[q->count];
        sink(q, rise(q, index));
    }
    if (q->room > ROOM_MIN && q->count <= q->room / 4)
        (void)resize(q, q->room / 2); /* short of memory, it stays as large as it is */
}

const struct expiry *expiry_due(const struct expiry_queue *q, uint64_t now_ms)
{
    return q->count > 0 && q->at[0].due_ms <= now_ms ? &q->at[0] : NULL;
}

void expiry_move(struct expiry_queue *q, const uint32_t *place, uint64_t due_ms)
{
    size_t index = *place - 1;

    q->at[index].due_ms = due_ms;
    sink(q, rise(q, index));
}

void expiry_free(struct expiry_queue *q)
{
    free(q->at);
    *q = (struct expiry_queue){NULL, 0, 0};
}
