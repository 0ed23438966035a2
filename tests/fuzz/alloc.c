#include "alloc.h"

#include <stddef.h>

/* The linker's names. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static unsigned left; /* allocations until the one that fails; 0: none does */
static unsigned suspended;
static bool failed;

void alloc_fail_at(unsigned nth)
{
    left = nth;
    failed = false;
}

bool alloc_has_failed(void)
{
    return failed;
}

void alloc_suspend(void)
{
    suspended++;
}

void alloc_resume(void)
{
    suspended--;
}

static bool fails(void)
{
    if (left == 0 || suspended > 0 || --left > 0)
        return false;
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails() ? NULL : __real_realloc(memory, size);
}
