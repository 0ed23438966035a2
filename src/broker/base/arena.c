#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer each allocation is a block of its own and of just its size, so that an overrun is seen. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_BLOCK_SIZE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_BLOCK_SIZE 0
#endif
#endif
#ifndef ARENA_BLOCK_SIZE
#define ARENA_BLOCK_SIZE 2000
#endif

struct arena_block {
    struct arena_block *older;
    size_t used;
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

static struct arena_block *add_block(struct arena *a, size_t least)
{
    size_t size = ARENA_BLOCK_SIZE;

    if (least > SIZE_MAX / 2)
        return NULL;
    if (size < least)
        size = least;
    struct arena_block *block = calloc(1, sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    block->older = a->blocks;
    a->blocks = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t size)
{
    size_t align = ARENA_BLOCK_SIZE == 0 ? 1 : _Alignof(max_align_t);
    size_t rounded = (size + align - 1) / align * align;

    if (rounded < size)
        return NULL;
    if (rounded == 0)
        rounded = align;
    struct arena_block *block = a->blocks;
    if (block == NULL || block->size - block->used < rounded) {
        block = add_block(a, rounded);
        if (block == NULL)
            return NULL;
    }
    void *at = block->bytes + block->used;
    block->used += rounded;
    return at;
}

struct str arena_copy(struct arena *a, struct str s)
{
    char *copy = arena_alloc(a, s.len);

    if (copy == NULL)
        return STR_NONE;
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (struct str){copy, s.len};
}

void arena_free(struct arena *a)
{
    while (a->blocks != NULL) {
        struct arena_block *older = a->blocks->older;
        free(a->blocks);
        a->blocks = older;
    }
}
