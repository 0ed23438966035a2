/* How a stream begins: its head, the reconnection time, `ready`, and what the client has missed. */
#include "http/stream.h"

#include <stdio.h>

#include "support/alloc.h"
#include "support/check.h"
#include "support/events.h"
#include "support/hub.h"

#define READY(position) "{\"position\":\"" position "\",\"heartbeatMs\":30000,\"userId\":\"ada\"}"

TEST(a_stream_begins_with_its_head_and_ready)
{
    struct test_hub t;
    struct fake_sink sink;
    struct sse_client client = SSE_CLIENT_EMPTY;
    struct str head = STR("HTTP/1.1 200 OK\r\n\r\n");

    test_hub_open(&t, &test_hub_config, 7);
    fake_sink_init(&sink);
    struct stream *s = stream_open(t.hub, &(struct stream_request){.user_id = STR("ada")}, &sink.base, head);
    assert_true(str_starts_with(buf_str(&sink.bytes), head));
    sse_client_read(&client, str_from(buf_str(&sink.bytes), head.len));
    assert_int_equal(client.retries, 1);
    assert_int_equal(client.count, 1);
    assert_str(buf_str(&client.messages[0].name), "ready");
    assert_str(buf_str(&client.messages[0].id), "0123456789ab-7");
    assert_str(buf_str(&client.messages[0].data), READY("0123456789ab-7"));
    stream_close(s);
    sse_client_free(&client);
    fake_sink_free(&sink);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_OPENED), 1);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_CLOSED), 1);
    test_hub_close(&t);
    stream_hub_free(NULL);
}

TEST(ready_names_the_user_whatever_is_in_the_id)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 7);
    test_client_open(&t, &c, "a\"d\\a, Ω 🦊", NULL, NULL);
    assert_message(&c, 0, "ready", "0123456789ab-7",
                   "{\"position\":\"0123456789ab-7\",\"heartbeatMs\":30000,\"userId\":\"a\\\"d\\\\a, Ω 🦊\"}");
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(the_reconnection_time_is_drawn_for_each_stream)
{
    struct test_hub t;
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;

    test_hub_open(&t, &test_hub_config, 0);
    for (int i = 0; i < 300; i++) {
        struct test_client c;
        test_client_open(&t, &c, "ada", NULL, NULL);
        assert_in_range(c.read.retry_ms, 1000, 5000);
        least = c.read.retry_ms < least ? c.read.retry_ms : least;
        most = c.read.retry_ms > most ? c.read.retry_ms : most;
        test_client_close(&c);
    }
    /* Clients that lost a server at the same moment must not come back at the same moment. */
    assert_true(most - least > 2000);
    test_hub_close(&t);
}

TEST(a_fixed_reconnection_time_is_kept)
{
    struct stream_config config = test_hub_config;
    struct test_hub t;
    struct test_client c;

    config.retry_min_ms = config.retry_max_ms = 1234;
    test_hub_open(&t, &config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    assert_int_equal(c.read.retry_ms, 1234);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_new_client_gets_what_comes_from_now_on)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_hub_deliver(&t, "ada", 1);
    test_client_open(&t, &c, "ada", NULL, NULL);
    assert_int_equal(c.read.count, 1);
    assert_message(&c, 0, "ready", "0123456789ab-1", READY("0123456789ab-1"));
    test_hub_deliver(&t, "ada", 2);
    test_hub_deliver(&t, "grace", 3);
    test_hub_deliver(&t, "*", 4);
    assert_gets(&c, 2, 4);
    assert_int_equal(stream_hub_head(t.hub), 4);
    test_client_close(&c);
    test_hub_close(&t);
}

/* --- coming back --- */

static void deliver_five(struct test_hub *t)
{
    test_hub_deliver(t, "ada", 10);
    test_hub_deliver(t, "grace", 20);
    test_hub_deliver(t, "*", 30);
    test_hub_deliver(t, "ada grace linus", 40);
    test_hub_deliver(t, "grace linus ken", 50);
}

