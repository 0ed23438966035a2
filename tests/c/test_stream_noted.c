/* What a hub notes of its deliveries: which, when, once, and of whose session. */
#include "base/clock.h"
#include "base/hash.h"
#include "http/stream.h"
#include "support/check.h"
#include "support/events.h"
#include "support/hub.h"

enum { NOW = 1700000000 };

static struct stream_config remembering(size_t deliveries)
{
    struct stream_config config = test_hub_config;

    config.delivery_log = deliveries;
    return config;
}

static void open_hub(struct test_hub *t)
{
    struct stream_config config = remembering(1000);

    clock_set_wall(NOW);
    test_hub_open(t, &config, 0);
}

static void close_hub(struct test_hub *t)
{
    test_hub_close(t);
    clock_set_wall(0);
}

static void append_of_ada(struct test_hub *t, const char *session, uint64_t position)
{
    struct event_fields fields = {.entity = STR("task"),
                                  .action = STR("updated"),
                                  .user_id = STR("ada"),
                                  .session_id = str_of(session),
                                  .everyone = true};
    struct event *ev = make_event(&fields, position, position);

    stream_hub_deliver(t->hub, &ev, 1);
    event_unref(ev);
}

/* The only note of this event and user. */
static const struct delivery *only_note(const struct test_hub *t, uint64_t position, const char *user)
{
    const struct deliveries *d = stream_hub_deliveries(t->hub);
    uint64_t hash = hash_str(str_of(user));
    size_t seen = 0;
    const struct delivery *found = deliveries_find(d, position, hash, &seen);

    assert_that(found != NULL, "nothing is noted of event %llu and %s", (unsigned long long)position, user);
    assert_null(deliveries_find(d, position, hash, &seen));
    return found;
}

static void check_note(const struct test_hub *t, uint64_t position, const char *user, const char *session, bool echo,
                       uint64_t at_ms)
{
    const struct delivery *found = only_note(t, position, user);

    assert_int_equal(found->at_ms, at_ms);
    assert_int_equal(found->session, deliveries_session(str_of(session)));
    assert_int_equal(found->echo, echo);
}

static size_t notes(const struct test_hub *t)
{
    return stream_hub_deliveries(t->hub)->count;
}

TEST(a_delivery_is_noted_with_user_session_and_time)
{
    struct test_hub t;
    struct test_client ada, grace;

    open_hub(&t);
    test_client_open(&t, &ada, "ada", "laptop", NULL);
    test_client_open(&t, &grace, "grace", NULL, NULL);
    clock_set_wall(NOW + 10);
    test_hub_deliver(&t, "ada grace", 1);
    clock_set_wall(NOW + 20);
    test_hub_deliver(&t, "grace", 2);
    check_note(&t, 1, "ada", "laptop", false, NOW + 10);
    check_note(&t, 1, "grace", "", false, NOW + 10);
    check_note(&t, 2, "grace", "", false, NOW + 20);
    assert_int_equal(notes(&t), 3); /* of what a stream says by itself, nothing is */
    test_client_close(&ada);
    test_client_close(&grace);
    close_hub(&t);
}

TEST(a_frame_that_was_not_taken_is_not_noted_yet)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    c.sink.room = 2;
    for (uint64_t i = 1; i <= 3; i++)
        test_hub_append(&t, "ada", i);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    assert_int_equal(notes(&t), 2);
    clock_set_wall(NOW + 500);
    test_client_drain(&c, SIZE_MAX);
    assert_int_equal(notes(&t), 3);
    check_note(&t, 2, "ada", "laptop", false, NOW);
    check_note(&t, 3, "ada", "laptop", false, NOW + 500);
    test_client_close(&c);
    close_hub(&t);
}

TEST(a_replay_is_noted_when_it_is_sent)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_hub_deliver(&t, "ada", 1);
    test_hub_deliver(&t, "ada", 2);
    assert_int_equal(notes(&t), 0);
    clock_set_wall(NOW + 7);
    test_client_open(&t, &c, "ada", "laptop", "0123456789ab-1");
    check_note(&t, 2, "ada", "laptop", false, NOW + 7);
    assert_int_equal(notes(&t), 1);
    test_client_close(&c);
    close_hub(&t);
}

TEST(what_a_stream_gets_before_it_is_ended_is_noted)
{
    struct test_hub t;
    struct test_client c;
    struct event *word = make_disconnect("ada", NULL, 1);

    open_hub(&t);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    test_hub_append(&t, "ada", 1);
    clock_set_wall(NOW + 3);
    stream_hub_deliver(t.hub, &word, 1);
    check_note(&t, 1, "ada", "laptop", false, NOW + 3);
    assert_int_equal(notes(&t), 1); /* the word itself is no delivery */
    event_unref(word);
    test_client_close(&c);
    close_hub(&t);
}

TEST(an_echo_is_noted_once_however_often_the_sink_stops)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    c.sink.room = 1;
    append_of_ada(&t, "phone", 1);
    append_of_ada(&t, "laptop", 2);
    append_of_ada(&t, "phone", 3);
    append_of_ada(&t, "laptop", 4);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    assert_int_equal(notes(&t), 1);
    test_client_drain(&c, SIZE_MAX);
    check_note(&t, 1, "ada", "laptop", false, NOW);
    check_note(&t, 2, "ada", "laptop", true, NOW);
    check_note(&t, 3, "ada", "laptop", false, NOW);
    check_note(&t, 4, "ada", "laptop", true, NOW);
    test_client_close(&c);
    close_hub(&t);
}

/* More than a batch holds, with events between them. */
TEST(a_long_run_of_echoes_is_noted_whole)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    for (uint64_t i = 1; i <= 300; i++)
        append_of_ada(&t, i % 150 == 0 ? "phone" : "laptop", i);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    assert_gets(&c, 150, 300);
    assert_int_equal(counter_get(&t.counters, COUNT_ECHOES), 298);
    assert_int_equal(notes(&t), 300);
    for (uint64_t i = 1; i <= 300; i++)
        check_note(&t, i, "ada", "laptop", i % 150 != 0, NOW);
    test_client_close(&c);
    close_hub(&t);
}

TEST(with_no_room_nothing_is_noted)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    test_hub_deliver(&t, "ada", 1);
    assert_gets(&c, 1);
    assert_int_equal(notes(&t), 0);
    test_client_close(&c);
    test_hub_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_delivery_is_noted_with_user_session_and_time),
        cmocka_unit_test(a_frame_that_was_not_taken_is_not_noted_yet),
        cmocka_unit_test(a_replay_is_noted_when_it_is_sent),
        cmocka_unit_test(what_a_stream_gets_before_it_is_ended_is_noted),
        cmocka_unit_test(an_echo_is_noted_once_however_often_the_sink_stops),
        cmocka_unit_test(a_long_run_of_echoes_is_noted_whole),
        cmocka_unit_test(with_no_room_nothing_is_noted),
    };

    return RUN_TESTS(tests);
}
