/* What the log drops, and who is told of it. */
#include "bus/event_log.h"

#include <stdio.h>

#include "support/check.h"
#include "support/events.h"
#include "support/log.h"

static struct event_log_limits keeping(size_t events)
{
    struct event_log_limits limits = roomy_limits;

    limits.max_events = events;
    return limits;
}

TEST(the_oldest_are_dropped_by_count)
{
    struct event_log_limits limits = keeping(3);
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    for (uint64_t i = 1; i <= 3; i++)
        test_log_append(&t, i == 2 ? "*" : "ada", i * 10);
    assert_int_equal(event_log_floor(t.log), 0);
    assert_sees(&t, &ada, 10, 20, 30);
    test_log_append(&t, "ada", 40);
    assert_int_equal(event_log_floor(t.log), 10);
    assert_int_equal(event_log_head(t.log), 40);
    assert_sees(&t, &ada, 40);
    assert_false(event_log_seek(t.log, &ada, 9));
    assert_true(event_log_seek(t.log, &ada, 10));
    assert_sees(&t, &ada, 20, 30, 40);
    assert_int_equal(counter_get(&t.counters, COUNT_LOG_APPENDED), 4);
    assert_int_equal(counter_get(&t.counters, COUNT_LOG_TRIMMED), 1);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(the_oldest_are_dropped_by_bytes)
{
    struct event_log_limits limits = roomy_limits;
    struct test_log t;

    limits.max_bytes = 20000;
    test_log_open(&t, &limits, 0);
    for (uint64_t i = 1; i <= 1000; i++)
        test_log_append(&t, "ada", i);
    uint64_t kept = 1000 - event_log_floor(t.log);
    struct event *ev = make_event_for("ada", 1);
    /* Each weighs its frame at least; what else it weighs is the log's business, but not ten times as much. */
    assert_in_range(kept, limits.max_bytes / ev->frame_len / 10, limits.max_bytes / ev->frame_len);
    event_unref(ev);
    test_log_close(&t);
}

TEST(many_targets_weigh)
{
    struct event_log_limits limits = roomy_limits;
    struct test_log t;
    char users[2000 * 8] = "u";
    size_t len = 1;

    limits.max_bytes = 20000;
    for (int i = 0; i < 2000; i++)
        len += (size_t)snprintf(users + len, sizeof users - len, " u%d", i);
    test_log_open(&t, &limits, 0);
    test_log_append(&t, "ada", 1);
    test_log_append(&t, users, 2);
    assert_int_equal(event_log_floor(t.log), 2);
    test_log_close(&t);
}

TEST(the_oldest_are_dropped_by_age)
{
    struct event_log_limits limits = roomy_limits;
    struct test_log t;

    limits.max_age_ms = 100;
    test_log_open(&t, &limits, 0);
    test_log_append(&t, "ada", 1000);
    test_log_append(&t, "ada", 1100);
    assert_int_equal(event_log_floor(t.log), 0);
    test_log_append(&t, "ada", 1101);
    assert_int_equal(event_log_floor(t.log), 1000);
    event_log_trim(t.log, 1200);
    assert_int_equal(event_log_floor(t.log), 1000);
    event_log_trim(t.log, 1201);
    assert_int_equal(event_log_floor(t.log), 1100);
    event_log_trim(t.log, 5000);
    assert_int_equal(event_log_floor(t.log), 1101);
    assert_int_equal(event_log_head(t.log), 1101);
    test_log_close(&t);
}

TEST(a_wall_clock_that_steps_back_drops_nothing)
{
    struct event_log_limits limits = roomy_limits;
    struct test_log t;

    limits.max_age_ms = 100;
    test_log_open(&t, &limits, 0);
    test_log_append(&t, "ada", 1000);
    event_log_trim(t.log, 10);
    assert_int_equal(event_log_floor(t.log), 0);
    test_log_close(&t);
}

TEST(who_is_behind_what_was_dropped_has_lost_something)
{
    struct event_log_limits limits = keeping(2);
    struct test_log t;
    struct subscriber ada, grace;

    test_log_open(&t, &limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    test_log_subscribe(&t, &grace, "grace");
    test_log_append(&t, "ada", 1);
    test_log_append(&t, "grace linus ken", 2);
    test_log_append(&t, "nobody", 3);
    assert_lost(&t, &ada);
    assert_sees(&t, &grace, 2);
    test_log_append(&t, "*", 4);
    test_log_append(&t, "nobody", 5);
    test_log_append(&t, "nobody", 6);
    assert_lost(&t, &grace);
    assert_lost(&t, &grace); /* until it skips */
    event_log_skip(t.log, &grace);
    assert_sees_nothing(&t, &grace);
    test_log_append(&t, "*", 7);
    assert_sees(&t, &grace, 7);
    event_log_unsubscribe(t.log, &ada);
    event_log_unsubscribe(t.log, &grace);
    test_log_close(&t);
}

TEST(who_is_behind_has_lost_nothing_when_others_events_were_dropped)
{
    struct event_log_limits limits = keeping(3);
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    test_log_append(&t, "ada", 1);
    assert_int_equal(test_log_take(&t, &ada), 1); /* and has not seen that there is no more */
    for (uint64_t i = 2; i <= 5; i++)
        test_log_append(&t, i % 2 == 0 ? "grace" : "grace linus ken", i);
    test_log_append(&t, "ada", 6);
    test_log_append(&t, "grace linus ken", 7);
    test_log_append(&t, "grace", 8);
    assert_int_equal(event_log_floor(t.log), 5);
    assert_sees(&t, &ada, 6);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(who_is_level_loses_nothing_however_much_is_dropped)
{
    struct event_log_limits limits = keeping(2);
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    for (uint64_t i = 1; i <= 100; i++)
        test_log_append(&t, "grace linus ken", i);
    assert_false(ada.behind);
    test_log_append(&t, "ada", 101);
    assert_sees(&t, &ada, 101);
    for (uint64_t i = 102; i <= 200; i++)
        test_log_append(&t, i % 2 == 0 ? "grace" : "grace linus ken", i);
    test_log_append(&t, "*", 201);
    assert_sees(&t, &ada, 201);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

/* A stream may be asked to walk when it has nothing to walk to: it was noted, and then caught up by itself. */
TEST(a_walk_of_a_level_subscriber_ends)
{
    struct event_log_limits limits = keeping(2);
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    for (uint64_t i = 1; i <= 10; i++)
        test_log_append(&t, "grace linus ken", i);
    assert_sees_nothing(&t, &ada);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(an_event_over_the_limits_is_a_loss_not_a_silence)
{
    struct event_log_limits limits = roomy_limits;
    struct test_log t;
    struct subscriber ada;

    limits.max_bytes = 1;
    test_log_open(&t, &limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    test_log_append(&t, "ada", 1);
    assert_int_equal(t.wakes, 1);
    assert_lost(&t, &ada);
    assert_false(event_log_seek(t.log, &ada, 0));
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(a_dropped_event_is_released)
{
    struct event_log_limits limits = keeping(1);
    struct test_log t;
    struct event *ev = make_event_for("ada grace linus", 1);

    test_log_open(&t, &limits, 0);
    event_log_append(t.log, ev);
    assert_int_equal(atomic_load(&ev->references), 2);
    test_log_append(&t, "ada", 2);
    assert_int_equal(atomic_load(&ev->references), 1);
    event_unref(ev);
    test_log_close(&t);
    event_log_free(NULL);
}

/* --- gaps --- */

TEST(a_gap_is_a_loss_for_everybody)
{
    struct test_log t;
    struct subscriber level, behind;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &level, "ada");
    test_log_subscribe(&t, &behind, "grace");
    test_log_append(&t, "grace", 1);
    assert_int_equal(t.wakes, 1);
    event_log_gap(t.log, 50);
    assert_int_equal(t.wakes, 2); /* who was behind is noted already */
    assert_int_equal(event_log_head(t.log), 50);
    assert_int_equal(event_log_floor(t.log), 50);
    assert_lost(&t, &level);
    assert_lost(&t, &behind);
    test_log_append(&t, "ada grace", 51);
    assert_lost(&t, &level);
    event_log_skip(t.log, &level);
    event_log_skip(t.log, &behind);
    test_log_append(&t, "ada grace", 52);
    assert_sees(&t, &level, 52);
    assert_sees(&t, &behind, 52);
    event_log_unsubscribe(t.log, &level);
    event_log_unsubscribe(t.log, &behind);
    test_log_close(&t);
}

TEST(nobody_resumes_across_a_gap)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 0);
    test_log_append(&t, "ada", 1);
    event_log_gap(t.log, 50);
    test_log_subscribe(&t, &ada, "ada");
    assert_false(event_log_seek(t.log, &ada, 1));
    assert_false(event_log_seek(t.log, &ada, 49));
    assert_true(event_log_seek(t.log, &ada, 50));
    test_log_append(&t, "ada", 51);
    assert_sees(&t, &ada, 51);
    assert_true(event_log_seek(t.log, &ada, 50));
    assert_sees(&t, &ada, 51);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_are_dropped_by_count),
        cmocka_unit_test(the_oldest_are_dropped_by_bytes),
        cmocka_unit_test(many_targets_weigh),
        cmocka_unit_test(the_oldest_are_dropped_by_age),
        cmocka_unit_test(a_wall_clock_that_steps_back_drops_nothing),
        cmocka_unit_test(who_is_behind_what_was_dropped_has_lost_something),
        cmocka_unit_test(who_is_behind_has_lost_nothing_when_others_events_were_dropped),
        cmocka_unit_test(who_is_level_loses_nothing_however_much_is_dropped),
        cmocka_unit_test(a_walk_of_a_level_subscriber_ends),
        cmocka_unit_test(an_event_over_the_limits_is_a_loss_not_a_silence),
        cmocka_unit_test(a_dropped_event_is_released),
        cmocka_unit_test(a_gap_is_a_loss_for_everybody),
        cmocka_unit_test(nobody_resumes_across_a_gap),
    };

    return RUN_TESTS(tests);
}