TEST(a_client_that_comes_back_gets_what_it_missed)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    deliver_five(&t);
    test_client_open(&t, &c, "ada", NULL, "0123456789ab-10");
    assert_int_equal(c.read.count, 3);
    assert_message(&c, 0, "ready", "0123456789ab-10", READY("0123456789ab-10"));
    assert_str(buf_str(&c.read.messages[1].id), "0123456789ab-30");
    assert_str(buf_str(&c.read.messages[2].id), "0123456789ab-40");
    /* Between replay and live there is neither a hole nor a repetition. */
    test_hub_deliver(&t, "ada", 60);
    assert_gets(&c, 60);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_client_that_missed_nothing_goes_on)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    deliver_five(&t);
    test_client_open(&t, &c, "ada", NULL, "0123456789ab-50");
    assert_int_equal(c.read.count, 1);
    assert_message(&c, 0, "ready", "0123456789ab-50", READY("0123456789ab-50"));
    test_hub_deliver(&t, "ada", 60);
    assert_gets(&c, 60);
    test_client_close(&c);
    test_hub_close(&t);
}

/*
 * `ready` has no id here: a client that is cut off before `resync` must come back with its old id, and be
 * told again.
 */
static void resyncs(struct test_hub *t, const char *last_event_id, const char *reason)
{
    struct test_client c;
    char data[100];

    snprintf(data, sizeof data, "{\"reason\":\"%s\",\"position\":\"0123456789ab-50\"}", reason);
    test_client_open(t, &c, "ada", NULL, last_event_id);
    assert_int_equal(c.read.count, 2);
    assert_message(&c, 0, "ready", NULL, READY("0123456789ab-50"));
    assert_message(&c, 1, "resync", "0123456789ab-50", data);
    assert_gets_nothing(&c);
    test_client_close(&c);
}

TEST(a_last_id_that_leads_nowhere_is_answered_with_resync)
{
    struct test_hub t;

    test_hub_open(&t, &test_hub_config, 5);
    deliver_five(&t);
    resyncs(&t, "rubbish", "malformed");
    resyncs(&t, "10", "malformed");
    resyncs(&t, "0123456789ab-10\n", "malformed");
    resyncs(&t, "fedcba987654-10", "generation");
    resyncs(&t, "0123456789ab-51", "ahead");
    resyncs(&t, "0123456789ab-18446744073709551615", "ahead");
    resyncs(&t, "0123456789ab-4", "trimmed");
    resyncs(&t, "0123456789ab-0", "trimmed");
    assert_int_equal(counter_get(&t.counters, COUNT_RESYNCS), 8);
    test_hub_close(&t);
}

TEST(a_client_lives_on_after_its_resync)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 5);
    deliver_five(&t);
    test_client_open(&t, &c, "ada", NULL, "rubbish");
    test_hub_deliver(&t, "ada", 60);
    assert_gets(&c, 60);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(what_was_trimmed_is_answered_with_resync)
{
    struct stream_config config = test_hub_config;
    struct test_hub t;
    struct test_client c;

    config.log.max_events = 2;
    test_hub_open(&t, &config, 0);
    deliver_five(&t);
    resyncs(&t, "0123456789ab-10", "trimmed");
    test_client_open(&t, &c, "ada", NULL, "0123456789ab-30");
    assert_int_equal(c.read.count, 2);
    assert_str(buf_str(&c.read.messages[1].id), "0123456789ab-40");
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(who_comes_back_across_a_gap_is_to_resync)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_hub_deliver(&t, "ada", 10);
    stream_hub_gap(t.hub, 50);
    resyncs(&t, "0123456789ab-10", "trimmed");
    test_client_open(&t, &c, "ada", NULL, "0123456789ab-50");
    assert_int_equal(c.read.count, 1);
    test_client_close(&c);
    test_hub_close(&t);
}

/* --- what it leaves out --- */

static void deliver_of(struct test_hub *t, const char *entity, const char *user, const char *session, uint64_t position)
{
    struct event_fields fields = {.entity = str_of(entity),
                                  .action = STR("updated"),
                                  .user_id = str_of(user),
                                  .session_id = str_of(session),
                                  .everyone = true};
    struct event *ev = make_event(&fields, position, position);

    stream_hub_deliver(t->hub, &ev, 1);
    (void)stream_hub_flush(t->hub, SIZE_MAX);
    event_unref(ev);
}

