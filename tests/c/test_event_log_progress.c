/* Finding an event by its position, and telling how far a subscriber has come. */
#include "bus/event_log.h"

#include "support/check.h"
#include "support/events.h"
#include "support/log.h"

static void check_found(const struct test_log *t, uint64_t position)
{
    const struct event *ev = event_log_find(t->log, position);

    assert_that(ev != NULL, "there is no event %llu", (unsigned long long)position);
    assert_int_equal(ev->position, position);
}

TEST(an_event_is_found_by_its_position)
{
    struct test_log t;

    test_log_open(&t, &roomy_limits, 5);
    for (uint64_t position = 0; position < 10; position++)
        assert_null(event_log_find(t.log, position));
    test_log_append(&t, "ada", 6);
    test_log_append(&t, "*", 7);
    test_log_append(&t, "grace", 10);
    check_found(&t, 6);
    check_found(&t, 7);
    check_found(&t, 10);
    static const uint64_t absent[] = {0, 5, 8, 9, 11, UINT64_MAX};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        assert_null(event_log_find(t.log, absent[i]));
    test_log_close(&t);
}

TEST(an_event_that_was_trimmed_is_not_found)
{
    struct event_log_limits limits = roomy_limits;
    struct test_log t;

    limits.max_events = 3;
    test_log_open(&t, &limits, 0);
    for (uint64_t position = 1; position <= 100; position++) {
        test_log_append(&t, "ada", position);
        check_found(&t, position);
        if (position > 3) {
            check_found(&t, position - 2);
            assert_null(event_log_find(t.log, position - 3));
        }
    }
    event_log_gap(t.log, 200);
    assert_null(event_log_find(t.log, 100));
    assert_null(event_log_find(t.log, 200));
    test_log_close(&t);
}

#define assert_progress(t, s, position, expected)                                                                      \
    assert_int_equal(event_log_progress((t)->log, (s), (position)), (expected))

TEST(a_level_subscriber_has_passed_all_there_is)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 5);
    test_log_subscribe(&t, &ada, "ada");
    assert_progress(&t, &ada, 5, LOG_PASSED);
    assert_progress(&t, &ada, 6, LOG_AHEAD);
    test_log_append(&t, "grace", 6); /* which does not concern it */
    assert_progress(&t, &ada, 6, LOG_PASSED);
    test_log_append(&t, "ada", 7);
    assert_sees(&t, &ada, 7);
    assert_progress(&t, &ada, 7, LOG_PASSED);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

/* Events for one and for everyone in turn: what was taken is passed, and nothing else is. */
TEST(one_that_walks_has_passed_what_it_took)
{
    static const char *const users[] = {"ada", "*", "ada grace", "grace linus ken", "*", "ada linus ken", "ada"};
    struct test_log t;
    struct subscriber ada;
    uint64_t last = 0;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    for (uint64_t i = 0; i < 7; i++)
        test_log_append(&t, users[i], i + 1);
    do {
        for (uint64_t position = 1; position <= 7; position++)
            if (position != 4) /* not for ada */
                assert_progress(&t, &ada, position, position <= last ? LOG_PASSED : LOG_AHEAD);
        assert_progress(&t, &ada, 8, LOG_AHEAD);
        last = test_log_take(&t, &ada);
    } while (last != 0);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(what_came_before_a_replay_counts_as_passed)
{
    struct test_log t;
    struct subscriber ada;

    test_log_open(&t, &roomy_limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    test_log_append(&t, "ada", 1);
    test_log_append(&t, "ada", 2);
    assert_true(event_log_seek(t.log, &ada, 1));
    assert_progress(&t, &ada, 1, LOG_PASSED);
    assert_progress(&t, &ada, 2, LOG_AHEAD);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

TEST(one_that_lost_something_has_missed_it)
{
    struct event_log_limits limits = roomy_limits;
    struct test_log t;
    struct subscriber ada, grace;

    limits.max_events = 3;
    test_log_open(&t, &limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    test_log_subscribe(&t, &grace, "grace");
    for (uint64_t position = 1; position <= 4; position++)
        test_log_append(&t, position == 4 ? "grace" : "ada", position);
    assert_progress(&t, &ada, 3, LOG_MISSED);
    assert_progress(&t, &grace, 3, LOG_PASSED);
    assert_progress(&t, &grace, 4, LOG_AHEAD);
    event_log_skip(t.log, &ada); /* it was told */
    assert_progress(&t, &ada, 4, LOG_PASSED);
    event_log_gap(t.log, 9);
    assert_progress(&t, &ada, 9, LOG_MISSED);
    event_log_unsubscribe(t.log, &ada);
    event_log_unsubscribe(t.log, &grace);
    test_log_close(&t);
}

TEST(events_for_everyone_are_lost_as_well)
{
    struct event_log_limits limits = roomy_limits;
    struct test_log t;
    struct subscriber ada;

    limits.max_events = 2;
    test_log_open(&t, &limits, 0);
    test_log_subscribe(&t, &ada, "ada");
    for (uint64_t position = 1; position <= 3; position++)
        test_log_append(&t, "*", position);
    assert_progress(&t, &ada, 3, LOG_MISSED);
    event_log_unsubscribe(t.log, &ada);
    test_log_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_found_by_its_position),
        cmocka_unit_test(an_event_that_was_trimmed_is_not_found),
        cmocka_unit_test(a_level_subscriber_has_passed_all_there_is),
        cmocka_unit_test(one_that_walks_has_passed_what_it_took),
        cmocka_unit_test(what_came_before_a_replay_counts_as_passed),
        cmocka_unit_test(one_that_lost_something_has_missed_it),
        cmocka_unit_test(events_for_everyone_are_lost_as_well),
    };

    return RUN_TESTS(tests);
}
