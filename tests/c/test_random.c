#include "base/random.h"

#include <stdbool.h>
#include <string.h>

#include "support/check.h"

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

TEST(hex_has_two_digits_a_byte_and_an_end)
{
    for (size_t len = 0; len <= 150; len++) {
        char out[304];
        memset(out, 'x', sizeof out);
        random_hex(out, len);
        for (size_t i = 0; i < 2 * len; i++)
            assert_true(is_hex(out[i]));
        assert_that(out[2 * len] == '\0', "no NUL behind %zu bytes", len);
        assert_int_equal(out[2 * len + 1], 'x');
    }
}

TEST(bytes_differ_from_call_to_call)
{
    unsigned char a[32] = {0};
    unsigned char b[32] = {0};

    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    assert_true(random_u64() != random_u64());
}

TEST(uuid7_has_the_format_of_rfc_9562)
{
    char id[37];

    for (int round = 0; round < 200; round++) {
        random_uuid7(id, 0x0123456789abu);
        assert_int_equal(strlen(id), 36);
        for (int i = 0; i < 36; i++) {
            if (i == 8 || i == 13 || i == 18 || i == 23)
                assert_int_equal(id[i], '-');
            else
                assert_true(is_hex(id[i]));
        }
        assert_int_equal(id[14], '7');
        assert_non_null(strchr("89ab", id[19]));
        assert_memory_equal(id, "01234567-89ab", 13);
    }
}

TEST(uuid7_sorts_by_time)
{
    static const uint64_t times[] = {0, 1, 255, 256, 65535, 65536, 1700000000000u, 1700000000001u, (1ull << 48) - 1};
    char earlier[37];
    char later[37];

    random_uuid7(earlier, times[0]);
    for (size_t i = 1; i < sizeof times / sizeof *times; i++) {
        random_uuid7(later, times[i]);
        assert_true(strcmp(earlier, later) < 0);
        memcpy(earlier, later, sizeof later);
    }
}

TEST(uuid7_differs_within_a_millisecond)
{
    char a[37];
    char b[37];

    random_uuid7(a, 1);
    random_uuid7(b, 1);
    assert_string_not_equal(a, b);
}

/* More of them than the counter has room for, and a clock that steps back on the way. */
TEST(uuid7_sorts_within_a_millisecond)
{
    char earlier[37] = "";
    char later[37];

    for (int i = 0; i < 10000; i++) {
        random_uuid7(later, i == 5000 ? 1700000000000 - 9000 : 1700000000000);
        assert_true(strcmp(earlier, later) < 0);
        memcpy(earlier, later, sizeof later);
    }
    random_uuid7(later, 1700000000000 - 60000); /* a clock that was wrong by much is believed again */
    assert_true(strcmp(earlier, later) > 0);
}

TEST(between_stays_in_range_and_reaches_it_all)
{
    uint64_t jitter = 0; /* the one state that its generator could not leave by itself */
    unsigned seen[7] = {0};

    for (int i = 0; i < 2000; i++) {
        uint64_t value = random_between(&jitter, 10, 16);
        assert_in_range(value, 10, 16);
        seen[value - 10]++;
    }
    for (int i = 0; i < 7; i++)
        assert_true(seen[i] > 0);
    assert_int_equal(random_between(&jitter, 5, 5), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_has_two_digits_a_byte_and_an_end),      cmocka_unit_test(bytes_differ_from_call_to_call),
        cmocka_unit_test(uuid7_has_the_format_of_rfc_9562),          cmocka_unit_test(uuid7_sorts_by_time),
        cmocka_unit_test(uuid7_differs_within_a_millisecond),        cmocka_unit_test(uuid7_sorts_within_a_millisecond),
        cmocka_unit_test(between_stays_in_range_and_reaches_it_all),
    };

    return RUN_TESTS(tests);
}
