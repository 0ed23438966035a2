/*
 * arena.h - memory that is given back all at once: what belongs to one request.
 *
 * Under AddressSanitizer each allocation is a block of its own, so that an overrun is seen.
 */
#ifndef PILLAR_BASE_ARENA_H
#define PILLAR_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned, newest first */
};

#define ARENA_EMPTY ((struct arena){NULL})

/* Zeroed memory for any type, valid until arena_free. NULL when memory is short. */
void *arena_alloc(struct arena *a, size_t size);

/* A copy of s; ptr is NULL when memory is short, and not NULL otherwise, even for an empty s. */
struct str arena_copy(struct arena *a, struct str s);

void arena_free(struct arena *a);

#endif
