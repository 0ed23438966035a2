#include "base/buf.h"

#include <stdlib.h>

#include "support/alloc.h"
#include "support/check.h"

TEST(appends_and_grows)
{
    struct buf b = BUF_EMPTY;

    for (int i = 0; i < 10000; i++)
        buf_append(&b, "abc", 3);
    assert_false(b.failed);
    assert_int_equal(b.len, 30000);
    assert_memory_equal(b.data + 29997, "abc", 3);
    buf_free(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
}

TEST(appends_of_every_kind)
{
    struct buf b = BUF_EMPTY;

    buf_append_str(&b, STR("a\0b"));
    buf_append_str(&b, STR_NONE);
    buf_append_char(&b, '|');
    buf_append_u64(&b, 0);
    buf_append_char(&b, '|');
    buf_append_u64(&b, UINT64_MAX);
    buf_printf(&b, "|%s %d", "x", -5);
    assert_bytes(buf_str(&b), STR("a\0b|0|18446744073709551615|x -5"));
    buf_free(&b);
}

TEST(prints_texts_of_any_length)
{
    char expected[3000];
    struct buf b = BUF_EMPTY;

    memset(expected, 'x', sizeof expected);
    /* The NUL that vsnprintf writes needs room as well: lengths around the capacities matter. */
    for (size_t len = 1; len < sizeof expected; len += 13) {
        b.len = 0;
        buf_printf(&b, "%.*s", (int)len, expected);
        assert_int_equal(b.len, len);
        assert_memory_equal(b.data, expected, len);
    }
    buf_free(&b);
}

TEST(reserves_room_without_a_further_allocation)
{
    struct buf b = BUF_EMPTY;

    assert_true(buf_reserve(&b, 5000));
    size_t before = alloc_count();
    for (int i = 0; i < 5000; i++)
        buf_append_char(&b, 'x');
    assert_int_equal(alloc_count(), before);
    assert_int_equal(b.len, 5000);
    buf_free(&b);
}

TEST(a_failure_sticks)
{
    struct buf b = BUF_EMPTY;

    buf_append(&b, "kept", 4);
    alloc_fail_once(0);
    for (int i = 0; i < 100; i++)
        buf_append(&b, "lost", 4);
    assert_true(alloc_permit_all());
    assert_true(b.failed);
    size_t len = b.len;
    /* There is memory again, but the contents have a hole: nothing may be added behind it. */
    buf_append(&b, "later", 5);
    buf_append_u64(&b, 1);
    buf_printf(&b, "%s", "later");
    assert_false(buf_reserve(&b, 1));
    assert_int_equal(b.len, len);
    assert_true(b.failed);
    buf_free(&b);
    assert_false(b.failed);
}

TEST(refuses_sizes_that_wrap_around)
{
    struct buf b = BUF_EMPTY;

    buf_append(&b, "abc", 3);
    size_t before = alloc_count();
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    assert_int_equal(alloc_count(), before);
    buf_free(&b);
}

TEST(appends_at_every_step_of_memory_or_fails)
{
    bool done = false;

    for (size_t permitted = 0; !done; permitted++) {
        struct buf b = BUF_EMPTY;
        alloc_permit(permitted);
        for (int i = 0; i < 500; i++)
            buf_printf(&b, "%d,", i);
        done = !alloc_permit_all();
        assert_that(b.failed == !done, "with %zu allocations", permitted);
        buf_free(&b);
    }
}

TEST(hands_its_bytes_over)
{
    struct buf b = BUF_EMPTY;
    size_t len;

    buf_append(&b, "abc", 3);
    char *bytes = buf_take(&b, &len);
    assert_int_equal(len, 3);
    assert_memory_equal(bytes, "abc", 3);
    assert_null(b.data);
    assert_int_equal(b.cap, 0);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_and_grows),
        cmocka_unit_test(appends_of_every_kind),
        cmocka_unit_test(prints_texts_of_any_length),
        cmocka_unit_test(reserves_room_without_a_further_allocation),
        cmocka_unit_test(a_failure_sticks),
        cmocka_unit_test(refuses_sizes_that_wrap_around),
        cmocka_unit_test(appends_at_every_step_of_memory_or_fails),
        cmocka_unit_test(hands_its_bytes_over),
    };

    return RUN_TESTS(tests);
}
