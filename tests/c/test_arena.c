#include "base/arena.h"

#include <stdint.h>

#include "support/alloc.h"
#include "support/check.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#endif

static void fill_one(struct arena *a, size_t size)
{
    char *p = arena_alloc(a, size);

    assert_non_null(p);
    assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(p[i], 0);
    memset(p, 0x5a, size);
}

TEST(gives_zeroed_memory_for_any_type)
{
    /* Again and again: what was freed before is not zeroed by itself. */
    for (int round = 0; round < 3; round++) {
        struct arena a = ARENA_EMPTY;
        for (size_t size = 0; size < 5000; size += 37)
            fill_one(&a, size);
        arena_free(&a);
        assert_null(a.blocks);
    }
}

TEST(gives_each_allocation_bytes_of_its_own)
{
    struct arena a = ARENA_EMPTY;
    unsigned char *given[500];

    for (size_t i = 0; i < 500; i++) {
        given[i] = arena_alloc(&a, i % 50 + 1);
        memset(given[i], (int)(i & 0xff), i % 50 + 1);
    }
    for (size_t i = 0; i < 500; i++)
        for (size_t j = 0; j < i % 50 + 1; j++)
            assert_int_equal(given[i][j], i & 0xff);
    arena_free(&a);
}

TEST(copies)
{
    struct arena a = ARENA_EMPTY;
    char text[] = "a\0b";
    struct str copy = arena_copy(&a, (struct str){text, 3});
    struct str none = arena_copy(&a, STR_NONE);

    text[0] = 'x';
    assert_bytes(copy, STR("a\0b"));
    /* Not NULL, so that NULL says that memory was short. */
    assert_non_null(none.ptr);
    assert_int_equal(none.len, 0);
    arena_free(&a);
}

TEST(refuses_sizes_that_wrap_around)
{
    struct arena a = ARENA_EMPTY;

    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 20));
    assert_null(arena_alloc(&a, SIZE_MAX / 2 + 1));
    assert_non_null(arena_alloc(&a, 1));
    arena_free(&a);
}

TEST(says_so_when_memory_is_short)
{
    bool done = false;

    for (size_t permitted = 0; !done; permitted++) {
        struct arena a = ARENA_EMPTY;
        bool all = true;
        alloc_permit(permitted);
        for (size_t i = 0; i < 20; i++) {
            char *p = arena_alloc(&a, 700);
            all = all && p != NULL && arena_copy(&a, STR("text")).ptr != NULL;
            if (p != NULL)
                memset(p, 1, 700);
        }
        done = !alloc_permit_all();
        assert_that(all == done, "with %zu allocations", permitted);
        arena_free(&a);
    }
}

TEST(is_empty_and_usable_after_it_was_freed)
{
    struct arena a = ARENA_EMPTY;

    arena_free(&a);
    assert_non_null(arena_alloc(&a, 10));
    arena_free(&a);
    assert_non_null(arena_alloc(&a, 10));
    arena_free(&a);
}

/* An overrun by one byte is what the header promises to show; without AddressSanitizer there is nothing to see. */
TEST(shows_the_sanitizer_where_an_allocation_ends)
{
#ifdef WITH_ASAN
    struct arena a = ARENA_EMPTY;
    for (size_t size = 1; size <= 64; size++) {
        char *p = arena_alloc(&a, size);
        assert_false(__asan_address_is_poisoned(p + size - 1));
        assert_that(__asan_address_is_poisoned(p + size), "the byte behind an allocation of %zu is not guarded", size);
    }
    arena_free(&a);
#else
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_memory_for_any_type),
        cmocka_unit_test(gives_each_allocation_bytes_of_its_own),
        cmocka_unit_test(copies),
        cmocka_unit_test(refuses_sizes_that_wrap_around),
        cmocka_unit_test(says_so_when_memory_is_short),
        cmocka_unit_test(is_empty_and_usable_after_it_was_freed),
        cmocka_unit_test(shows_the_sanitizer_where_an_allocation_ends),
    };

    return RUN_TESTS(tests);
}
