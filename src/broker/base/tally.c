#include "base/tally.h"

#include <stdlib.h>

/* The slot of this key, or the free one where it would be. There is always a free slot. */
static size_t find(const struct tally *t, uint32_t key)
{
    size_t i = key & (t->capacity - 1);

    while (t->slots[i].count != 0 && t->slots[i].key != key)
        i = (i + 1) & (t->capacity - 1);
    return i;
}

uint32_t tally_get(const struct tally *t, uint32_t key)
{
    return t->capacity == 0 ? 0 : t->slots[find(t, key)].count;
}

static bool resize(struct tally *t, size_t capacity)
{
    struct tally other = {calloc(capacity, sizeof *t->slots), capacity, t->used};

    if (other.slots == NULL)
        return false;
    for (size_t i = 0; i < t->capacity; i++)
        if (t->slots[i].count != 0)
            other.slots[find(&other, t->slots[i].key)] = t->slots[i];
    free(t->slots);
    *t = other;
    return true;
}

bool tally_add(struct tally *t, uint32_t key)
{
    if ((t->used + 1) * 4 > t->capacity * 3 && !resize(t, t->capacity == 0 ? 16 : t->capacity * 2))
        return false;
    struct tally_slot *slot = &t->slots[find(t, key)];
    t->used += slot->count == 0 ? 1 : 0;
    *slot = (struct tally_slot){key, slot->count + 1};
    return true;
}

/* Closes the gap at `i`: moves back each following slot that probing could otherwise no longer reach. */
static void close_gap(struct tally *t, size_t i)
{
    size_t mask = t->capacity - 1;

    for (size_t j = (i + 1) & mask; t->slots[j].count != 0; j = (j + 1) & mask) {
        size_t wanted = t->slots[j].key & mask;
        if (((j - wanted) & mask) >= ((j - i) & mask)) {
            t->slots[i] = t->slots[j];
            i = j;
        }
    }
    t->slots[i] = (struct tally_slot){0, 0};
    t->used--;
}

void tally_drop(struct tally *t, uint32_t key)
{
    if (tally_get(t, key) == 0)
        return;
    size_t i = find(t, key);
    if (--t->slots[i].count == 0)
        close_gap(t, i);
    if (t->capacity > 16 && t->used * 8 < t->capacity)
        (void)resize(t, t->capacity / 2); /* short of memory, it stays as large as it is */
}

void tally_free(struct tally *t)
{
    free(t->slots);
    *t = (struct tally){NULL, 0, 0};
}
