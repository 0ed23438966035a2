#include "base/rate.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"

static const uint64_t SECOND = 1000000000;

TEST(a_bucket_holds_a_second_s_worth)
{
    struct rate *r = rate_create(10, 4);

    for (int i = 0; i < 10; i++)
        assert_int_equal(rate_take(r, 1, 5 * SECOND), 0);
    assert_int_equal(rate_take(r, 1, 5 * SECOND), SECOND / 10);
    assert_int_equal(rate_take(r, 2, 5 * SECOND), 0); /* another's is another */
    rate_free(r);
}

TEST(it_is_refilled_as_fast)
{
    struct rate *r = rate_create(10, 4);
    uint64_t now = 5 * SECOND;

    for (int i = 0; i < 10; i++)
        assert_int_equal(rate_take(r, 1, now), 0);
    now += SECOND / 10 - 1;
    assert_int_equal(rate_take(r, 1, now), 1);
    now += 1;
    assert_int_equal(rate_take(r, 1, now), 0);
    assert_int_equal(rate_take(r, 1, now), SECOND / 10);
    now += 100 * SECOND; /* it never holds more than a second's worth */
    for (int i = 0; i < 10; i++)
        assert_int_equal(rate_take(r, 1, now), 0);
    assert_int_not_equal(rate_take(r, 1, now), 0);
    rate_free(r);
}

TEST(what_is_refused_takes_nothing)
{
    struct rate *r = rate_create(1, 4);

    assert_int_equal(rate_take(r, 1, 0), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(rate_take(r, 1, 0), SECOND);
    assert_int_equal(rate_take(r, 1, SECOND), 0);
    rate_free(r);
}

TEST(over_time_exactly_the_rate_passes)
{
    static const uint64_t rates[] = {1, 3, 7, 1000, 10000};

    for (size_t n = 0; n < sizeof rates / sizeof *rates; n++) {
        struct rate *r = rate_create(rates[n], 4);
        uint64_t passed = 0;
        for (uint64_t now = 0; now < 10 * SECOND; now += SECOND / 25000)
            passed += rate_take(r, 1, now) == 0 ? 1 : 0;
        assert_in_range(passed, 11 * rates[n] - 1, 11 * rates[n] + 1);
        rate_free(r);
    }
}

/* Three in the table: a fourth takes the place of whoever was there longest ago. */
TEST(when_it_is_full_the_longest_unused_goes)
{
    struct rate *r = rate_create(1, 3);

    for (uint64_t key = 1; key <= 3; key++)
        assert_int_equal(rate_take(r, key, 0), 0);
    assert_int_not_equal(rate_take(r, 1, 0), 0); /* used, though in vain: now 2 is the oldest */
    assert_int_equal(rate_take(r, 4, 0), 0);
    assert_int_not_equal(rate_take(r, 1, 0), 0);
    assert_int_not_equal(rate_take(r, 3, 0), 0);
    assert_int_not_equal(rate_take(r, 4, 0), 0);
    assert_int_equal(rate_take(r, 2, 0), 0); /* forgotten; 1 goes for it */
    assert_int_equal(rate_take(r, 1, 0), 0);
    rate_free(r);
}

enum { KEYS = 50, MOST = 16, STEPS = 20000 };

/* Beside an array of buckets with the time of their last use. */
static void compare(struct dice *dice)
{
    uint64_t full[KEYS] = {0};
    uint64_t used[KEYS] = {0};
    struct rate *r = rate_create(2, MOST);

    for (uint64_t step = 1; step < STEPS; step++) {
        uint64_t now = step * (SECOND / 20);
        size_t key = dice_roll(dice, KEYS);
        size_t later = 0;
        for (size_t i = 0; i < KEYS; i++)
            later += used[i] > used[key] ? 1 : 0;
        if (later >= MOST)
            full[key] = 0;
        uint64_t next = (full[key] > now ? full[key] : now) + SECOND / 2;
        bool passes = next - now <= SECOND;
        full[key] = passes ? next : full[key];
        used[key] = step;
        /* The keys share the ends that chains go by. */
        assert_int_equal(rate_take(r, key << 3, now) == 0, passes);
    }
    rate_free(r);
}

TEST(it_agrees_with_a_plain_list)
{
    dice_for_each_seed(compare);
}

TEST(the_time_to_wait_is_in_whole_seconds)
{
    assert_int_equal(rate_retry_after(0), 1);
    assert_int_equal(rate_retry_after(1), 1);
    assert_int_equal(rate_retry_after(SECOND), 1);
    assert_int_equal(rate_retry_after(SECOND + 1), 2);
}

TEST(a_table_is_made_whole_or_not_at_all)
{
    bool all = false;

    for (size_t permitted = 0; !all; permitted++) {
        alloc_permit(permitted);
        struct rate *r = rate_create(1, 1);
        all = !alloc_permit_all();
        assert_int_equal(r != NULL, all);
        rate_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bucket_holds_a_second_s_worth),
        cmocka_unit_test(it_is_refilled_as_fast),
        cmocka_unit_test(what_is_refused_takes_nothing),
        cmocka_unit_test(over_time_exactly_the_rate_passes),
        cmocka_unit_test(when_it_is_full_the_longest_unused_goes),
        cmocka_unit_test(it_agrees_with_a_plain_list),
        cmocka_unit_test(the_time_to_wait_is_in_whole_seconds),
        cmocka_unit_test(a_table_is_made_whole_or_not_at_all),
    };

    return RUN_TESTS(tests);
}
