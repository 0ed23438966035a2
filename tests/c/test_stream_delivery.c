/* Live delivery, slow clients, and those that are slower than the log. */
#include "http/stream.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"
#include "support/events.h"
#include "support/hub.h"

TEST(events_of_one_turn_go_out_in_one_send)
{
    struct test_hub t;
    struct test_client c, other;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    test_client_open(&t, &other, "grace", NULL, NULL);
    size_t before = c.sink.sends;
    size_t others = other.sink.sends;
    for (uint64_t i = 1; i <= 10; i++)
        test_hub_append(&t, i % 2 == 0 ? "ada" : "ada linus ken", i);
    assert_int_equal(c.sink.sends, before); /* nothing before the flush */
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    assert_int_equal(c.sink.sends, before + 1);
    assert_int_equal(other.sink.sends, others);
    assert_gets(&c, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    test_client_close(&c);
    test_client_close(&other);
    test_hub_close(&t);
}

TEST(a_flush_lets_a_part_of_the_streams_send)
{
    struct test_hub t;
    struct test_client c[5];

    test_hub_open(&t, &test_hub_config, 0);
    for (int i = 0; i < 5; i++)
        test_client_open(&t, &c[i], "ada", NULL, NULL);
    test_hub_append(&t, "ada", 1);
    assert_true(stream_hub_flush(t.hub, 100)); /* a send counts for 64 */
    assert_true(stream_hub_flush(t.hub, 100));
    size_t sent = 0;
    for (int i = 0; i < 5; i++)
        sent += c[i].sink.frames == 2; /* the opening, and the event */
    assert_int_equal(sent, 4);
    assert_false(stream_hub_flush(t.hub, 100));
    assert_false(stream_hub_flush(t.hub, 100));
    for (int i = 0; i < 5; i++) {
        assert_gets(&c[i], 1);
        test_client_close(&c[i]);
    }
    test_hub_close(&t);
}

TEST(a_stream_that_closes_while_it_waits_is_forgotten)
{
    struct test_hub t;
    struct test_client gone, stays;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &gone, "ada", NULL, NULL);
    test_client_open(&t, &stays, "ada", NULL, NULL);
    test_hub_append(&t, "ada", 1);
    test_client_close(&gone);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    assert_gets(&stays, 1);
    test_client_close(&stays);
    test_hub_close(&t);
}

/* --- slow clients --- */

TEST(a_full_sink_gets_the_rest_once_it_drains)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 2;
    for (uint64_t i = 1; i <= 5; i++)
        test_hub_append(&t, i == 3 ? "*" : "ada", i);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX)); /* it waits for its sink, not for a flush */
    assert_gets(&c, 1, 2);
    test_hub_deliver(&t, "ada", 6);
    assert_gets_nothing(&c);
    test_client_drain(&c, 1);
    assert_gets(&c, 3);
    test_client_drain(&c, SIZE_MAX);
    assert_gets(&c, 4, 5, 6);
    test_hub_deliver(&t, "ada", 7);
    assert_gets(&c, 7);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_sink_that_refuses_loses_nothing)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 0;
    test_hub_deliver(&t, "ada", 1);
    assert_gets_nothing(&c);
    test_client_drain(&c, 0);
    test_hub_deliver(&t, "*", 2);
    assert_gets_nothing(&c);
    test_client_drain(&c, SIZE_MAX);
    assert_gets(&c, 1, 2);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_sink_that_is_full_behind_the_last_event_is_level)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 1;
    test_hub_deliver(&t, "ada", 1);
    assert_gets(&c, 1);
    test_hub_deliver(&t, "ada", 2);
    test_client_drain(&c, SIZE_MAX);
    assert_gets(&c, 2);
    test_client_drain(&c, SIZE_MAX);
    assert_gets_nothing(&c);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_slow_client_delays_nobody)
{
    struct test_hub t;
    struct test_client slow, fast;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &slow, "ada", NULL, NULL);
    test_client_open(&t, &fast, "ada", NULL, NULL);
    slow.sink.room = 0;
    test_hub_deliver(&t, "ada", 1);
    test_hub_deliver(&t, "ada", 2);
    assert_gets(&fast, 1, 2);
    assert_gets_nothing(&slow);
    test_client_close(&slow);
    test_client_close(&fast);
    test_hub_close(&t);
}

/* More than a sink is given at a time, and sinks that stop anywhere in it. */
static void random_rooms(struct dice *d)
{
    struct test_hub t;
    struct test_client c;
    uint64_t position = 0;
    uint64_t expected = 0;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    test_client_forget(&c);
    for (int round = 0; round < 60 || expected < position; round++) {
        size_t burst = round < 60 ? dice_roll(d, 150) : 0;
        for (size_t i = 0; i < burst; i++)
            test_hub_append(&t, dice_percent(d, 80) ? "ada" : "*", ++position);
        if (dice_percent(d, 70))
            (void)stream_hub_flush(t.hub, SIZE_MAX);
        if (c.sink.room == 0 || dice_percent(d, 20))
            test_client_drain(&c, dice_percent(d, 30) ? SIZE_MAX : dice_roll(d, 90));
        if (dice_percent(d, 20))
            c.sink.room = dice_roll(d, 90);
        test_client_read(&c);
        for (size_t i = 0; i < c.read.count; i++) {
            char id[POSITION_TEXT_MAX];
            assert_bytes(buf_str(&c.read.messages[i].id), position_text(id, &test_generation, ++expected));
        }
        sse_client_free(&c.read);
    }
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_slow_client_gets_everything_in_order_and_once)
{
    dice_for_each_seed(random_rooms);
}

