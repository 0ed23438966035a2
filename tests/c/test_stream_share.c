/* What a stream does at once is bounded, however much there is for it: the others get their turn. */
#include "http/stream.h"

#include "support/check.h"
#include "support/events.h"
#include "support/hub.h"

enum {
    UNWANTED = 100000,
    BATCH = 1024, /* steps that a stream takes in its turn */
    SLICE = 4096, /* of work, for one flush */
};

static uint64_t steps(const struct test_hub *t)
{
    return counter_get(&t->counters, COUNT_LOG_STEPS);
}

/* As test_client_open, without the flush behind it; narrowed to fences, of which there are none. */
static void open_unflushed(struct test_hub *t, struct test_client *c, const char *entities)
{
    struct stream_request request = {
        .user_id = STR("ada"), .entities = str_of(entities), .last_event_id = STR("0123456789ab-0")};

    *c = (struct test_client){.hub = t->hub, .read = SSE_CLIENT_EMPTY};
    fake_sink_init(&c->sink);
    c->stream = stream_open(t->hub, &request, &c->sink.base, STR_NONE);
    assert_non_null(c->stream);
    test_client_forget(c);
}

static void append_entity(struct test_hub *t, const char *entity, uint64_t position)
{
    struct event_fields fields = {.entity = str_of(entity), .action = STR("updated"), .everyone = true};
    struct event *ev = make_event(&fields, position, position);

    stream_hub_deliver(t->hub, &ev, 1);
    event_unref(ev);
}

static void fill(struct test_hub *t, uint64_t events)
{
    test_hub_open(t, &test_hub_config, 0);
    for (uint64_t i = 1; i <= events; i++)
        append_entity(t, "task", i);
}

/* One slice; no more than its work and a batch. */
static bool flush_slice(struct test_hub *t)
{
    uint64_t before = steps(t);
    bool more = stream_hub_flush(t->hub, SLICE);

    assert_true(steps(t) - before <= SLICE + BATCH);
    return more;
}

