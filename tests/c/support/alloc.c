#include "support/alloc.h"

#include <malloc.h>
#include <stdint.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);
void __wrap_free(void *memory);

static _Thread_local size_t left = SIZE_MAX; /* SIZE_MAX: no limit */
static _Thread_local bool once;
static _Thread_local bool refused;
static _Thread_local size_t calls;
static _Thread_local size_t held;

void alloc_permit(size_t count)
{
    left = count;
    once = false;
    refused = false;
}

void alloc_fail_once(size_t count)
{
    alloc_permit(count);
    once = true;
}

bool alloc_permit_all(void)
{
    bool failed = refused;

    alloc_permit(SIZE_MAX);
    return failed;
}

size_t alloc_count(void)
{
    return calls;
}

static bool may_allocate(void)
{
    calls++;
    if (left == SIZE_MAX)
        return true;
    if (left > 0) {
        left--;
        return true;
    }
    refused = true;
    if (once)
        left = SIZE_MAX;
    return false;
}

static size_t size_of(void *memory)
{
    return memory == NULL ? 0 : malloc_usable_size(memory) + sizeof(size_t);
}

static void *hold(void *memory)
{
    held += size_of(memory);
    return memory;
}

size_t alloc_held(void)
{
    return held;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? hold(__real_malloc(size)) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? hold(__real_calloc(count, size)) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    size_t before = size_of(old);
    void *memory = may_allocate() ? __real_realloc(old, size) : NULL;

    held -= memory == NULL ? 0 : before;
    return hold(memory);
}

char *__wrap_strdup(const char *text)
{
    return may_allocate() ? hold(__real_strdup(text)) : NULL;
}

void __wrap_free(void *memory)
{
    held -= size_of(memory);
    __real_free(memory);
}