TEST(the_session_that_caused_an_event_does_not_get_it)
{
    struct test_hub t;
    struct test_client laptop, phone, none, grace;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &laptop, "ada", "laptop", NULL);
    test_client_open(&t, &phone, "ada", "phone", NULL);
    test_client_open(&t, &none, "ada", NULL, NULL);
    test_client_open(&t, &grace, "grace", "laptop", NULL);
    deliver_of(&t, "task", "ada", "laptop", 1);
    deliver_of(&t, "task", "ada", NULL, 2);
    assert_gets(&laptop, 2);
    assert_gets(&phone, 1, 2);
    assert_gets(&none, 1, 2);
    assert_gets(&grace, 1, 2);
    assert_int_equal(counter_get(&t.counters, COUNT_ECHOES), 1);
    assert_int_equal(counter_get(&t.counters, COUNT_DELIVERIES), 7);
    test_client_close(&laptop);
    test_client_close(&phone);
    test_client_close(&none);
    test_client_close(&grace);
    test_hub_close(&t);
}

TEST(an_echo_is_left_out_of_a_replay_too)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    deliver_of(&t, "task", "ada", "laptop", 1);
    deliver_of(&t, "task", "ada", "phone", 2);
    deliver_of(&t, "task", "ada", "laptop", 3);
    test_client_open(&t, &c, "ada", "laptop", "0123456789ab-0");
    assert_int_equal(c.read.count, 2);
    assert_str(buf_str(&c.read.messages[1].id), "0123456789ab-2");
    test_client_close(&c);
    test_hub_close(&t);
}

static void open_narrowed(struct test_hub *t, struct test_client *c, const char *entities, const char *last_event_id)
{
    test_client_request(t, c,
                        &(struct stream_request){.user_id = STR("ada"),
                                                 .entities = str_of(entities),
                                                 .last_event_id = str_of(last_event_id)});
}

TEST(a_stream_can_be_narrowed_to_entities)
{
    struct test_hub t;
    struct test_client one, two, all, prefix;

    test_hub_open(&t, &test_hub_config, 0);
    open_narrowed(&t, &one, "task", NULL);
    open_narrowed(&t, &two, "label,task", NULL);
    open_narrowed(&t, &all, "", NULL);
    open_narrowed(&t, &prefix, "tas,tasks", NULL);
    deliver_of(&t, "task", "grace", NULL, 1);
    deliver_of(&t, "label", "grace", NULL, 2);
    deliver_of(&t, "project", "grace", NULL, 3);
    deliver_of(&t, "task", "grace", NULL, 4);
    assert_gets(&one, 1, 4);
    assert_gets(&two, 1, 2, 4);
    assert_gets(&all, 1, 2, 3, 4);
    assert_gets_nothing(&prefix);
    test_client_close(&one);
    test_client_close(&two);
    test_client_close(&all);
    test_client_close(&prefix);
    open_narrowed(&t, &one, "label", "0123456789ab-0");
    assert_int_equal(one.read.count, 2);
    assert_str(buf_str(&one.read.messages[1].id), "0123456789ab-2");
    test_client_close(&one);
    test_hub_close(&t);
}

TEST(a_stream_keeps_copies_of_what_was_asked_for)
{
    struct test_hub t;
    struct test_client c;
    char text[] = "adalaptoptask0123456789ab-0";

    test_hub_open(&t, &test_hub_config, 0);
    test_client_request(&t, &c,
                        &(struct stream_request){.user_id = {text, 3},
                                                 .session_id = {text + 3, 6},
                                                 .entities = {text + 9, 4},
                                                 .last_event_id = {text + 13, 14}});
    memset(text, 'x', sizeof text);
    deliver_of(&t, "task", "ada", "laptop", 1);
    deliver_of(&t, "label", "grace", NULL, 2);
    deliver_of(&t, "task", "ada", "phone", 3);
    assert_gets(&c, 3);
    test_client_close(&c);
    test_hub_close(&t);
}

/* --- memory --- */

