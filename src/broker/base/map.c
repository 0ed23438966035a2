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

static bool resize(struct map *m, size_t capacity)
{
    struct map next = {calloc(capacity, sizeof *next.slots), capacity, m->count};

    if (next.slots == NULL)
        return false;
    for (size_t i = 0; i < m->capacity; i++)
        if (m->slots[i].value != NULL)
            place(&next, m->slots[i].hash, m->slots[i].value);
    free(m->slots);
    *m = next;
    return true;
}

bool map_insert(struct map *m, uint64_t hash, void *value)
{
    if ((m->count + 1) * 4 > m->capacity * 3 && !resize(m, m->capacity == 0 ? MAP_LEAST : m->capacity * 2))
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
    if (m->capacity > MAP_LEAST && m->count * MAP_SPARSE < m->capacity)
        (void)resize(m, m->capacity / 2); /* short of memory, it stays as large as it is */
}

void map_free(struct map *m)
{
    free(m->slots);
    *m = MAP_EMPTY;
}
