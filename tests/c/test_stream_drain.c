/* Streams that come to their end a few at a time, each with all that is there for it. */
#include "http/stream.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/hub.h"

enum { CLIENTS = 40 };

static const struct str comment = {"going away", 10};

/* The end of a stream, and nothing else since the last look: a time to come back, and a comment. */
static void check_ended(struct test_client *c)
{
    assert_true(c->sink.ended);
    sse_client_free(&c->read);
    test_client_read(c);
    assert_int_equal(c->read.count, 0);
    assert_int_equal(c->read.retries, 1);
    assert_int_equal(c->read.comments, 1);
}

/* The same behind these events. */
#define assert_ends_behind(c, ...)                                                                                     \
    do {                                                                                                               \
        assert_true((c)->sink.ended);                                                                                  \
        assert_gets((c), __VA_ARGS__);                                                                                 \
        assert_int_equal((c)->read.retries, 1);                                                                        \
        assert_int_equal((c)->read.comments, 1);                                                                       \
    } while (0)

static void open_clients(struct test_hub *t, struct test_client *c, size_t count)
{
    test_hub_open(t, &test_hub_config, 0);
    for (size_t i = 0; i < count; i++) {
        test_client_open(t, &c[i], i % 2 == 0 ? "ada" : "grace", NULL, NULL);
        test_client_forget(&c[i]);
    }
}

static void close_clients(struct test_hub *t, struct test_client *c, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_client_close(&c[i]);
    assert_int_equal(stream_hub_count(t->hub), 0);
    assert_int_equal(counter_get(&t->counters, COUNT_STREAMS_OPENED), count);
    assert_int_equal(counter_get(&t->counters, COUNT_STREAMS_CLOSED), count);
    test_hub_close(t);
}

static size_t end_some(struct test_hub *t, size_t keep, size_t most)
{
    return stream_hub_end_some(t->hub, keep, most, comment);
}

TEST(as_many_are_left_as_are_to_be_kept)
{
    static struct test_client c[CLIENTS];
    struct test_hub t;

    open_clients(&t, c, CLIENTS);
    assert_int_equal(stream_hub_count(t.hub), CLIENTS);
    assert_int_equal(end_some(&t, CLIENTS, 1000), CLIENTS);
    assert_int_equal(end_some(&t, 30, 1000), 30);
    test_hub_deliver(&t, "ada grace", 1);
    /* Those that opened first go first. */
    for (size_t i = 0; i < 10; i++)
        check_ended(&c[i]);
    for (size_t i = 10; i < CLIENTS; i++)
        assert_gets(&c[i], 1);
    assert_int_equal(end_some(&t, 35, 1000), 30);
    assert_int_equal(end_some(&t, 0, 1000), 0);
    for (size_t i = 10; i < CLIENTS; i++)
        check_ended(&c[i]);
    assert_int_equal(end_some(&t, 0, 1000), 0);
    close_clients(&t, c, CLIENTS);
}

TEST(no_more_end_at_once_than_are_allowed)
{
    static struct test_client c[CLIENTS];
    struct test_hub t;

    open_clients(&t, c, CLIENTS);
    assert_int_equal(end_some(&t, 0, 15), 25);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_CLOSED), 15);
    assert_int_equal(end_some(&t, 20, 15), 20);
    assert_int_equal(end_some(&t, 0, 0), 20);
    close_clients(&t, c, CLIENTS);
}

/* Who leaves without being told has left, and nobody else in its place. */
TEST(those_who_leave_by_themselves_count)
{
    static struct test_client c[CLIENTS];
    struct test_hub t;

    open_clients(&t, c, CLIENTS);
    for (size_t i = 20; i < 30; i++)
        stream_close(c[i].stream);
    assert_int_equal(stream_hub_count(t.hub), 30);
    assert_int_equal(end_some(&t, 30, 1000), 30);
    assert_int_equal(end_some(&t, 29, 1000), 29);
    check_ended(&c[0]);
    for (size_t i = 20; i < 30; i++)
        c[i].stream = NULL;
    close_clients(&t, c, CLIENTS);
}

TEST(each_gets_a_time_of_its_own_to_come_back)
{
    static struct test_client c[CLIENTS];
    uint64_t different = 0;
    struct test_hub t;

    open_clients(&t, c, CLIENTS);
    (void)end_some(&t, 0, 1000);
    for (size_t i = 0; i < CLIENTS; i++) {
        check_ended(&c[i]);
        assert_in_range(c[i].read.retry_ms, 1000, 5000);
        different += i > 0 && c[i].read.retry_ms != c[i - 1].read.retry_ms;
    }
    assert_true(different > CLIENTS / 2);
    close_clients(&t, c, CLIENTS);
}

/* What was delivered and not yet flushed is there for it too. */
TEST(a_stream_sends_what_is_there_before_it_ends)
{
    struct test_client c;
    struct test_hub t;

    open_clients(&t, &c, 1);
    test_hub_append(&t, "ada", 1);
    test_hub_append(&t, "ada", 2);
    assert_int_equal(end_some(&t, 0, 1), 0);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    assert_ends_behind(&c, 1, 2);
    close_clients(&t, &c, 1);
}

