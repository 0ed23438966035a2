/* The log by examples; test_event_log_model.c goes through what nobody thought of. */
#include "bus/event_log.h"

#include "support/check.h"
#include "support/events.h"
#include "support/log.h"

/* --- who sees what --- */

TEST(a_user_sees_the_own_events_in_order)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    assert_str(event_log_user_id(&ada), "ada");
    assert_sees_nothing(&t, &ada);
    test_log_append(&t, "ada", 1);
    test_log_append(&t, "grace", 2);
    test_log_append(&t, "grace ada", 3);
    assert_sees(&t, &ada, 1, 3);
    assert_sees_nothing(&t, &ada);
    test_log_append(&t, "ada", 10);
    assert_sees(&t, &ada, 10);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(what_came_before_the_subscription_is_not_seen)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 0);
    test_log_append(&t, "ada", 1);
    test_log_append(&t, "*", 2);
    test_log_subscribe(&t, &ada, "ada");
    assert_sees_nothing(&t, &ada);
    test_log_append(&t, "ada", 3);
    assert_sees(&t, &ada, 3);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(events_for_a_user_and_for_everyone_come_in_one_order)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    test_log_append(&t, "ada", 1);
    test_log_append(&t, "*", 2);
    test_log_append(&t, "ada grace", 3);
    test_log_append(&t, "ada grace linus", 4);
    test_log_append(&t, "grace linus ken", 5);
    test_log_append(&t, "*", 6);
    test_log_append(&t, "ada", 7);
    assert_sees(&t, &ada, 1, 2, 3, 4, 6, 7);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(many_users_each_see_their_share)
{
    static const char *const names[] = {"ada", "grace", "linus", "ken"};
    struct test_log t;
    struct subscriber s[4];

    test_log_open(&t, &roomy_limits, 0);
    for (int i = 0; i < 4; i++)
        test_log_subscribe(&t, &s[i], names[i]);
    test_log_append(&t, "ada", 1);
    test_log_append(&t, "grace linus", 2);
    test_log_append(&t, "ken linus ada", 3);
    test_log_append(&t, "*", 4);
    test_log_append(&t, "nobody", 5);
    assert_sees(&t, &s[0], 1, 3, 4);
    assert_sees(&t, &s[1], 2, 4);
    assert_sees(&t, &s[2], 2, 3, 4);
    assert_sees(&t, &s[3], 3, 4);
    for (int i = 0; i < 4; i++)
        event_log_unsubscribe(t.log, &s[i]);
    test_log_close(&t);
}

TEST(subscribers_of_one_user_walk_independently)
{
    struct test_log t;
    struct subscriber laptop, phone;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &laptop, "ada");
    test_log_append(&t, "ada", 1);
    test_log_subscribe(&t, &phone, "ada");
    test_log_append(&t, "ada", 2);
    assert_sees(&t, &phone, 2);
    event_log_unsubscribe(t.log, &phone);
    assert_sees(&t, &laptop, 1, 2);
    event_log_unsubscribe(t.log, &laptop);
    test_log_close(&t);
}

/* Without authentication everybody is the same user, who has no name. */
TEST(a_user_without_a_name_sees_what_is_for_everyone)
{
    struct test_log t;
    struct subscriber nobody;

    test_log_open(&t, &roomy_limits, 0);
    assert_true(event_log_subscribe(t.log, &nobody, STR_NONE));
    test_log_append(&t, "ada", 1);
    test_log_append(&t, "*", 2);
    assert_sees(&t, &nobody, 2);
    event_log_unsubscribe(t.log, &nobody);
    test_log_close(&t);
}