/* --- slower than the log --- */

static struct stream_config keeping(size_t events)
{
    struct stream_config config = test_hub_config;

    config.log.max_events = events;
    return config;
}

TEST(a_client_slower_than_the_log_is_told_to_resync_once)
{
    struct stream_config config = keeping(4);
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 1;
    for (uint64_t i = 1; i <= 20; i++)
        test_hub_deliver(&t, "ada", i);
    assert_gets(&c, 1);
    test_client_drain(&c, SIZE_MAX);
    assert_gets_resync(&c, "lagged", 20);
    test_hub_deliver(&t, "ada", 21);
    assert_gets(&c, 21);
    test_client_drain(&c, SIZE_MAX);
    assert_gets_nothing(&c);
    assert_int_equal(counter_get(&t.counters, COUNT_RESYNCS), 1);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_client_that_is_too_slow_for_its_resync_gets_a_later_one)
{
    struct stream_config config = keeping(2);
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 0;
    for (uint64_t i = 1; i <= 5; i++)
        test_hub_deliver(&t, "ada", i);
    test_client_drain(&c, 1); /* for the resync alone */
    assert_gets_resync(&c, "lagged", 5);
    for (uint64_t i = 6; i <= 10; i++)
        test_hub_deliver(&t, "ada", i);
    test_client_drain(&c, SIZE_MAX);
    assert_gets_resync(&c, "lagged", 10);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_client_that_is_level_never_needs_a_resync)
{
    struct stream_config config = keeping(2);
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    for (uint64_t i = 1; i <= 50; i++)
        test_hub_append(&t, i % 2 == 0 ? "grace" : "grace linus ken", i);
    test_hub_deliver(&t, "ada", 51);
    assert_gets(&c, 51);
    test_client_close(&c);
    test_hub_close(&t);
}

/*
 * Somebody looks at the stream between a delivery and its flush, so that it has caught up by the time the flush
 * comes to it; meanwhile other people's events have turned the log over.
 */
TEST(a_client_that_caught_up_before_its_flush_needs_no_resync)
{
    struct stream_config config = keeping(2);
    struct test_hub t;
    struct test_client c;
    struct stream_view view;

    test_hub_open(&t, &config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    test_hub_append(&t, "ada", 1);
    stream_look(c.stream, stream_hub_event(t.hub, 1), &view);
    assert_gets(&c, 1);
    for (uint64_t i = 2; i <= 10; i++)
        test_hub_append(&t, "grace linus ken", i);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    assert_gets_nothing(&c);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_gap_is_told_to_every_stream)
{
    struct test_hub t;
    struct test_client level, full;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &level, "ada", NULL, NULL);
    test_client_open(&t, &full, "grace", NULL, NULL);
    full.sink.room = 0;
    test_hub_deliver(&t, "ada grace", 1);
    assert_gets(&level, 1);
    stream_hub_gap(t.hub, 9);
    assert_int_equal(stream_hub_head(t.hub), 9);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    assert_gets_resync(&level, "lagged", 9);
    test_client_drain(&full, SIZE_MAX);
    assert_gets_resync(&full, "lagged", 9);
    test_hub_deliver(&t, "ada grace", 10);
    assert_gets(&level, 10);
    assert_gets(&full, 10);
    test_client_close(&level);
    test_client_close(&full);
    test_hub_close(&t);
}

/* --- short of memory --- */

/* Nothing wakes a stream that is behind but has no full sink: it must not be left there. */
TEST(a_resync_that_had_no_memory_comes_later)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    stream_hub_gap(t.hub, 9);
    alloc_permit(0);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    assert_true(alloc_permit_all());
    assert_gets_nothing(&c);
    test_hub_deliver(&t, "ada", 10);
    for (uint64_t now = 0; now <= 2 * test_hub_config.heartbeat_ms; now += 100)
        stream_hub_tick(t.hub, now, 0);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    test_client_forget(&c);
    test_hub_deliver(&t, "ada", 11);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    test_client_read(&c);
    /* The event itself, the resync having come before it; or the resync now. A comment is not enough. */
    assert_int_equal(c.read.count, 1);
    test_client_close(&c);
    test_hub_close(&t);
}