TEST(a_slow_stream_ends_when_it_has_sent_all_that_came_meanwhile_too)
{
    struct test_client c;
    struct test_hub t;

    open_clients(&t, &c, 1);
    c.sink.room = 1;
    for (uint64_t i = 1; i <= 3; i++)
        test_hub_deliver(&t, "ada", i);
    assert_int_equal(end_some(&t, 0, 1), 0);
    assert_false(c.sink.ended);
    test_hub_deliver(&t, "*", 4);
    test_client_drain(&c, 2);
    assert_false(c.sink.ended);
    assert_gets(&c, 1, 2, 3);
    test_hub_deliver(&t, "ada", 5);
    test_client_drain(&c, SIZE_MAX);
    assert_ends_behind(&c, 4, 5);
    close_clients(&t, &c, 1);
}

TEST(a_slow_stream_takes_nobody_elses_turn)
{
    static struct test_client c[CLIENTS];
    struct test_hub t;

    open_clients(&t, c, CLIENTS);
    c[0].sink.room = 1;
    test_hub_deliver(&t, "ada", 1);
    test_hub_deliver(&t, "ada", 2);
    /* Its slot of the wheel is empty otherwise, so that it would be looked at again before the others. */
    for (size_t i = 16; i < CLIENTS; i += 16)
        test_client_close(&c[i]);
    for (size_t left = CLIENTS - 2; left-- > 0;)
        assert_int_equal(end_some(&t, left, 1), left);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_CLOSED), CLIENTS - 1);
    test_client_drain(&c[0], SIZE_MAX);
    assert_ends_behind(&c[0], 1, 2);
    close_clients(&t, c, CLIENTS);
}

/* The last of it went out, and the socket is full with it: the farewell waits for room. */
TEST(a_stream_that_has_sent_all_and_is_full_ends_when_it_drains)
{
    struct test_client c;
    struct test_hub t;

    open_clients(&t, &c, 1);
    c.sink.room = 1;
    test_hub_deliver(&t, "ada", 1);
    assert_int_equal(end_some(&t, 0, 1), 0);
    assert_false(c.sink.ended);
    test_client_drain(&c, SIZE_MAX);
    assert_ends_behind(&c, 1);
    close_clients(&t, &c, 1);
}

TEST(a_slow_stream_that_has_lost_something_is_told_before_it_ends)
{
    struct stream_config config = test_hub_config;
    struct test_client c;
    struct test_hub t;

    config.log.max_events = 2;
    test_hub_open(&t, &config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    test_client_forget(&c);
    c.sink.room = 1;
    for (uint64_t i = 1; i <= 5; i++)
        test_hub_deliver(&t, "ada", i);
    (void)end_some(&t, 0, 1);
    test_client_forget(&c);
    test_client_drain(&c, SIZE_MAX);
    assert_gets_resync(&c, "lagged", 5);
    assert_int_equal(c.read.retries, 1);
    assert_true(c.sink.ended);
    close_clients(&t, &c, 1);
}

TEST(a_slow_stream_may_end_in_another_way_first)
{
    static struct test_client c[3];
    struct test_hub t;

    open_clients(&t, c, 3);
    for (int i = 0; i < 3; i++)
        c[i].sink.room = 1;
    test_hub_deliver(&t, "*", 1);
    test_hub_deliver(&t, "*", 2);
    assert_int_equal(end_some(&t, 0, 10), 0);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_CLOSED), 0);
    /* Its client leaves. */
    stream_close(c[0].stream);
    c[0].stream = NULL;
    assert_int_equal(stream_hub_count(t.hub), 0);
    /* There is no time left for it. */
    stream_hub_end_all(t.hub, comment);
    assert_true(c[1].sink.ended && c[2].sink.ended);
    close_clients(&t, c, 3);
}

/* Nothing wakes a stream that is behind but has no full sink: it must not be left there. */
TEST(a_stream_that_had_no_memory_ends_later)
{
    struct test_client c;
    struct test_hub t;

    open_clients(&t, &c, 1);
    stream_hub_gap(t.hub, 9);
    alloc_permit(0);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    (void)end_some(&t, 0, 1);
    assert_true(alloc_permit_all());
    assert_false(c.sink.ended);
    stream_hub_tick(t.hub, test_hub_config.heartbeat_ms, 0);
    (void)stream_hub_flush(t.hub, SIZE_MAX);
    assert_true(c.sink.ended);
    assert_gets_resync(&c, "lagged", 9);
    assert_int_equal(c.read.retries, 1);
    close_clients(&t, &c, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_are_left_as_are_to_be_kept),
        cmocka_unit_test(no_more_end_at_once_than_are_allowed),
        cmocka_unit_test(those_who_leave_by_themselves_count),
        cmocka_unit_test(each_gets_a_time_of_its_own_to_come_back),
        cmocka_unit_test(a_stream_sends_what_is_there_before_it_ends),
        cmocka_unit_test(a_slow_stream_ends_when_it_has_sent_all_that_came_meanwhile_too),
        cmocka_unit_test(a_slow_stream_takes_nobody_elses_turn),
        cmocka_unit_test(a_stream_that_has_sent_all_and_is_full_ends_when_it_drains),
        cmocka_unit_test(a_slow_stream_that_has_lost_something_is_told_before_it_ends),
        cmocka_unit_test(a_slow_stream_may_end_in_another_way_first),
        cmocka_unit_test(a_stream_that_had_no_memory_ends_later),
    };

    return RUN_TESTS(tests);
}
