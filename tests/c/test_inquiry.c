/* Why a user did, or did not, get an event: every outcome, on hubs with fake sinks. */
#include "http/inquiry.h"

#include <stdio.h>

#include "base/clock.h"
#include "support/alloc.h"
#include "support/check.h"
#include "support/events.h"
#include "support/hub.h"

enum { NOW = 1700000000 };

#define ID(position) "0123456789ab-" position

static struct stream_config configure(size_t events, size_t deliveries)
{
    struct stream_config config = test_hub_config;

    config.log.max_events = events;
    config.delivery_log = deliveries;
    return config;
}

static void open_hub(struct test_hub *t)
{
    struct stream_config config = configure(1 << 20, 1000);

    clock_set_wall(NOW);
    test_hub_open(t, &config, 0);
}

static void close_hub(struct test_hub *t)
{
    test_hub_close(t);
    clock_set_wall(0);
}

/* An event "task updated" of ada's laptop, for those who are named. */
static void deliver_of_laptop(struct test_hub *t, bool everyone, uint64_t position)
{
    struct str targets[] = {STR("ada"), STR("grace")};
    struct event_fields fields = {.entity = STR("task"),
                                  .action = STR("updated"),
                                  .user_id = STR("ada"),
                                  .session_id = STR("laptop"),
                                  .everyone = everyone,
                                  .targets = targets,
                                  .target_count = 2};
    struct event *ev = make_event(&fields, position, NOW + position);

    stream_hub_deliver(t->hub, &ev, 1);
    event_unref(ev);
    (void)stream_hub_flush(t->hub, SIZE_MAX);
}

/* --- asking --- */

struct question {
    struct arena arena;
    struct inquiry q;
};

static void prepare(struct question *a, uint64_t position, const char *user, const char *session)
{
    *a = (struct question){.arena = ARENA_EMPTY};
    a->q = (struct inquiry){
        .arena = &a->arena, .position = position, .user_id = str_of(user), .session_id = str_of(session)};
}

static void finish(struct question *a)
{
    inquiry_end(&a->q);
    arena_free(&a->arena);
}

/* Asks the hubs in turn until it has its answer, as loops do. */
static void ask(struct question *a, struct test_hub *hubs, size_t count)
{
    inquiry_begin(&a->q, (unsigned)count);
    for (size_t i = 0; !inquiry_is_whole(&a->q); i = (i + 1) % count)
        inquiry_ask(&a->q, hubs[i].hub);
    inquiry_name_sessions(&a->q);
}

/* "delivered laptop 1700000000; lagging phone": the streams in the order of the answer, with * for those still open. */
static void describe(const struct inquiry *q, char *text, size_t size)
{
    static const char *const names[] = {"delivered", "resumed", "lagging", "missed", "filtered",
                                        "echo",      "none",    "not",     "gone",   "ahead"};
    static const char *const since[] = {"opened", "resumed", "refused", "lagged"};
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < q->count && len < size; i++) {
        const struct inquiry_stream *s = &q->streams[i];
        len += (size_t)snprintf(text + len, size - len, "%s%s%s", i > 0 ? "; " : "", names[s->outcome],
                                s->open ? "*" : "");
        if (s->outcome == INQUIRY_MISSED)
            len += (size_t)snprintf(text + len, size - len, " (%s)", since[s->since]);
        if (s->session_id.len > 0)
            len += (size_t)snprintf(text + len, size - len, " %.*s", STR_ARG(s->session_id));
        if (s->at_ms != 0)
            len += (size_t)snprintf(text + len, size - len, " +%llu", (unsigned long long)(s->at_ms - NOW));
    }
}

static void check_answer(struct test_hub *hubs, size_t count, uint64_t position, const char *user, const char *session,
                         enum inquiry_outcome outcome, const char *streams, const char *file, int line)
{
    struct question a;
    char text[2000];

