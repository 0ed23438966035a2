/* Streams that a script ends: whose, what they get before, and who comes too late to be let in. */
#include "http/stream.h"

#include "support/check.h"
#include "support/events.h"
#include "support/hub.h"

enum { REMEMBERED = 256 };

static void disconnect(struct test_hub *t, const char *user, const char *session)
{
    struct event *ev = make_disconnect(user, session, 1);

    stream_hub_deliver(t->hub, &ev, 1);
    event_unref(ev);
}

/* Ended cleanly: a time to come back, a comment, and nothing else. */
static void check_ended(struct test_client *c)
{
    assert_true(c->sink.ended);
    sse_client_free(&c->read);
    test_client_read(c);
    assert_int_equal(c->read.count, 0);
    assert_int_equal(c->read.retries, 1);
    assert_int_equal(c->read.comments, 1);
}

TEST(all_streams_of_the_user_end_and_no_others)
{
    struct test_hub t;
    struct test_client c[4];

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c[0], "ada", "s1", NULL);
    test_client_open(&t, &c[1], "ada", NULL, NULL);
    test_client_open(&t, &c[2], "grace", "s1", NULL);
    test_client_open(&t, &c[3], "ad", NULL, NULL);
    disconnect(&t, "ada", NULL);
    check_ended(&c[0]);
    check_ended(&c[1]);
    assert_false(c[2].sink.ended || c[3].sink.ended);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_DISCONNECTED), 2);
    disconnect(&t, "ada", NULL);
    disconnect(&t, "nobody", NULL);
    assert_int_equal(counter_get(&t.counters, COUNT_STREAMS_CLOSED), 2);
    test_hub_deliver(&t, "ada grace", 1);
    assert_gets(&c[2], 1);
    for (int i = 0; i < 4; i++)
        test_client_close(&c[i]);
    test_hub_close(&t);
}

TEST(with_a_session_only_that_one_ends)
{
    struct test_hub t;
    struct test_client c[3];

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c[0], "ada", "s1", NULL);
    test_client_open(&t, &c[1], "ada", "s2", NULL);
    test_client_open(&t, &c[2], "ada", NULL, NULL);
    disconnect(&t, "ada", "s1");
    check_ended(&c[0]);
    assert_false(c[1].sink.ended || c[2].sink.ended);
    for (int i = 0; i < 3; i++)
        test_client_close(&c[i]);
    test_hub_close(&t);
}

TEST(what_came_before_is_sent_and_what_comes_behind_is_not)
{
    struct test_hub t;
    struct test_client c;
    struct event *batch[] = {make_event_for("ada", 1), make_event_for("*", 2), make_disconnect("ada", NULL, 2),
                             make_event_for("ada", 3)};

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    stream_hub_deliver(t.hub, batch, 4);
    assert_true(c.sink.ended);
    assert_gets(&c, 1, 2);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    assert_int_equal(stream_hub_head(t.hub), 3);
    for (int i = 0; i < 4; i++)
        event_unref(batch[i]);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_full_stream_ends_at_once)
{
    struct test_hub t;
    struct test_client c;

    test_hub_open(&t, &test_hub_config, 0);
    test_client_open(&t, &c, "ada", NULL, NULL);
    c.sink.room = 0;
    test_hub_deliver(&t, "ada", 1);
    disconnect(&t, "ada", NULL);
    assert_true(c.sink.ended);
    test_client_close(&c);
    test_hub_close(&t);
}

/* --- a sign-in that was looked at before the disconnect, and a stream that would open after it --- */

static bool admitted(struct test_hub *t, const char *user, uint64_t mark)
{
    return stream_hub_objection(t->hub, &(struct stream_request){.user_id = str_of(user), .mark = mark}) == NULL;
}

TEST(who_was_disconnected_meanwhile_is_not_let_in)
{
    struct test_hub t;

    test_hub_open(&t, &test_hub_config, 0);
    uint64_t before = stream_hub_mark(t.hub);
    assert_true(admitted(&t, "ada", before));
    disconnect(&t, "ada", "s1");
    assert_false(admitted(&t, "ada", before));
    assert_true(admitted(&t, "grace", before));
    assert_true(admitted(&t, "ada", stream_hub_mark(t.hub)));
    test_hub_close(&t);
}

TEST(when_more_were_disconnected_than_are_remembered_everybody_is_sent_away)
{
    struct test_hub t;

    test_hub_open(&t, &test_hub_config, 0);
    uint64_t before = stream_hub_mark(t.hub);
    disconnect(&t, "ada", NULL);
    for (int i = 0; i < REMEMBERED - 1; i++)
        disconnect(&t, "linus", NULL);
    assert_false(admitted(&t, "ada", before));
    assert_true(admitted(&t, "grace", before));
    disconnect(&t, "linus", NULL);
    assert_false(admitted(&t, "ada", before));
    assert_false(admitted(&t, "grace", before));
    assert_true(admitted(&t, "ada", before + 1)); /* its disconnect is older than the question */
    test_hub_close(&t);
}

TEST(when_all_streams_end_those_that_would_open_are_sent_away)
{
    struct test_hub t;

    test_hub_open(&t, &test_hub_config, 0);
    uint64_t before = stream_hub_mark(t.hub);
    stream_hub_end_all(t.hub, STR("disconnected"));
    assert_false(admitted(&t, "ada", before));
    assert_true(admitted(&t, "ada", stream_hub_mark(t.hub)));
    test_hub_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_streams_of_the_user_end_and_no_others),
        cmocka_unit_test(with_a_session_only_that_one_ends),
        cmocka_unit_test(what_came_before_is_sent_and_what_comes_behind_is_not),
        cmocka_unit_test(a_full_stream_ends_at_once),
        cmocka_unit_test(who_was_disconnected_meanwhile_is_not_let_in),
        cmocka_unit_test(when_more_were_disconnected_than_are_remembered_everybody_is_sent_away),
        cmocka_unit_test(when_all_streams_end_those_that_would_open_are_sent_away),
    };

    return RUN_TESTS(tests);
}