TEST(what_is_not_taken_is_seen_again)
{
    struct test_log t;
    struct subscriber ada;
    struct event *ev;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    for (uint64_t i = 1; i <= 4; i++)
        test_log_append(&t, i % 2 == 0 ? "*" : "ada", i);
    struct log_cursor cursor = ada.cursor;
    for (int i = 0; i < 3; i++)
        assert_int_equal(event_log_next(t.log, &ada, &cursor, &ev), LOG_EVENT);
    /* A sink that took one of three. */
    assert_int_equal(test_log_take(&t, &ada), 1);
    assert_sees(&t, &ada, 2, 3, 4);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

/* However much happened to others, and to how many of them at once. */
TEST(a_walk_meets_what_concerns_the_walker_and_nothing_else)
{
    static const char *const others[] = {"grace", "grace linus ken barbara edsger tony john dennis brian niklaus"};
    struct test_log t;
    struct subscriber ada, grace;

    test_log_open(&t, &roomy_limits, 0);
    for (uint64_t i = 1; i <= 1000; i++)
        test_log_append(&t, i % 100 == 0 ? "*" : i % 100 == 50 ? "grace ada" : others[i % 2], i);
    test_log_subscribe(&t, &ada, "ada");
    assert_true(event_log_seek(t.log, &ada, 0));
    assert_sees(&t, &ada, 50, 100, 150, 200, 250, 300, 350, 400, 450, 500, 550, 600, 650, 700, 750, 800, 850, 900, 950,
                1000);
    assert_int_equal(counter_get(&t.counters, COUNT_LOG_STEPS), 20);
    for (uint64_t i = 1001; i <= 1100; i++)
        test_log_append(&t, i == 1042 ? "ada" : others[i % 2], i);
    assert_sees(&t, &ada, 1042);
    assert_int_equal(counter_get(&t.counters, COUNT_LOG_STEPS), 21);
    test_log_subscribe(&t, &grace, "grace");
    assert_true(event_log_seek(t.log, &grace, 1098));
    assert_sees(&t, &grace, 1099, 1100);
    assert_int_equal(counter_get(&t.counters, COUNT_LOG_STEPS), 23);
    event_log_unsubscribe(t.log, &ada);
    event_log_unsubscribe(t.log, &grace);
    test_log_close(&t);
}

/* --- when it speaks --- */

TEST(a_level_subscriber_is_woken_once)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    test_log_append(&t, "grace", 1);
    test_log_append(&t, "grace linus ken", 2);
    assert_int_equal(t.wakes, 0);
    test_log_append(&t, "ada", 3);
    assert_int_equal(t.wakes, 1);
    assert_ptr_equal(t.woken, &ada);
    test_log_append(&t, "ada", 4);
    test_log_append(&t, "*", 5);
    assert_int_equal(t.wakes, 1);
    assert_sees(&t, &ada, 3, 4, 5);
    test_log_append(&t, "ada grace linus", 6);
    assert_int_equal(t.wakes, 2);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(all_streams_of_all_targets_are_woken)
{
    struct test_log t;
    struct subscriber laptop, phone, grace;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &laptop, "ada");
    test_log_subscribe(&t, &phone, "ada");
    test_log_subscribe(&t, &grace, "grace");
    test_log_append(&t, "ada", 1);
    assert_int_equal(t.wakes, 2);
    assert_true(laptop.behind && phone.behind && !grace.behind);
    test_log_append(&t, "*", 2);
    assert_int_equal(t.wakes, 3);
    event_log_unsubscribe(t.log, &laptop);
    event_log_unsubscribe(t.log, &phone);
    event_log_unsubscribe(t.log, &grace);
    test_log_close(&t);
}

TEST(one_who_left_is_not_woken)
{
    struct test_log t;
    struct subscriber ada;
    struct subscriber never = {0};

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    event_log_unsubscribe(t.log, &ada);
    event_log_unsubscribe(t.log, &ada);
    event_log_unsubscribe(t.log, &never);
    test_log_append(&t, "ada", 1);
    test_log_append(&t, "*", 2);
    assert_int_equal(t.wakes, 0);
    test_log_close(&t);
}

TEST(an_event_for_nobody_has_its_place_and_wakes_nobody)
{
    struct event_fields fields = {.entity = STR("task"), .action = STR("made")};
    struct event *ev = make_event(&fields, 1, 1);
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    event_log_append(t.log, ev);
    assert_int_equal(t.wakes, 0);
    assert_int_equal(event_log_head(t.log), 1);
    assert_true(event_log_seek(t.log, &ada, 0));
    assert_sees_nothing(&t, &ada);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
    event_unref(ev);
}