    prepare(&a, position, user, session);
    ask(&a, hubs, count);
    assert_false(a.q.failed);
    describe(&a.q, text, sizeof text);
    if (inquiry_outcome(&a.q) != outcome)
        check_failed(file, line, "the outcome is %d, not %d; streams: %s", (int)inquiry_outcome(&a.q), (int)outcome,
                     text);
    check_bytes(str_of(text), str_of(streams), file, line);
    finish(&a);
}

#define assert_answer(t, position, user, outcome, streams)                                                             \
    check_answer((t), 1, (position), (user), NULL, (outcome), (streams), __FILE__, __LINE__)
#define assert_session(t, position, user, session, outcome, streams)                                                   \
    check_answer((t), 1, (position), (user), (session), (outcome), (streams), __FILE__, __LINE__)

/* --- the outcomes --- */

TEST(an_event_that_is_not_meant_for_the_user)
{
    struct test_hub t;
    struct test_client ken;

    open_hub(&t);
    test_client_open(&t, &ken, "ken", "laptop", NULL);
    test_hub_deliver(&t, "ada grace", 1);
    assert_answer(&t, 1, "ken", INQUIRY_NOT_TARGETED, "");
    test_client_close(&ken);
    close_hub(&t);
}

TEST(one_that_was_delivered)
{
    struct test_hub t;
    struct test_client laptop, phone;

    open_hub(&t);
    test_client_open(&t, &laptop, "ada", "laptop", NULL);
    test_client_open(&t, &phone, "ada", "phone", NULL);
    phone.sink.room = 0;
    clock_set_wall(NOW + 5);
    test_hub_deliver(&t, "ada", 1);
    clock_set_wall(NOW + 50);
    test_client_drain(&phone, SIZE_MAX);
    test_hub_deliver(&t, "*", 2);
    assert_answer(&t, 1, "ada", INQUIRY_DELIVERED, "delivered* laptop +5; delivered* phone +50");
    assert_answer(&t, 2, "ada", INQUIRY_DELIVERED, "delivered* laptop +50; delivered* phone +50");
    assert_session(&t, 1, "ada", "phone", INQUIRY_DELIVERED, "delivered* phone +50");
    test_client_close(&laptop);
    test_client_close(&phone);
    close_hub(&t);
}

TEST(one_that_was_delivered_to_streams_that_are_gone)
{
    struct test_hub t;
    struct test_client laptop, other;

    open_hub(&t);
    test_client_open(&t, &laptop, "ada", "laptop", NULL);
    test_client_open(&t, &other, "ada", NULL, NULL);
    test_hub_deliver(&t, "ada", 1);
    test_client_close(&laptop);
    test_client_close(&other);
    clock_set_wall(NOW + 9);
    assert_answer(&t, 1, "ada", INQUIRY_DELIVERED, "delivered +0; delivered +0"); /* whose names nobody knows */
    assert_session(&t, 1, "ada", "laptop", INQUIRY_DELIVERED, "delivered laptop +0");
    assert_session(&t, 1, "ada", "phone", INQUIRY_NOT_CONNECTED, "");
    assert_answer(&t, 1, "grace", INQUIRY_NOT_TARGETED, "");
    close_hub(&t);
}

/* The first stream of the session got it live, and the second one in a replay. */
TEST(a_session_that_got_it_twice)
{
    struct test_hub t;
    struct test_client first, second;

    open_hub(&t);
    test_hub_deliver(&t, "grace", 1);
    test_client_open(&t, &first, "ada", "laptop", NULL);
    test_hub_deliver(&t, "ada", 2);
    test_client_close(&first);
    clock_set_wall(NOW + 30);
    test_client_open(&t, &second, "ada", "laptop", ID("1"));
    assert_answer(&t, 2, "ada", INQUIRY_DELIVERED, "delivered* laptop +30; delivered laptop +0");
    test_client_close(&second);
    close_hub(&t);
}