TEST(a_stream_that_opens_walks_with_the_next_flush)
{
    struct test_hub t;
    struct test_client c;

    fill(&t, 3);
    uint64_t before = steps(&t);
    open_unflushed(&t, &c, "task");
    assert_int_equal(steps(&t), before);
    assert_gets_nothing(&c);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    assert_gets(&c, 1, 2, 3);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(what_a_stream_does_not_want_is_passed_a_part_at_a_time)
{
    struct test_hub t;
    struct test_client c;
    size_t turns = 1;

    fill(&t, UNWANTED);
    append_entity(&t, "fence", UNWANTED + 1);
    open_unflushed(&t, &c, "fence");
    while (flush_slice(&t)) {
        assert_int_equal(c.sink.sends, 1); /* the opening */
        turns++;
    }
    assert_in_range(turns, UNWANTED / (SLICE + BATCH), UNWANTED / SLICE + 2);
    assert_in_range(steps(&t), UNWANTED, UNWANTED + 2 * UNWANTED / BATCH); /* and none twice */
    assert_gets(&c, UNWANTED + 1);
    append_entity(&t, "fence", UNWANTED + 2);
    assert_false(flush_slice(&t));
    assert_gets(&c, UNWANTED + 2);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(an_event_that_comes_meanwhile_waits_for_a_turn_of_each_and_no_longer)
{
    enum { CROWD = 20 };
    static struct test_client c[CROWD];
    struct test_hub t;
    struct test_client live;

    fill(&t, UNWANTED);
    test_client_open(&t, &live, "grace", NULL, NULL);
    test_client_forget(&live);
    for (int i = 0; i < CROWD; i++)
        open_unflushed(&t, &c[i], "fence");
    assert_true(flush_slice(&t));
    test_hub_append(&t, "grace", UNWANTED + 1);
    for (int i = 0; i < CROWD * BATCH / SLICE + 1; i++)
        assert_true(flush_slice(&t));
    assert_gets(&live, UNWANTED + 1);
    for (int i = 0; i < CROWD; i++)
        test_client_close(&c[i]);
    test_client_close(&live);
    test_hub_close(&t);
}

TEST(a_long_replay_comes_whole_and_in_order_with_what_comes_meanwhile)
{
    enum { MANY = 1000, MORE = 50 };
    struct test_hub t;
    struct test_client c;
    uint64_t last = MANY;
    uint64_t expected = 0;
    bool more = true;

    fill(&t, MANY);
    open_unflushed(&t, &c, "task");
    for (int turns = 0; more; turns++) {
        size_t frames = c.sink.frames;
        more = stream_hub_flush(t.hub, 1);
        assert_true(c.sink.frames - frames <= 64);
        if (turns < MORE)
            append_entity(&t, "task", ++last);
        more |= turns < MORE;
    }
    test_client_read(&c);
    for (size_t i = 0; i < c.read.count; i++) {
        char id[POSITION_TEXT_MAX];
        assert_bytes(buf_str(&c.read.messages[i].id), position_text(id, &test_generation, ++expected));
    }
    assert_int_equal(expected, last);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_sink_that_drains_gets_the_rest_by_flushes)
{
    struct test_hub t;
    struct test_client c;

    fill(&t, 200);
    open_unflushed(&t, &c, "task");
    c.sink.room = 1;
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    size_t frames = c.sink.frames;
    c.sink.room = SIZE_MAX;
    stream_writable(c.stream);
    assert_int_equal(c.sink.frames, frames);
    assert_true(stream_hub_flush(t.hub, 1));
    assert_int_equal(c.sink.frames - frames, 64);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    assert_int_equal(c.sink.frames - frames, 199);
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_stream_that_comes_to_its_end_does_so_a_part_at_a_time)
{
    struct test_hub t;
    struct test_client c;

    fill(&t, UNWANTED);
    append_entity(&t, "fence", UNWANTED + 1);
    open_unflushed(&t, &c, "fence");
    uint64_t before = steps(&t);
    assert_int_equal(stream_hub_end_some(t.hub, 0, 1, STR("going away")), 0);
    assert_true(steps(&t) - before <= BATCH);
    assert_false(c.sink.ended);
    while (flush_slice(&t)) {
    }
    assert_true(c.sink.ended);
    assert_gets(&c, UNWANTED + 1);
    assert_int_equal(c.read.retries, 1);
    test_client_close(&c);
    test_hub_close(&t);
}

/* One that is ended for good sends all that there is, as far as its sink takes it. */
TEST(a_stream_that_is_ended_sends_all_there_is)
{
    struct test_hub t;
    struct test_client c;

    fill(&t, 5000);
    append_entity(&t, "fence", 5001);
    open_unflushed(&t, &c, "fence");
    stream_hub_end_all(t.hub, STR("going away"));
    assert_true(c.sink.ended);
    assert_gets(&c, 5001);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    test_client_close(&c);
    test_hub_close(&t);
}

TEST(a_look_at_a_stream_is_bounded_too)
{
    struct test_hub t;
    struct test_client c;
    struct stream_view view;

    fill(&t, UNWANTED);
    append_entity(&t, "fence", UNWANTED + 1);
    open_unflushed(&t, &c, "fence");
    uint64_t before = steps(&t);
    struct event *ev = stream_hub_event(t.hub, UNWANTED + 1);
    stream_look(c.stream, ev, &view);
    assert_in_range(steps(&t) - before, BATCH, 20 * BATCH);
    assert_int_equal(view.progress, LOG_AHEAD);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    stream_look(c.stream, ev, &view);
    assert_int_equal(view.progress, LOG_PASSED);
    assert_gets(&c, UNWANTED + 1);
    test_client_close(&c);
    test_hub_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_that_opens_walks_with_the_next_flush),
        cmocka_unit_test(what_a_stream_does_not_want_is_passed_a_part_at_a_time),
        cmocka_unit_test(an_event_that_comes_meanwhile_waits_for_a_turn_of_each_and_no_longer),
        cmocka_unit_test(a_long_replay_comes_whole_and_in_order_with_what_comes_meanwhile),
        cmocka_unit_test(a_sink_that_drains_gets_the_rest_by_flushes),
        cmocka_unit_test(a_stream_that_comes_to_its_end_does_so_a_part_at_a_time),
        cmocka_unit_test(a_stream_that_is_ended_sends_all_there_is),
        cmocka_unit_test(a_look_at_a_stream_is_bounded_too),
    };

    return RUN_TESTS(tests);
}
