#include "bus/position.h"

#include "support/check.h"
#include "support/events.h"

TEST(writes_generation_and_number)
{
    char out[POSITION_TEXT_MAX];

    assert_str(position_text(out, &test_generation, 0), "0123456789ab-0");
    assert_int_equal(strlen(out), 14);
    assert_str(position_text(out, &test_generation, UINT64_MAX), "0123456789ab-18446744073709551615");
    assert_int_equal(strlen(out), POSITION_TEXT_MAX - 1);
}

TEST(reads_what_it_writes)
{
    static const uint64_t numbers[] = {0, 1, 9, 10, 4294967296u, UINT64_MAX - 1, UINT64_MAX};
    char out[POSITION_TEXT_MAX];

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        uint64_t number = 7;
        struct str text = position_text(out, &test_generation, numbers[i]);
        assert_int_equal(position_read(text, &test_generation, &number), POSITION_OK);
        assert_true(number == numbers[i]);
    }
}

TEST(tells_another_history_from_this_one)
{
    uint64_t number = 7;

    assert_int_equal(position_read(STR("fedcba987654-3"), &test_generation, &number), POSITION_OTHER_GENERATION);
    assert_int_equal(number, 7);
}

TEST(refuses_everything_else)
{
    static const struct str wrong[] = {
        {NULL, 0},
        {"", 0},
        {"3", 1},
        {"-", 1},
        {"-3", 2},
        {"0123456789ab", 12},
        {"0123456789ab-", 13},
        {"0123456789ab-x", 14},
        {"0123456789ab--3", 15},
        {"0123456789ab-+3", 15},
        {"0123456789ab-3 ", 15},
        {" 0123456789ab-3", 15},
        {"0123456789ab-3\0", 15},
        {"0123456789ab-3-4", 16},
        {"0123456789AB-3", 14},
        {"0123456789a-3", 13},
        {"0123456789abc-3", 15},
        {"0123456789ag-3", 14},
        {"0123456789ab_3", 14},
        {"0123456789ab-18446744073709551616", 33},
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint64_t number = 7;
        assert_that(position_read(wrong[i], &test_generation, &number) == POSITION_MALFORMED, "accepted: %.*s",
                    STR_ARG(wrong[i]));
        assert_int_equal(number, 7);
    }
}

TEST(every_new_generation_is_another)
{
    struct generation a = generation_new();
    struct generation b = generation_new();
    char out[POSITION_TEXT_MAX];
    uint64_t number;

    assert_int_equal(strlen(a.text), GENERATION_LEN);
    assert_string_not_equal(a.text, b.text);
    assert_int_equal(position_read(position_text(out, &a, 5), &a, &number), POSITION_OK);
    assert_int_equal(position_read(position_text(out, &a, 5), &b, &number), POSITION_OTHER_GENERATION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_generation_and_number),        cmocka_unit_test(reads_what_it_writes),
        cmocka_unit_test(tells_another_history_from_this_one), cmocka_unit_test(refuses_everything_else),
        cmocka_unit_test(every_new_generation_is_another),
    };

    return RUN_TESTS(tests);
}