TEST(one_whose_client_came_back_behind_it)
{
    struct test_hub t;
    struct test_client first, second;

    open_hub(&t);
    test_client_open(&t, &first, "ada", "laptop", NULL);
    test_hub_deliver(&t, "ada", 1);
    test_hub_deliver(&t, "ada", 2);
    test_client_close(&first);
    test_client_open(&t, &second, "ada", "laptop", ID("1"));
    assert_answer(&t, 1, "ada", INQUIRY_DELIVERED, "resumed* laptop; delivered laptop +0");
    test_client_close(&second);
    test_client_open(&t, &second, "ada", "other", ID("2"));
    assert_session(&t, 2, "ada", "other", INQUIRY_RESUMED, "resumed* other");
    test_client_close(&second);
    close_hub(&t);
}

TEST(one_that_the_client_does_not_read)
{
    struct test_hub t;
    struct test_client slow;

    open_hub(&t);
    test_client_open(&t, &slow, "ada", "laptop", NULL);
    slow.sink.room = 1;
    test_hub_deliver(&t, "ada", 1);
    test_hub_deliver(&t, "ada", 2);
    assert_answer(&t, 1, "ada", INQUIRY_DELIVERED, "delivered* laptop +0");
    assert_answer(&t, 2, "ada", INQUIRY_LAGGING, "lagging* laptop");
    test_client_drain(&slow, SIZE_MAX);
    assert_answer(&t, 2, "ada", INQUIRY_DELIVERED, "delivered* laptop +0");
    test_client_close(&slow);
    close_hub(&t);
}

/* Whoever asks is told what is so after the turn of the loop, and not what it looks like in the middle of it. */
TEST(a_stream_whose_turn_is_still_to_come_is_let_send)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    test_hub_append(&t, "ada", 1);
    assert_answer(&t, 1, "ada", INQUIRY_DELIVERED, "delivered* laptop +0");
    assert_gets(&c, 1);
    assert_false(stream_hub_flush(t.hub, SIZE_MAX));
    assert_gets_nothing(&c);
    test_client_close(&c);
    close_hub(&t);
}

TEST(one_that_the_session_caused_itself)
{
    struct test_hub t;
    struct test_client laptop, phone, same;

    open_hub(&t);
    test_client_open(&t, &laptop, "ada", "laptop", NULL);
    test_client_open(&t, &same, "grace", "laptop", NULL);
    deliver_of_laptop(&t, false, 1);
    assert_answer(&t, 1, "ada", INQUIRY_ECHO, "echo* laptop +0");
    assert_answer(&t, 1, "grace", INQUIRY_DELIVERED, "delivered* laptop +0"); /* somebody else's laptop */
    test_client_open(&t, &phone, "ada", "phone", NULL);
    deliver_of_laptop(&t, true, 2);
    assert_answer(&t, 2, "ada", INQUIRY_DELIVERED, "echo* laptop +0; delivered* phone +0");
    test_client_close(&laptop);
    assert_session(&t, 1, "ada", "laptop", INQUIRY_ECHO, "echo laptop +0");
    assert_answer(&t, 1, "ada", INQUIRY_MISSED, "missed* (opened) phone; echo laptop +0");
    test_client_close(&phone);
    test_client_close(&same);
    close_hub(&t);
}

/* Nothing is known of a stream, but the event itself says enough. */
TEST(a_session_that_is_not_there_is_left_out_all_the_same)
{
    struct test_hub t;

    open_hub(&t);
    deliver_of_laptop(&t, false, 1);
    assert_answer(&t, 1, "ada", INQUIRY_NOT_CONNECTED, "");
    assert_session(&t, 1, "ada", "laptop", INQUIRY_ECHO, "");
    assert_session(&t, 1, "ada", "phone", INQUIRY_NOT_CONNECTED, "");
    assert_session(&t, 1, "grace", "laptop", INQUIRY_NOT_CONNECTED, "");
    close_hub(&t);
}