/* --- seeking --- */

TEST(a_seek_finds_everything_behind_a_position)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 5);
    test_log_subscribe(&t, &ada, "ada");
    test_log_append(&t, "ada", 10);
    test_log_append(&t, "grace", 20);
    test_log_append(&t, "*", 30);
    test_log_append(&t, "ada", 40);
    assert_sees(&t, &ada, 10, 30, 40);
    assert_true(event_log_seek(t.log, &ada, 5));
    assert_sees(&t, &ada, 10, 30, 40);
    assert_true(event_log_seek(t.log, &ada, 9));
    assert_sees(&t, &ada, 10, 30, 40);
    assert_true(event_log_seek(t.log, &ada, 10));
    assert_sees(&t, &ada, 30, 40);
    assert_true(event_log_seek(t.log, &ada, 25));
    assert_sees(&t, &ada, 30, 40);
    assert_true(event_log_seek(t.log, &ada, 39));
    assert_sees(&t, &ada, 40);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(a_seek_to_the_head_is_level)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 5);
    test_log_subscribe(&t, &ada, "ada");
    assert_true(event_log_seek(t.log, &ada, 5));
    assert_false(ada.behind);
    test_log_append(&t, "ada", 6);
    assert_true(event_log_seek(t.log, &ada, 6));
    assert_false(ada.behind);
    assert_sees_nothing(&t, &ada);
    test_log_append(&t, "ada", 7);
    assert_int_equal(t.wakes, 2);
    assert_sees(&t, &ada, 7);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(a_seek_that_leaves_something_to_walk_makes_behind_without_a_call)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 0);
    test_log_append(&t, "ada", 1);
    test_log_subscribe(&t, &ada, "ada");
    assert_true(event_log_seek(t.log, &ada, 0));
    assert_true(ada.behind);
    assert_int_equal(t.wakes, 0);
    test_log_append(&t, "ada", 2);
    assert_int_equal(t.wakes, 0);
    assert_sees(&t, &ada, 1, 2);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(a_seek_outside_of_the_log_fails_and_stands_at_the_head)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 5);
    test_log_subscribe(&t, &ada, "ada");
    test_log_append(&t, "ada", 6);
    assert_false(event_log_seek(t.log, &ada, 4));
    assert_false(ada.behind);
    assert_sees_nothing(&t, &ada);
    assert_false(event_log_seek(t.log, &ada, 7));
    assert_sees_nothing(&t, &ada);
    test_log_append(&t, "ada", 7);
    assert_sees(&t, &ada, 7);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_sees_the_own_events_in_order),
        cmocka_unit_test(what_came_before_the_subscription_is_not_seen),
        cmocka_unit_test(events_for_a_user_and_for_everyone_come_in_one_order),
        cmocka_unit_test(many_users_each_see_their_share),
        cmocka_unit_test(subscribers_of_one_user_walk_independently),
        cmocka_unit_test(what_is_not_taken_is_seen_again),
        cmocka_unit_test(a_walk_meets_what_concerns_the_walker_and_nothing_else),
        cmocka_unit_test(a_level_subscriber_is_woken_once),
        cmocka_unit_test(all_streams_of_all_targets_are_woken),
        cmocka_unit_test(one_who_left_is_not_woken),
        cmocka_unit_test(an_event_for_nobody_has_its_place_and_wakes_nobody),
        cmocka_unit_test(a_seek_finds_everything_behind_a_position),
        cmocka_unit_test(a_seek_to_the_head_is_level),
        cmocka_unit_test(a_seek_that_leaves_something_to_walk_makes_behind_without_a_call),
        cmocka_unit_test(a_seek_outside_of_the_log_fails_and_stands_at_the_head),
        cmocka_unit_test(a_user_without_a_name_sees_what_is_for_everyone),
    };

    return RUN_TESTS(tests);
}
