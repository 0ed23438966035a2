/* Streams whose user expires: the notice, the end, and what it costs the others. */
#include "http/stream.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/events.h"
#include "support/hub.h"

static const uint64_t T = 1700000000000;

static void open_hub(struct test_hub *t)
{
    struct stream_config config = test_hub_config;

    config.expiry_notice_ms = 60000;
    test_hub_open(t, &config, 0);
}

static void open_until(struct test_hub *t, struct test_client *c, const char *user, uint64_t expires_ms)
{
    test_client_request(t, c, &(struct stream_request){.user_id = str_of(user), .expires_ms = expires_ms});
}

static void check_alive(struct test_client *c, size_t messages)
{
    test_client_read(c);
    assert_int_equal(c->read.count, messages);
    assert_false(c->sink.ended);
}

TEST(a_stream_says_that_it_expires_and_then_ends)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_hub_deliver(&t, "grace", 7);
    open_until(&t, &c, "ada", T + 100000);
    stream_hub_tick(t.hub, 0, T + 39999);
    check_alive(&c, 1);
    stream_hub_tick(t.hub, 100, T + 40000);
    check_alive(&c, 2);
    assert_message(&c, 1, "expiring", "0123456789ab-7", "{\"expiresAt\":1700000100000}");
    stream_hub_tick(t.hub, 200, T + 99999);
    check_alive(&c, 2);
    assert_int_equal(c.read.retries, 1);
    stream_hub_tick(t.hub, 300, T + 100000);
    assert_true(c.sink.ended);
    test_client_read(&c);
    assert_int_equal(c.read.count, 2);
    assert_int_equal(c.read.retries, 2);
    assert_int_equal(c.read.comments, 1);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_EXPIRED), 1);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_CLOSED), 1);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(with_less_left_it_says_so_at_once)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    open_until(&t, &c, "ada", T + 10);
    stream_hub_tick(t.hub, 0, T);
    check_alive(&c, 2);
    stream_hub_tick(t.hub, 100, T + 10);
    assert_true(c.sink.ended);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(with_nothing_left_it_ends_without_a_notice)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    open_until(&t, &c, "ada", T);
    stream_hub_tick(t.hub, 0, T);
    assert_true(c.sink.ended);
    test_client_read(&c);
    assert_int_equal(c.read.count, 1);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(who_does_not_expire_stays)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    open_until(&t, &c, "ada", 0);
    stream_hub_tick(t.hub, 0, UINT64_MAX);
    check_alive(&c, 1);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(what_was_committed_before_comes_before_the_end)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    open_until(&t, &c, "ada", 1000);
    test_client_forget(&c);
    test_hub_append(&t, "ada", 5);
    stream_hub_tick(t.hub, 0, 1000);
    assert_true(c.sink.ended);
    assert_gets(&c, 5);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_full_stream_is_told_later_and_ends_in_time)
{
    struct test_hub t;
    struct test_client slow;
    struct test_client stuck;

    open_hub(&t);
    open_until(&t, &slow, "ada", T + 60000);
    open_until(&t, &stuck, "ada", T + 60000);
    slow.sink.room = 0;
    stuck.sink.room = 0;
    test_hub_deliver(&t, "ada", 1);
    stream_hub_tick(t.hub, 0, T);
    check_alive(&slow, 1);
    test_client_drain(&slow, SIZE_MAX);
    stream_hub_tick(t.hub, 100, T + 999);
    check_alive(&slow, 2);
    stream_hub_tick(t.hub, 200, T + 1000);
    check_alive(&slow, 3);
    stream_hub_tick(t.hub, 300, T + 59990); /* less is left than until the next try */
    stream_hub_tick(t.hub, 400, T + 60000);
    assert_true(slow.sink.ended);
    assert_true(stuck.sink.ended);
    test_client_close(&slow);
    test_client_close(&stuck);
    test_hub_close(&t);
}

TEST(a_stream_that_left_before_is_not_ended_again)
{
    struct test_hub t;
    struct test_client early;
    struct test_client late;

    open_hub(&t);
    open_until(&t, &early, "ada", T);
    open_until(&t, &late, "grace", T + 1);
    test_client_close(&early);
    stream_hub_tick(t.hub, 0, T + 1);
    assert_true(late.sink.ended);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_EXPIRED), 1);
    test_client_close(&late);
    test_hub_close(&t);
}

TEST(waiting_for_an_expiry_costs_nothing)
{
    enum { CLIENTS = 50 };
    static struct test_client c[CLIENTS];
    struct test_hub t;

    open_hub(&t);
    for (size_t i = 0; i < CLIENTS; i++)
        open_until(&t, &c[i], "ada", T + 100000 + i);
    size_t before = alloc_count();
    for (uint64_t now = 0; now < 10000; now += 100)
        stream_hub_tick(t.hub, now, T + now);
    assert_int_equal(alloc_count(), before);
    for (size_t i = 0; i < CLIENTS; i++)
        test_client_close(&c[i]);
    test_hub_close(&t);
}

TEST(a_stream_without_memory_for_its_expiry_does_not_open)
{
    struct stream_request request = {.user_id = STR("ada"), .expires_ms = T};
    bool all = false;

    for (size_t permitted = 0; !all; permitted++) {
        struct test_hub t;
        struct test_client c = {.read = SSE_CLIENT_EMPTY};
        open_hub(&t);
        fake_sink_init(&c.sink);
        alloc_permit(permitted);
        c.stream = stream_open(t.hub, &request, &c.sink.base, STR_NONE);
        all = !alloc_permit_all();
        stream_hub_tick(t.hub, 0, T);
        assert_int_equal(c.sink.ended, c.stream != NULL);
        test_client_close(&c);
        test_hub_close(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_says_that_it_expires_and_then_ends),
        cmocka_unit_test(with_less_left_it_says_so_at_once),
        cmocka_unit_test(with_nothing_left_it_ends_without_a_notice),
        cmocka_unit_test(who_does_not_expire_stays),
        cmocka_unit_test(what_was_committed_before_comes_before_the_end),
        cmocka_unit_test(a_full_stream_is_told_later_and_ends_in_time),
        cmocka_unit_test(a_stream_that_left_before_is_not_ended_again),
        cmocka_unit_test(waiting_for_an_expiry_costs_nothing),
        cmocka_unit_test(a_stream_without_memory_for_its_expiry_does_not_open),
    };

    return RUN_TESTS(tests);
}