/* Every client sees the event or a resync, whichever allocation fails while it is delivered. */
static bool deliver_short_of_memory(size_t failing)
{
    struct test_hub t;
    struct test_client level, slow;
    struct event *ev = make_event_for("ada grace and others whom the log does not know", 2);

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &level, "ada", NULL, NULL);
    test_client_open(&t, &slow, "grace", NULL, NULL);
    slow.sink.room = 0;
    test_hub_deliver(&t, "grace", 1);
    test_client_forget(&level);
    alloc_fail_once(failing);
    stream_hub_deliver(t.hub, &ev, 1);
    bool failed = alloc_permit_all();
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    if (failed) {
        test_client_drain(&slow, SIZE_MAX);
        assert_gets_resync(&level, "lagged", 2);
        assert_gets_resync(&slow, "lagged", 2);
    } else {
        test_client_drain(&slow, SIZE_MAX);
        assert_gets(&level, 2);
        assert_gets(&slow, 1, 2);
    }
    test_client_close(&level);
    test_client_close(&slow);
    event_unref(ev);
    test_hub_close(&t);
    return failed;
}

TEST(an_event_that_found_no_memory_is_a_resync)
{
    size_t failing = 0;

    while (deliver_short_of_memory(failing))
        failing++;
    assert_true(failing > 0);
}

TEST(a_delivery_allocates_nothing)
{
    enum { CLIENTS = 200 };
    static struct test_client c[CLIENTS];
    struct stream_config config = keeping(64);
    struct event *events[200];
    struct test_hub t;

    test_hub_open(&t, &config, 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        test_client_open(&t, &c[i], i % 2 == 0 ? "ada" : "grace", NULL, NULL);
        assert_true(buf_reserve(&c[i].sink.bytes, 40000)); /* the fake socket's memory is not the hub's */
    }
    for (uint64_t i = 0; i < 200; i++)
        events[i] = make_event_for(i % 3 == 0 ? "*" : "ada grace", i + 1);
    /* The log takes memory until it is as large as its limits say; from then on it turns over. */
    size_t before = 0;
    for (size_t i = 0; i < 200; i++) {
        if (i == 100)
            before = alloc_count();
        stream_hub_deliver(t.hub, &events[i], 1);
        (void)stream_hub_flush(t.hub, SIZE_MAX);
    }
    assert_int_equal(alloc_count(), before);
    assert_int_equal(counter_get(&t.counters, COUNT_DELIVERIES), CLIENTS * 200);
    for (size_t i = 0; i < CLIENTS; i++)
        test_client_close(&c[i]);
    for (size_t i = 0; i < 200; i++)
        event_unref(events[i]);
    test_hub_close(&t);
}

/* --- counters --- */

TEST(an_event_is_counted_when_it_is_taken)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 2;
    for (uint64_t i = 1; i <= 5; i++)
        test_hub_append(&t, "ada", i);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    assert_int_equal(counter_get(&t.counters, COUNT_DELIVERIES), 2);
    test_client_drain(&c, SIZE_MAX);
    assert_int_equal(counter_get(&t.counters, COUNT_DELIVERIES), 5);
    test_client_close(&c);
    test_hub_close(&t);
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

TEST(an_echo_is_counted_once_however_often_the_sink_stops)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    c.sink.room = 1;
    append_of_ada(&t, "phone", 1);
    append_of_ada(&t, "phone", 2);
    append_of_ada(&t, "laptop", 3);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    test_client_drain(&c, SIZE_MAX);
    assert_gets(&c, 1, 2);
    assert_int_equal(counter_get(&t.counters, COUNT_ECHOES), 1);
    test_client_close(&c);
    test_hub_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_of_one_turn_go_out_in_one_send),
        cmocka_unit_test(a_flush_lets_a_part_of_the_streams_send),
        cmocka_unit_test(a_stream_that_closes_while_it_waits_is_forgotten),
        cmocka_unit_test(a_full_sink_gets_the_rest_once_it_drains),
        cmocka_unit_test(a_sink_that_refuses_loses_nothing),
        cmocka_unit_test(a_sink_that_is_full_behind_the_last_event_is_level),
        cmocka_unit_test(a_slow_client_delays_nobody),
        cmocka_unit_test(a_slow_client_gets_everything_in_order_and_once),
        cmocka_unit_test(a_client_slower_than_the_log_is_told_to_resync_once),
        cmocka_unit_test(a_client_that_is_too_slow_for_its_resync_gets_a_later_one),
        cmocka_unit_test(a_client_that_is_level_never_needs_a_resync),
        cmocka_unit_test(a_client_that_caught_up_before_its_flush_needs_no_resync),
        cmocka_unit_test(a_gap_is_told_to_every_stream),
        cmocka_unit_test(a_resync_that_had_no_memory_comes_later),
        cmocka_unit_test(an_event_that_found_no_memory_is_a_resync),
        cmocka_unit_test(a_delivery_allocates_nothing),
        cmocka_unit_test(an_event_is_counted_when_it_is_taken),
        cmocka_unit_test(an_echo_is_counted_once_however_often_the_sink_stops),
    };

    return RUN_TESTS(tests);
}
