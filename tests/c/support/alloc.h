/*
 * alloc.h - malloc, calloc, realloc, strdup and free, counted, and failing when a test says so.
 *
 * The linker puts these in place of the C library's, for the core and the test; libraries keep their own.
 * Counts and limits are the calling thread's.
 */
#ifndef PILLAR_TESTS_ALLOC_H
#define PILLAR_TESTS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* From now on `count` allocations succeed and all further ones fail. */
void alloc_permit(size_t count);

/* From now on `count` allocations succeed, one fails, and all further ones succeed. */
void alloc_fail_once(size_t count);

/* Lets all succeed again. Returns true when one has failed since the last permission. */
bool alloc_permit_all(void);

/* Allocations by this thread so far, failed ones included. */
size_t alloc_count(void);

/* The bytes that this thread has allocated and not freed, with what malloc adds to each. What it frees for another, or for
 * a library, is taken off: so look at differences. */
size_t alloc_held(void);

#endif
