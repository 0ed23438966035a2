/* Heartbeats under a virtual clock, the trimming that time brings, and the end of all streams. */
#include "http/stream.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/events.h"
#include "support/hub.h"

static struct stream_config with_heartbeat(uint64_t heartbeat_ms)
{
    struct stream_config config = test_hub_config;

    config.heartbeat_ms = heartbeat_ms;
    return config;
}

/*
 * Runs the clock for `heartbeats` heartbeats, a hundred ticks each (and not more than one a millisecond), and
 * measures the longest time in which the client got no byte.
 */
static uint64_t longest_silence(struct test_hub *t, struct test_client *c, uint64_t from, uint64_t heartbeat_ms,
                                unsigned heartbeats)
{
    uint64_t step = heartbeat_ms >= 100 ? heartbeat_ms / 100 : 1;
    uint64_t last = from;
    uint64_t longest = 0;

    for (uint64_t now = from; now <= from + heartbeats * heartbeat_ms; now += step) {
        stream_hub_tick(t->hub, now, 0);
        if (c->sink.bytes.len == 0) {
            longest = now - last > longest ? now - last : longest;
            continue;
        }
        last = now;
        test_client_read(c);
    }
    return longest;
}

/* A client that connects at any moment of a heartbeat, and then hears nothing of anybody. */
static void check_silent(uint64_t heartbeat_ms)
{
    struct stream_config config = with_heartbeat(heartbeat_ms);

    for (unsigned phase = 0; phase < 40; phase++) {
        struct test_hub t;
        struct test_client c;
        uint64_t start = phase * heartbeat_ms / 40;
        test_hub_open(&t, &config, 0);
        for (uint64_t now = 0; now <= start; now++)
            stream_hub_tick(t.hub, now, 0);
        test_client_open(&t, &c, "ada", NULL, NULL);
        uint64_t silence = longest_silence(&t, &c, start, heartbeat_ms, 10);
        assert_that(silence <= heartbeat_ms, "silent for %llu ms with a heartbeat of %llu, connected at %llu",
                    (unsigned long long)silence, (unsigned long long)heartbeat_ms, (unsigned long long)start);
        assert_int_equal(c.read.count, 1);
        assert_true(c.read.comments >= 10);
        assert_int_equal(counter_get(&t.counters, COUNT_COMMENTS), c.read.comments);
        test_client_close(&c);
        test_hub_close(&t);
    }
}

TEST(a_silent_stream_gets_a_comment_within_30_s)
{
    check_silent(30000);
}

TEST(a_silent_stream_gets_a_comment_within_2_s)
{
    check_silent(2000);
}

TEST(a_silent_stream_gets_a_comment_within_100_ms)
{
    check_silent(100); /* far below what the settings allow: nothing rounds up to a silence */
}

/* An event just after a stream was visited puts its next comment off the longest. */
TEST(an_event_at_any_moment_leaves_no_longer_silence)
{
    uint64_t heartbeat_ms = 30000;
    struct stream_config config = with_heartbeat(heartbeat_ms);

    for (uint64_t moment = 0; moment < 32; moment++) {
        struct test_hub t;
        struct test_client c;
        uint64_t at = 3 * heartbeat_ms + moment * heartbeat_ms / 32;
        test_hub_open(&t, &config, 0);
        test_client_open(&t, &c, "ada", NULL, NULL);
        for (uint64_t now = 0; now <= at; now += 300)
            stream_hub_tick(t.hub, now, 0);
        test_client_forget(&c);
        test_hub_deliver(&t, "ada", 1);
        assert_gets(&c, 1);
        assert_true(longest_silence(&t, &c, at / 300 * 300, heartbeat_ms, 3) <= heartbeat_ms);
        test_client_close(&c);
        test_hub_close(&t);
    }
}

TEST(streams_that_came_together_are_all_kept_awake)
{
    enum { CLIENTS = 50 };
    static struct test_client c[CLIENTS];
    struct test_hub t;

    test_hub_open(&t, &test_hub_config, 0);
    for (size_t i = 0; i < CLIENTS; i++)
        test_client_open(&t, &c[i], "ada", NULL, NULL);
    for (uint64_t now = 0; now <= 30000; now += 100)
        stream_hub_tick(t.hub, now, 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        test_client_read(&c[i]);
        assert_true(c[i].read.comments >= 1);
        test_client_close(&c[i]);
    }
    test_hub_close(&t);
}

TEST(a_busy_stream_gets_no_comment)
{
    struct test_hub t;
    struct test_client c;
    uint64_t position = 0;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    for (uint64_t now = 0; now < 300000; now += 300) {
        stream_hub_tick(t.hub, now, 0);
        if (now % 6000 == 0)
            test_hub_deliver(&t, "ada", ++position);
    }
    test_client_read(&c);
    assert_int_equal(c.read.comments, 0);
    assert_int_equal(counter_get(&t.counters, COUNT_COMMENTS), 0);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_full_sink_gets_no_comment)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 0;
    test_hub_deliver(&t, "ada", 1);
    size_t sends = c.sink.sends;
    for (uint64_t now = 0; now <= 150000; now += 300)
        stream_hub_tick(t.hub, now, 0);
    assert_int_equal(c.sink.sends, sends);
    assert_int_equal(counter_get(&t.counters, COUNT_COMMENTS), 0);
    test_client_drain(&c, SIZE_MAX);
    assert_gets(&c, 1);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_heartbeat_allocates_nothing)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    assert_true(buf_reserve(&c.sink.bytes, 4096));
    size_t before = alloc_count();
    for (uint64_t now = 0; now <= 150000; now += 300)
        stream_hub_tick(t.hub, now, 0);
    assert_int_equal(alloc_count(), before);
    assert_true(c.sink.bytes.len > 0);
    test_client_close(&c);
    test_hub_close(&t);
}

