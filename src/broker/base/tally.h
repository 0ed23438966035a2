/*
 * tally.h - how many there are of each kind, for kinds that come and go: a hash table of counts, 8 bytes a slot.
 *
 * A kind is named by 32 bits of a keyed hash. Two of a hundred thousand share them about once, and then their count.
 */
#ifndef PILLAR_BASE_TALLY_H
#define PILLAR_BASE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally_slot {
    uint32_t key;
    uint32_t count; /* 0: free */
};

/* Zeroed, it is empty. */
struct tally {
    struct tally_slot *slots; /* owned; a power of two of them, or NULL */
    size_t capacity;
    size_t used;
};

uint32_t tally_get(const struct tally *t, uint32_t key);

/* Counts one more. Returns false, and counts nothing, when memory is short. */
bool tally_add(struct tally *t, uint32_t key);

/* Takes back what tally_add counted. */
void tally_drop(struct tally *t, uint32_t key);

void tally_free(struct tally *t);

#endif