/* What one more stream of a user holds, whom the hub knows already. */
static size_t held_by_one_more(struct test_hub *t, const char *user)
{
    struct stream_request request = {.user_id = str_of(user), .session_id = STR("laptop")};
    struct test_client first;
    struct fake_sink sink;

    test_client_open(t, &first, user, "phone", NULL);
    fake_sink_init(&sink);
    assert_true(buf_reserve(&sink.bytes, 4096));
    size_t before = alloc_held();
    struct stream *s = stream_open(t->hub, &request, &sink.base, STR_NONE);
    size_t held = alloc_held() - before;
    stream_close(s);
    fake_sink_free(&sink);
    test_client_close(&first);
    return held;
}

TEST(a_stream_keeps_nothing_of_what_it_said_at_first)
{
    struct test_hub t;
    char user[257];

    memset(user, 'u', sizeof user - 1);
    user[sizeof user - 1] = '\0';
    test_hub_open(&t, &test_hub_config, 0);
    size_t held = held_by_one_more(&t, "ada");
    assert_int_equal(held_by_one_more(&t, user), held);
    assert_in_range(held, 1, 256);
    test_hub_close(&t);
}

TEST(a_stream_opens_whole_or_sends_nothing)
{
    struct stream_request request = {.user_id = STR("ada"),
                                     .session_id = STR("laptop"),
                                     .entities = STR("task"),
                                     .last_event_id = STR("fedcba987654-10")};
    struct test_hub t;
    bool done = false;

    test_hub_open(&t, &test_hub_config, 0);
    for (size_t permitted = 0; !done; permitted++) {
        struct test_client c = {.read = SSE_CLIENT_EMPTY};
        fake_sink_init(&c.sink);
        assert_true(buf_reserve(&c.sink.bytes, 4096)); /* the sink itself has memory */
        alloc_permit(permitted);
        c.stream = stream_open(t.hub, &request, &c.sink.base, STR("HTTP/1.1 200 OK\r\n\r\n"));
        done = !alloc_permit_all();
        assert_that((c.stream != NULL) == done, "with %zu allocations", permitted);
        assert_int_equal(c.sink.bytes.len > 0, done);
        assert_int_equal(c.sink.sends, done);
        test_client_close(&c);
    }
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_OPENED), 1);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_CLOSED), 1);
    test_hub_close(&t);
}

TEST(a_hub_is_made_whole_or_not_at_all)
{
    static struct counters counters;
    bool done = false;

    for (size_t permitted = 0; !done; permitted++) {
        alloc_permit(permitted);
        struct stream_hub *hub = stream_hub_create(&test_hub_config, 0, &counters);
        done = !alloc_permit_all();
        assert_int_equal(hub != NULL, done);
        stream_hub_free(hub);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_begins_with_its_head_and_ready),
        cmocka_unit_test(ready_names_the_user_whatever_is_in_the_id),
        cmocka_unit_test(the_reconnection_time_is_drawn_for_each_stream),
        cmocka_unit_test(a_fixed_reconnection_time_is_kept),
        cmocka_unit_test(a_new_client_gets_what_comes_from_now_on),
        cmocka_unit_test(a_client_that_comes_back_gets_what_it_missed),
        cmocka_unit_test(a_client_that_missed_nothing_goes_on),
        cmocka_unit_test(a_last_id_that_leads_nowhere_is_answered_with_resync),
        cmocka_unit_test(a_client_lives_on_after_its_resync),
        cmocka_unit_test(what_was_trimmed_is_answered_with_resync),
        cmocka_unit_test(who_comes_back_across_a_gap_is_to_resync),
        cmocka_unit_test(the_session_that_caused_an_event_does_not_get_it),
        cmocka_unit_test(an_echo_is_left_out_of_a_replay_too),
        cmocka_unit_test(a_stream_can_be_narrowed_to_entities),
        cmocka_unit_test(a_stream_keeps_copies_of_what_was_asked_for),
        cmocka_unit_test(a_stream_keeps_nothing_of_what_it_said_at_first),
        cmocka_unit_test(a_stream_opens_whole_or_sends_nothing),
        cmocka_unit_test(a_hub_is_made_whole_or_not_at_all),
    };

    return RUN_TESTS(tests);
}
