/* What a loop remembers of its last deliveries. */
#include "http/deliveries.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"

enum { ADA = 17, GRACE = 18 };

static void note(struct deliveries *d, uint64_t position, uint64_t user, uint64_t at_ms)
{
    deliveries_note(d,
                    &(struct delivery){.position = position, .user = user, .at_ms = at_ms, .session = (uint32_t)at_ms});
}

/* The times of all that is known of this event and user, the newest first. */
static void check_times(const struct deliveries *d, uint64_t position, uint64_t user, const uint64_t *times,
                        size_t count)
{
    const struct delivery *entry;
    size_t seen = 0;
    size_t found = 0;

    while ((entry = deliveries_find(d, position, user, &seen)) != NULL) {
        assert_that(found < count, "more than %zu are known", count);
        assert_int_equal(entry->position, position);
        assert_int_equal(entry->user, user);
        assert_int_equal(entry->at_ms, times[found++]);
    }
    assert_int_equal(found, count);
    assert_int_equal(seen, d->count);
}

#define assert_times(d, position, user, ...)                                                                           \
    check_times((d), (position), (user), (const uint64_t[]){__VA_ARGS__},                                              \
                sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))
#define assert_unknown(d, position, user) check_times((d), (position), (user), NULL, 0)

TEST(the_newest_delivery_comes_first)
{
    struct deliveries d;

    assert_true(deliveries_init(&d, 10, 100));
    assert_unknown(&d, 1, ADA);
    note(&d, 1, ADA, 101);
    note(&d, 1, GRACE, 102);
    note(&d, 2, ADA, 103);
    note(&d, 1, ADA, 104);
    assert_times(&d, 1, ADA, 104, 101);
    assert_times(&d, 1, GRACE, 102);
    assert_times(&d, 2, ADA, 103);
    assert_unknown(&d, 2, GRACE);
    assert_unknown(&d, 3, ADA);
    deliveries_free(&d);
}

TEST(an_entry_keeps_what_it_was_given)
{
    struct deliveries d;
    struct delivery entry = {.position = UINT64_MAX, .user = 1, .at_ms = 2, .session = UINT32_MAX, .echo = true};
    size_t seen = 0;

    assert_true(deliveries_init(&d, 1, 0));
    deliveries_note(&d, &entry);
    const struct delivery *found = deliveries_find(&d, UINT64_MAX, 1, &seen);
    assert_non_null(found);
    assert_int_equal(found->session, UINT32_MAX);
    assert_int_equal(found->at_ms, 2);
    assert_true(found->echo);
    deliveries_free(&d);
}

TEST(the_oldest_gives_way)
{
    struct deliveries d;

    assert_true(deliveries_init(&d, 3, 100));
    for (uint64_t i = 1; i <= 3; i++)
        note(&d, i, ADA, 100 + i);
    assert_times(&d, 1, ADA, 101);
    note(&d, 4, ADA, 104);
    assert_unknown(&d, 1, ADA);
    for (uint64_t i = 2; i <= 4; i++)
        assert_times(&d, i, ADA, 100 + i);
    deliveries_free(&d);
}

TEST(it_says_since_when_it_knows_all)
{
    struct deliveries d;

    assert_true(deliveries_init(&d, 2, 100));
    assert_int_equal(deliveries_since(&d), 100);
    note(&d, 1, ADA, 110);
    assert_int_equal(deliveries_since(&d), 100);
    note(&d, 2, ADA, 120);
    assert_int_equal(deliveries_since(&d), 110); /* the next one takes the place of that */
    note(&d, 3, ADA, 130);
    assert_int_equal(deliveries_since(&d), 120);
    deliveries_free(&d);
}

TEST(without_room_it_keeps_nothing)
{
    struct deliveries d;
    size_t before = alloc_count();

    assert_true(deliveries_init(&d, 0, 100));
    assert_int_equal(alloc_count(), before);
    note(&d, 1, ADA, 101);
    assert_unknown(&d, 1, ADA);
    assert_true(deliveries_since(&d) == UINT64_MAX);
    deliveries_free(&d);
}

TEST(short_of_memory_there_is_no_ring)
{
    struct deliveries d;

    alloc_permit(0);
    bool made = deliveries_init(&d, 8, 100);
    assert_true(alloc_permit_all());
    assert_false(made);
    note(&d, 1, ADA, 101);
    assert_unknown(&d, 1, ADA);
    deliveries_free(&d);
    deliveries_free(&d);
}

TEST(to_note_and_to_ask_allocates_nothing)
{
    struct deliveries d;

    assert_true(deliveries_init(&d, 8, 100));
    size_t before = alloc_count();
    for (uint64_t i = 0; i < 100; i++)
        note(&d, i, ADA, 100 + i);
    assert_times(&d, 99, ADA, 199);
    assert_int_equal(alloc_count(), before);
    deliveries_free(&d);
}

TEST(sessions_are_told_apart)
{
    assert_int_equal(deliveries_session(STR("laptop")), deliveries_session(STR("laptop")));
    assert_int_not_equal(deliveries_session(STR("laptop")), deliveries_session(STR("phone")));
    assert_int_not_equal(deliveries_session(STR("laptop")), deliveries_session(STR_NONE));
}

enum { NOTES = 200, EVENTS = 5, USERS = 3 };

/* Against a list that forgets nothing. */
static void compare_with_a_list(struct dice *dice)
{
    uint64_t positions[NOTES];
    uint64_t users[NOTES];
    size_t room = 1 + dice_roll(dice, 40);
    struct deliveries d;

    assert_true(deliveries_init(&d, room, 0));
    for (uint64_t n = 0; n < NOTES; n++) {
        positions[n] = dice_roll(dice, EVENTS);
        users[n] = dice_roll(dice, USERS);
        note(&d, positions[n], users[n], n + 1);
        uint64_t event = dice_roll(dice, EVENTS);
        uint64_t user = dice_roll(dice, USERS);
        uint64_t expected[NOTES];
        size_t count = 0;
        for (uint64_t back = 0; back <= n && back < room; back++)
            if (positions[n - back] == event && users[n - back] == user)
                expected[count++] = n - back + 1;
        check_times(&d, event, user, expected, count);
        assert_int_equal(deliveries_since(&d), n + 1 < room ? 0 : n + 2 - room);
    }
    deliveries_free(&d);
}

TEST(it_knows_the_last_ones_of_any_run)
{
    dice_for_each_seed(compare_with_a_list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_delivery_comes_first),
        cmocka_unit_test(an_entry_keeps_what_it_was_given),
        cmocka_unit_test(the_oldest_gives_way),
        cmocka_unit_test(it_says_since_when_it_knows_all),
        cmocka_unit_test(without_room_it_keeps_nothing),
        cmocka_unit_test(short_of_memory_there_is_no_ring),
        cmocka_unit_test(to_note_and_to_ask_allocates_nothing),
        cmocka_unit_test(sessions_are_told_apart),
        cmocka_unit_test(it_knows_the_last_ones_of_any_run),
    };

    return RUN_TESTS(tests);
}
