/*
 * map.h - a hash map of pointers: open addressing, linear probing, 16 bytes a slot.
 *
 * The map stores the values' pointers and hashes, not their keys: the values carry those. It never owns a value. It grows
 * when it is three quarters full, and gives memory back when less than a quarter is used.
 */
#ifndef PILLAR_BASE_MAP_H
#define PILLAR_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAP_LEAST = 16, MAP_SPARSE = 4 };

struct map_slot {
    uint64_t hash;
    void *value; /* NULL: free */
};

struct map {
    struct map_slot *slots; /* owned; a power of two of them, or NULL */
    size_t capacity;
    size_t count;
};

#define MAP_EMPTY ((struct map){NULL, 0, 0})

/* True when `value` is the one that `key` names. */
typedef bool map_matches(const void *value, const void *key);

/* The value with this hash that matches, or NULL. */
void *map_find(const struct map *m, uint64_t hash, map_matches *matches, const void *key);

/* Adds a value that is not in the map. Returns false, and changes nothing, when memory is short. */
bool map_insert(struct map *m, uint64_t hash, void *value);

/* Removes this very value; does nothing when it is not there. */
void map_remove(struct map *m, uint64_t hash, const void *value);

void map_free(struct map *m);

#endif
