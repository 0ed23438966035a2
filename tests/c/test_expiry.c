#include "http/expiry.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"

enum { THINGS = 300, STEPS = 20000 };

static bool add(struct expiry_queue *q, uint64_t due_ms, uint32_t *place)
{
    return expiry_add(q, &(struct expiry){due_ms, due_ms + 1000, place});
}

TEST(an_empty_queue_has_nothing_due)
{
    struct expiry_queue q = {0};
    uint32_t place = 0;

    assert_null(expiry_due(&q, UINT64_MAX));
    expiry_remove(&q, &place);
    assert_int_equal(place, 0);
    expiry_free(&q);
}

TEST(the_earliest_is_due_first_and_not_before_its_time)
{
    struct expiry_queue q = {0};
    uint32_t places[3] = {0};

    assert_true(add(&q, 30, &places[0]));
    assert_true(add(&q, 10, &places[1]));
    assert_true(add(&q, 20, &places[2]));
    assert_null(expiry_due(&q, 9));
    assert_ptr_equal(expiry_due(&q, 10)->place, &places[1]);
    assert_int_equal(expiry_due(&q, 10)->expires_ms, 1010);
    expiry_move(&q, &places[1], 25);
    assert_ptr_equal(expiry_due(&q, 100)->place, &places[2]);
    expiry_remove(&q, &places[2]);
    assert_int_equal(places[2], 0);
    assert_ptr_equal(expiry_due(&q, 100)->place, &places[1]);
    expiry_free(&q);
}

/* Beside a plain array: after each step the earliest of both is the same. */
static void compare(struct dice *dice)
{
    uint32_t places[THINGS] = {0};
    uint64_t dues[THINGS] = {0};
    struct expiry_queue q = {0};

    for (size_t step = 0; step < STEPS; step++) {
        size_t i = dice_roll(dice, THINGS);
        uint64_t due = 1 + dice_roll(dice, 500);
        if (places[i] == 0)
            assert_true(add(&q, due, &places[i]));
        else if (dice_roll(dice, 3) == 0)
            expiry_move(&q, &places[i], due);
        else
            expiry_remove(&q, &places[i]);
        dues[i] = places[i] == 0 ? 0 : due;
        uint64_t earliest = UINT64_MAX;
        for (size_t n = 0; n < THINGS; n++)
            earliest = dues[n] != 0 && dues[n] < earliest ? dues[n] : earliest;
        const struct expiry *first = expiry_due(&q, UINT64_MAX);
        assert_int_equal(first == NULL ? UINT64_MAX : first->due_ms, earliest);
    }
    for (size_t i = 0; i < THINGS; i++)
        expiry_remove(&q, &places[i]);
    assert_int_equal(q.count, 0);
    assert_true(q.room <= 16); /* what a crowd needed is given back */
    expiry_free(&q);
}

TEST(it_agrees_with_a_list_that_is_searched)
{
    dice_for_each_seed(compare);
}

TEST(without_memory_nothing_is_added)
{
    struct expiry_queue q = {0};
    uint32_t place = 0;

    alloc_permit(0);
    assert_false(add(&q, 1, &place));
    assert_true(alloc_permit_all());
    assert_int_equal(place, 0);
    assert_int_equal(q.count, 0);
    expiry_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_queue_has_nothing_due),
        cmocka_unit_test(the_earliest_is_due_first_and_not_before_its_time),
        cmocka_unit_test(it_agrees_with_a_list_that_is_searched),
        cmocka_unit_test(without_memory_nothing_is_added),
    };

    return RUN_TESTS(tests);
}
