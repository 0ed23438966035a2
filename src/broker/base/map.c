#include "base/map.h"

#include <stdlib.h>

static size_t home(const struct map *m, uint64_t hash)
{
    return (size_t)hash & (m->capacity - 1);
}

void *map_find(const struct map *m, uint64_t hash, map_matches *matches, const void *key)
{
    if (m->capacity == 0)
        return NULL;
    for (size_t i = home(m, hash); m->slots[i].value != NULL; i = (i + 1) & (m->capacity - 1))
        if (m->slots[i].hash == hash && matches(m->slots[i].value, key))
            return m->slots[i].value;
    return NULL;
}

static void place(struct map *m, uint64_t hash, void *value)
{
    size_t i = home(m, hash);

    while (m->slots[i].value != NULL)
        i = (i + 1) & (m->capacity - 1);
    m->slots[i] = (struct map_slot){hash, value};
}

static bool grow(struct map *m)
{
    struct map bigger = {NULL, m->capacity == 0 ? 16 : m->capacity * 2, m->count};

    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].value != NULL)
            place(&bigger, m->slots[i].hash, m->slots[i].value);
    free(m->slots);
    *m = bigger;
    return true;
}

bool map_insert(struct map *m, uint64_t hash, void *value)
{
    if ((m->count + 1) * 4 > m->capacity * 3 && !grow(m))
        return false;
    place(m, hash, value);
    m->count++;
    return true;
}

void map_remove(struct map *m, uint64_t hash, const void *value)
{
    if (m->capacity == 0)
        return;
    size_t i = home(m, hash);

    while (m->slots[i].value != value) {
        if (m->slots[i].value == NULL)
            return;
        i = (i + 1) & (m->capacity - 1);
    }
    /* Close the gap: move back each following value that probing could otherwise no longer reach. */
    for (size_t j = (i + 1) & (m->capacity - 1); m->slots[j].value != NULL; j = (j + 1) & (m->capacity - 1)) {
        size_t wanted = home(m, m->slots[j].hash);
        if (((j - wanted) & (m->capacity - 1)) >= ((j - i) & (m->capacity - 1))) {
            m->slots[i] = m->slots[j];
            i = j;
        }
    }
    m->slots[i] = (struct map_slot){0, NULL};
    m->count--;
}

void map_free(struct map *m)
{
    free(m->slots);
    *m = MAP_EMPTY;
}
