#include "base/tally.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"

enum { KEYS = 200, STEPS = 50000 };

TEST(an_empty_tally_counts_nothing)
{
    struct tally t = {0};

    assert_int_equal(tally_get(&t, 7), 0);
    tally_drop(&t, 7);
    assert_int_equal(t.used, 0);
    tally_free(&t);
}

static void compare(struct dice *dice)
{
    uint32_t counts[KEYS] = {0};
    struct tally t = {0};

    for (size_t step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)dice_roll(dice, KEYS);
        uint32_t key = i * 8; /* so that many want the same slot */
        /* It grows in the first half, and shrinks in the second. */
        if (dice_percent(dice, step < STEPS / 2 ? 60 : 30)) {
            assert_true(tally_add(&t, key));
            counts[i]++;
        } else {
            tally_drop(&t, key);
            counts[i] -= counts[i] > 0 ? 1 : 0;
        }
        uint32_t other = (uint32_t)dice_roll(dice, KEYS);
        assert_int_equal(tally_get(&t, key), counts[i]);
        assert_int_equal(tally_get(&t, other * 8), counts[other]);
    }
    for (uint32_t i = 0; i < KEYS; i++)
        for (; counts[i] > 0; counts[i]--)
            tally_drop(&t, i * 8);
    assert_int_equal(t.used, 0);
    assert_int_equal(t.capacity, 16); /* what a crowd needed is given back */
    tally_free(&t);
}

TEST(it_agrees_with_an_array)
{
    dice_for_each_seed(compare);
}

TEST(without_memory_nothing_is_counted)
{
    struct tally t = {0};

    alloc_permit(0);
    assert_false(tally_add(&t, 1));
    (void)alloc_permit_all();
    assert_int_equal(tally_get(&t, 1), 0);
    tally_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_tally_counts_nothing),
        cmocka_unit_test(it_agrees_with_an_array),
        cmocka_unit_test(without_memory_nothing_is_counted),
    };

    return RUN_TESTS(tests);
}