TEST(one_that_the_client_did_not_ask_for)
{
    struct test_hub t;
    struct test_client labels, tasks;

    open_hub(&t);
    test_client_request(&t, &labels,
                        &(struct stream_request){
                            .user_id = STR("ada"), .session_id = STR("laptop"), .entities = STR("label,tasks,tas")});
    test_hub_deliver(&t, "ada", 1);
    assert_answer(&t, 1, "ada", INQUIRY_FILTERED, "filtered* laptop");
    test_client_request(&t, &tasks, &(struct stream_request){.user_id = STR("ada"), .entities = STR("label,task")});
    test_hub_deliver(&t, "ada", 2);
    assert_answer(&t, 2, "ada", INQUIRY_DELIVERED, "filtered* laptop; delivered* +0");
    test_client_close(&labels);
    test_client_close(&tasks);
    close_hub(&t);
}

TEST(one_that_came_before_the_stream)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_hub_deliver(&t, "ada", 1);
    assert_answer(&t, 1, "ada", INQUIRY_NOT_CONNECTED, "");
    test_client_open(&t, &c, "ada", "laptop", NULL);
    assert_answer(&t, 1, "ada", INQUIRY_MISSED, "missed* (opened) laptop");
    test_hub_deliver(&t, "ada", 2);
    assert_answer(&t, 1, "ada", INQUIRY_MISSED, "missed* (opened) laptop");
    assert_answer(&t, 2, "ada", INQUIRY_DELIVERED, "delivered* laptop +0");
    test_client_close(&c);
    close_hub(&t);
}

/* The stream that got it is gone, and its session came back without asking for anything. */
TEST(one_that_an_earlier_stream_of_the_session_got)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    test_hub_deliver(&t, "ada", 1);
    test_client_close(&c);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    assert_answer(&t, 1, "ada", INQUIRY_DELIVERED, "missed* (opened) laptop; delivered laptop +0");
    test_client_close(&c);
    test_client_open(&t, &c, "ada", "laptop", "nonsense");
    assert_answer(&t, 1, "ada", INQUIRY_DELIVERED, "missed* (refused) laptop; delivered laptop +0");
    test_client_close(&c);
    close_hub(&t);
}

TEST(one_that_could_not_be_replayed)
{
    struct test_hub t;
    struct test_client c;

    open_hub(&t);
    test_hub_deliver(&t, "ada", 1);
    test_client_open(&t, &c, "ada", "laptop", "fedcba987654-1");
    assert_answer(&t, 1, "ada", INQUIRY_MISSED, "missed* (refused) laptop");
    test_client_close(&c);
    close_hub(&t);
}

/* The events are still in the log of another loop. */
TEST(one_that_a_slow_stream_is_told_to_resync_over)
{
    struct stream_config few = configure(2, 1000);
    struct test_hub t[2];
    struct test_client slow;

    open_hub(&t[0]);
    clock_set_wall(NOW);
    test_hub_open(&t[1], &few, 0);
    test_client_open(&t[1], &slow, "ada", "laptop", NULL);
    slow.sink.room = 1;
    for (uint64_t i = 1; i <= 5; i++) {
        test_hub_deliver(&t[0], "ada", i);
        test_hub_deliver(&t[1], "ada", i);
    }
    /* It is yet to be told. */
    check_answer(t, 2, 1, "ada", NULL, INQUIRY_DELIVERED, "delivered* laptop +0", __FILE__, __LINE__);
    check_answer(t, 2, 2, "ada", NULL, INQUIRY_MISSED, "missed* (lagged) laptop", __FILE__, __LINE__);
    check_answer(t, 2, 5, "ada", NULL, INQUIRY_MISSED, "missed* (lagged) laptop", __FILE__, __LINE__);
    test_client_drain(&slow, SIZE_MAX);
    check_answer(t, 2, 1, "ada", NULL, INQUIRY_DELIVERED, "delivered* laptop +0", __FILE__, __LINE__);
    check_answer(t, 2, 5, "ada", NULL, INQUIRY_MISSED, "missed* (lagged) laptop", __FILE__, __LINE__);
    test_hub_deliver(&t[0], "ada", 6);
    test_hub_deliver(&t[1], "ada", 6);
    check_answer(t, 2, 6, "ada", NULL, INQUIRY_DELIVERED, "delivered* laptop +0", __FILE__, __LINE__);
    test_client_close(&slow);
    test_hub_close(&t[1]);
    close_hub(&t[0]);
}