/* A machine that slept: the clock leaps, and everybody is told something within a heartbeat of waking. */
TEST(a_leap_of_the_clock_is_survived)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    stream_hub_tick(t.hub, 1000, 0);
    uint64_t woken = 1000 + 1000ull * 3600 * 24 * 365;
    test_client_forget(&c);
    (void)longest_silence(&t, &c, woken, 30000, 1);
    assert_in_range(c.read.comments, 1, 3);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(time_trims_the_log)
{
    struct stream_config config = test_hub_config;
    struct test_hub t;
    struct test_client c;

    config.log.max_age_ms = 1000;
    test_hub_open(&t, &config, 0);
    test_hub_deliver(&t, "ada", 500); /* its timestamp is its position */
    stream_hub_tick(t.hub, 0, 1500);
    test_client_open(&t, &c, "ada", NULL, "0123456789ab-0");
    assert_gets_nothing(&c);
    test_client_close(&c);
    test_client_open(&t, &c, "ada", NULL, "0123456789ab-0");
    assert_int_equal(c.read.count, 2);
    assert_str(buf_str(&c.read.messages[1].name), "sync");
    test_client_close(&c);
    stream_hub_tick(t.hub, 1, 1501);
    test_client_open(&t, &c, "ada", NULL, "0123456789ab-0");
    assert_int_equal(c.read.count, 2);
    assert_str(buf_str(&c.read.messages[1].name), "resync");
    test_client_close(&c);
    test_hub_close(&t);
}

/* --- the end --- */

TEST(all_streams_end_with_a_time_to_come_back)
{
    enum { CLIENTS = 40 };
    static struct test_client c[CLIENTS];
    struct test_hub t;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;

    test_hub_open(&t, &test_hub_config, 0);
    for (size_t i = 0; i < CLIENTS; i++) {
        test_client_open(&t, &c[i], "ada", NULL, NULL);
        test_client_forget(&c[i]);
    }
    test_hub_append(&t, "ada", 1); /* some have something to send when the end comes */
    stream_hub_end_all(t.hub, STR("going away"));
    for (size_t i = 0; i < CLIENTS; i++) {
        assert_true(c[i].sink.ended);
        test_client_read(&c[i]);
        assert_int_equal(c[i].read.retries, 1);
        assert_int_equal(c[i].read.comments, 1);
        assert_in_range(c[i].read.retry_ms, 1000, 5000);
        least = c[i].read.retry_ms < least ? c[i].read.retry_ms : least;
        most = c[i].read.retry_ms > most ? c[i].read.retry_ms : most;
        test_client_close(&c[i]);
    }
    assert_true(most - least > 1000);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_CLOSED), CLIENTS);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    stream_hub_end_all(t.hub, STR("nobody is left"));
    test_hub_close(&t);
}

TEST(a_full_sink_ends_as_well)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 0;
    test_hub_deliver(&t, "ada", 1);
    stream_hub_end_all(t.hub, STR("going away"));
    assert_true(c.sink.ended);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(streams_end_without_memory)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    alloc_permit(0);
    stream_hub_end_all(t.hub, STR("going away"));
    (void)alloc_permit_all();
    assert_true(c.sink.ended);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_refusal_is_a_time_to_come_back_and_a_reason)
{
    struct sse_client client = SSE_CLIENT_EMPTY;
    struct buf out = BUF_EMPTY;
    struct test_hub t;

    test_hub_open(&t, &test_hub_config, 0);
    stream_hub_append_refusal(t.hub, &out, STR("the server is busy"));
    sse_client_read(&client, buf_str(&out));
    assert_int_equal(client.retries, 1);
    assert_in_range(client.retry_ms, 1000, 5000);
    assert_int_equal(client.comments, 1);
    assert_int_equal(client.count, 0);
    sse_client_free(&client);
    buf_free(&out);
    test_hub_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_stream_gets_a_comment_within_30_s),
        cmocka_unit_test(a_silent_stream_gets_a_comment_within_2_s),
        cmocka_unit_test(a_silent_stream_gets_a_comment_within_100_ms),
        cmocka_unit_test(an_event_at_any_moment_leaves_no_longer_silence),
        cmocka_unit_test(streams_that_came_together_are_all_kept_awake),
        cmocka_unit_test(a_busy_stream_gets_no_comment),
        cmocka_unit_test(a_full_sink_gets_no_comment),
        cmocka_unit_test(a_heartbeat_allocates_nothing),
        cmocka_unit_test(a_leap_of_the_clock_is_survived),
        cmocka_unit_test(time_trims_the_log),
        cmocka_unit_test(all_streams_end_with_a_time_to_come_back),
        cmocka_unit_test(a_full_sink_ends_as_well),
        cmocka_unit_test(streams_end_without_memory),
        cmocka_unit_test(a_refusal_is_a_time_to_come_back_and_a_reason),
    };

    return RUN_TESTS(tests);
}