TEST(one_that_the_log_has_no_more_or_not_yet)
{
    struct stream_config few = configure(2, 1000);
    struct test_hub t;
    struct test_client c;

    clock_set_wall(NOW);
    test_hub_open(&t, &few, 0);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    assert_answer(&t, 0, "ada", INQUIRY_TRIMMED, "");
    assert_answer(&t, 1, "ada", INQUIRY_AHEAD, "");
    for (uint64_t i = 1; i <= 5; i++)
        test_hub_deliver(&t, i == 2 ? "grace" : "ada", i);
    assert_answer(&t, 1, "ada", INQUIRY_TRIMMED, "delivered +0");
    assert_answer(&t, 2, "ada", INQUIRY_TRIMMED, "");
    assert_session(&t, 1, "ada", "laptop", INQUIRY_TRIMMED, "delivered laptop +0");
    assert_answer(&t, 5, "ada", INQUIRY_DELIVERED, "delivered* laptop +0");
    assert_answer(&t, 6, "ada", INQUIRY_AHEAD, "");
    test_client_close(&c);
    close_hub(&t);
}

/* --- what is not remembered --- */

TEST(the_cursor_knows_what_the_ring_forgot)
{
    struct stream_config config = configure(1 << 20, 2);
    struct test_hub t;
    struct test_client c, gone;

    clock_set_wall(NOW);
    test_hub_open(&t, &config, 0);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    test_client_open(&t, &gone, "grace", "laptop", NULL);
    test_hub_deliver(&t, "ada grace", 1);
    test_client_close(&gone);
    test_hub_deliver(&t, "ada", 2);
    test_hub_deliver(&t, "ada", 3);
    assert_answer(&t, 1, "ada", INQUIRY_DELIVERED, "delivered* laptop");
    assert_answer(&t, 3, "ada", INQUIRY_DELIVERED, "delivered* laptop +0");
    assert_answer(&t, 1, "grace", INQUIRY_NOT_CONNECTED, "");
    test_client_close(&c);
    close_hub(&t);
}

static void check_since(struct test_hub *hubs, size_t count, uint64_t expected)
{
    struct question a;

    prepare(&a, 1, "ada", NULL);
    ask(&a, hubs, count);
    assert_true(a.q.since_ms == expected);
    finish(&a);
}

TEST(it_says_since_when_deliveries_are_known)
{
    struct stream_config one = configure(1 << 20, 1);
    struct stream_config none = configure(1 << 20, 0);
    struct test_hub t[3];
    struct test_client c;

    open_hub(&t[0]);
    test_hub_open(&t[1], &one, 0);
    test_hub_open(&t[2], &none, 0);
    for (int i = 0; i < 3; i++)
        test_hub_deliver(&t[i], "ada", 1);
    check_since(t, 2, NOW);
    test_client_open(&t[1], &c, "ada", NULL, NULL);
    clock_set_wall(NOW + 40);
    test_hub_deliver(&t[1], "ada", 2);
    check_since(t, 1, NOW);
    check_since(t, 2, NOW + 40); /* that of the most forgetful */
    check_since(t, 3, UINT64_MAX);
    test_client_close(&c);
    test_hub_close(&t[2]);
    test_hub_close(&t[1]);
    close_hub(&t[0]);
}

/* --- several hubs --- */

TEST(each_hub_adds_its_part)
{
    struct test_hub t[3];
    struct test_client c[3];
    static const char *const sessions[] = {"laptop", "phone", "tablet"};

    for (int i = 0; i < 3; i++) {
        open_hub(&t[i]);
        test_client_open(&t[i], &c[i], "ada", sessions[i], NULL);
    }
    c[1].sink.room = 0;
    for (int i = 0; i < 3; i++)
        deliver_of_laptop(&t[i], false, 1);
    check_answer(t, 3, 1, "ada", NULL, INQUIRY_DELIVERED, "echo* laptop +0; lagging* phone; delivered* tablet +0",
                 __FILE__, __LINE__);
    /* A stream that is gone is known by another one of its session. */
    test_client_close(&c[2]);
    test_client_open(&t[0], &c[2], "ada", "tablet", ID("1"));
    check_answer(t, 3, 1, "ada", NULL, INQUIRY_DELIVERED,
                 "echo* laptop +0; resumed* tablet; lagging* phone; delivered tablet +0", __FILE__, __LINE__);
    for (int i = 0; i < 3; i++)
        test_client_close(&c[i]);
    for (int i = 0; i < 3; i++)
        close_hub(&t[i]);
}

/* The first one asked has lost the event, or has yet to get it: it is asked again when another one knew it. */
TEST(a_hub_without_the_event_is_asked_again)
{
    struct test_hub t[3];
    struct test_client early, gap;

    for (int i = 0; i < 3; i++)
        open_hub(&t[i]);
    test_client_open(&t[0], &early, "ada", "laptop", NULL);
    test_client_open(&t[1], &gap, "ada", "phone", NULL);
    gap.sink.room = 0;
    stream_hub_gap(t[1].hub, 1);
    test_hub_deliver(&t[2], "ada", 1);
    check_answer(t, 3, 1, "ada", NULL, INQUIRY_LAGGING, "lagging* laptop; missed* (lagged) phone", __FILE__, __LINE__);
    check_answer(t, 3, 2, "ada", NULL, INQUIRY_AHEAD, "", __FILE__, __LINE__);
    check_answer(t, 2, 1, "ada", NULL, INQUIRY_TRIMMED, "", __FILE__, __LINE__);
    test_client_close(&early);
    test_client_close(&gap);
    for (int i = 0; i < 3; i++)
        close_hub(&t[i]);
}

TEST(a_hub_that_is_asked_again_tells_what_it_remembers_once)
{
    struct stream_config few = configure(2, 1000);
    struct test_hub t[2];
    struct test_client laptop, gone;

    clock_set_wall(NOW);
    test_hub_open(&t[0], &few, 0);
    open_hub(&t[1]);
    test_client_open(&t[0], &laptop, "ada", "laptop", NULL);
    test_client_open(&t[0], &gone, "ada", "phone", NULL);
    for (uint64_t i = 1; i <= 5; i++) {
        test_hub_deliver(&t[0], "ada", i);
        test_hub_deliver(&t[1], "ada", i);
    }
    test_client_close(&gone);
    check_answer(t, 2, 1, "ada", NULL, INQUIRY_DELIVERED, "delivered* laptop +0; delivered +0", __FILE__, __LINE__);
    test_client_close(&laptop);
    test_hub_close(&t[0]);
    close_hub(&t[1]);
}

/* Two tabs with one session: the one is not told to have got the event when the other did. */
TEST(a_delivery_belongs_to_a_stream_of_its_hub)
{
    struct stream_config none = configure(1 << 20, 0);
    struct test_hub t[2];
    struct test_client open, gone;

    clock_set_wall(NOW);
    test_hub_open(&t[0], &none, 0);
    open_hub(&t[1]);
    test_client_open(&t[0], &open, "ada", "laptop", NULL);
    test_client_open(&t[1], &gone, "ada", "laptop", NULL);
    for (int i = 0; i < 2; i++)
        test_hub_deliver(&t[i], "ada", 1);
    test_client_close(&gone);
    check_answer(t, 2, 1, "ada", NULL, INQUIRY_DELIVERED, "delivered* laptop; delivered laptop +0", __FILE__, __LINE__);
    test_client_close(&open);
    test_hub_close(&t[0]);
    close_hub(&t[1]);
}

TEST(a_hub_that_is_gone_is_passed_over)
{
    struct test_hub t;
    struct question a;

    open_hub(&t);
    test_hub_deliver(&t, "ada", 1);
    prepare(&a, 1, "ada", NULL);
    inquiry_begin(&a.q, 3);
    inquiry_skip(&a.q);
    inquiry_ask(&a.q, t.hub); /* which has the event: the other two might be asked again */
    assert_false(inquiry_is_whole(&a.q));
    inquiry_skip(&a.q);
    inquiry_skip(&a.q);
    assert_true(inquiry_is_whole(&a.q));
    assert_int_equal(inquiry_outcome(&a.q), INQUIRY_NOT_CONNECTED);
    finish(&a);
    close_hub(&t);
}

/* --- bounds --- */

enum { CROWD = INQUIRY_STREAMS_MAX + 50 };

TEST(an_answer_tells_of_so_many_streams_and_counts_the_others)
{
    static struct test_client crowd[CROWD];
    struct stream_config config = configure(1 << 20, 10000);
    struct test_hub t;
    struct question a;
    char session[16];

    clock_set_wall(NOW);
    test_hub_open(&t, &config, 0);
    for (int i = 0; i < CROWD; i++) {
        snprintf(session, sizeof session, "s%d", i);
        test_client_open(&t, &crowd[i], "anonymous", session, NULL);
    }
    test_hub_deliver(&t, "*", 1);
    prepare(&a, 1, "anonymous", NULL);
    ask(&a, &t, 1);
    assert_int_equal(a.q.count, INQUIRY_STREAMS_MAX);
    assert_int_equal(inquiry_outcome(&a.q), INQUIRY_DELIVERED);
    assert_int_equal(a.q.more, 50 + 50); /* streams, and deliveries that were not told to be theirs */
    for (size_t i = 0; i < a.q.count; i++)
        assert_int_equal(a.q.streams[i].at_ms, NOW);
    finish(&a);
    assert_session(&t, 1, "anonymous", "s540", INQUIRY_DELIVERED, "delivered* s540 +0");
    for (int i = 0; i < CROWD; i++)
        test_client_close(&crowd[i]);
    prepare(&a, 1, "anonymous", NULL);
    ask(&a, &t, 1);
    assert_int_equal(a.q.count, INQUIRY_STREAMS_MAX);
    assert_int_equal(a.q.more, 50);
    finish(&a);
    close_hub(&t);
}

/* The stream got it first, and then very many others did that are gone: its own delivery is not looked for that far. */
TEST(so_many_deliveries_are_compared_with_the_streams)
{
    enum { OTHERS = INQUIRY_MATCHES_MAX };
    struct stream_config config = configure(1 << 20, 10000);
    struct test_hub t;
    struct test_client c, other;
    struct question a;

    clock_set_wall(NOW);
    test_hub_open(&t, &config, 0);
    test_client_open(&t, &c, "ada", "laptop", NULL);
    test_hub_deliver(&t, "ada", 1);
    for (int i = 0; i < OTHERS; i++) {
        if (i == OTHERS - 1) {
            prepare(&a, 1, "ada", NULL);
            ask(&a, &t, 1);
            assert_int_equal(a.q.streams[0].at_ms, NOW);
            finish(&a);
        }
        test_client_open(&t, &other, "ada", "phone", ID("0"));
        test_client_close(&other);
    }
    prepare(&a, 1, "ada", NULL);
    ask(&a, &t, 1);
    assert_true(a.q.streams[0].open);
    assert_int_equal(a.q.streams[0].outcome, INQUIRY_DELIVERED);
    assert_int_equal(a.q.streams[0].at_ms, 0);
    assert_int_equal(a.q.count + a.q.more, 1 + OTHERS + 1);
    finish(&a);
    test_client_close(&c);
    close_hub(&t);
}

/* --- short of memory --- */

static bool ask_short_of_memory(struct test_hub *t, size_t failing)
{
    struct question a;

    prepare(&a, 1, "ada", NULL);
    alloc_fail_once(failing);
    ask(&a, t, 1);
    bool failed = alloc_permit_all();
    assert_int_equal(a.q.failed, failed);
    if (!failed)
        assert_int_equal(a.q.count, 12);
    finish(&a);
    return failed;
}

TEST(an_answer_that_is_not_whole_says_so)
{
    struct test_client c[12];
    struct test_hub t;
    size_t failing = 0;

    open_hub(&t);
    for (int i = 0; i < 12; i++)
        test_client_open(&t, &c[i], "ada", i % 2 == 0 ? "laptop" : NULL, NULL);
    test_hub_deliver(&t, "ada", 1);
    for (int i = 9; i < 12; i++)
        test_client_close(&c[i]);
    while (ask_short_of_memory(&t, failing))
        failing++;
    assert_true(failing > 0);
    for (int i = 0; i < 9; i++)
        test_client_close(&c[i]);
    close_hub(&t);
}

TEST(an_end_gives_the_event_back_once)
{
    struct test_hub t;
    struct question a;

    open_hub(&t);
    test_hub_deliver(&t, "ada", 1);
    struct event *ev = stream_hub_event(t.hub, 1);
    assert_int_equal(ev->references, 1);
    prepare(&a, 1, "ada", NULL);
    ask(&a, &t, 1);
    assert_int_equal(ev->references, 2);
    inquiry_end(&a.q);
    inquiry_end(&a.q);
    inquiry_end(NULL);
    assert_int_equal(ev->references, 1);
    arena_free(&a.arena);
    close_hub(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_that_is_not_meant_for_the_user),
        cmocka_unit_test(one_that_was_delivered),
        cmocka_unit_test(one_that_was_delivered_to_streams_that_are_gone),
        cmocka_unit_test(a_session_that_got_it_twice),
        cmocka_unit_test(one_whose_client_came_back_behind_it),
        cmocka_unit_test(one_that_the_client_does_not_read),
        cmocka_unit_test(a_stream_whose_turn_is_still_to_come_is_let_send),
        cmocka_unit_test(one_that_the_session_caused_itself),
        cmocka_unit_test(a_session_that_is_not_there_is_left_out_all_the_same),
        cmocka_unit_test(one_that_the_client_did_not_ask_for),
        cmocka_unit_test(one_that_came_before_the_stream),
        cmocka_unit_test(one_that_an_earlier_stream_of_the_session_got),
        cmocka_unit_test(one_that_could_not_be_replayed),
        cmocka_unit_test(one_that_a_slow_stream_is_told_to_resync_over),
        cmocka_unit_test(one_that_the_log_has_no_more_or_not_yet),
        cmocka_unit_test(the_cursor_knows_what_the_ring_forgot),
        cmocka_unit_test(it_says_since_when_deliveries_are_known),
        cmocka_unit_test(each_hub_adds_its_part),
        cmocka_unit_test(a_hub_without_the_event_is_asked_again),
        cmocka_unit_test(a_hub_that_is_asked_again_tells_what_it_remembers_once),
        cmocka_unit_test(a_delivery_belongs_to_a_stream_of_its_hub),
        cmocka_unit_test(a_hub_that_is_gone_is_passed_over),
        cmocka_unit_test(an_answer_tells_of_so_many_streams_and_counts_the_others),
        cmocka_unit_test(so_many_deliveries_are_compared_with_the_streams),
        cmocka_unit_test(an_answer_that_is_not_whole_says_so),
        cmocka_unit_test(an_end_gives_the_event_back_once),
    };

    return RUN_TESTS(tests);
}
