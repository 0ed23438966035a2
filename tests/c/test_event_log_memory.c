/* The log when memory is short: nobody is left in silence, and nothing leaks. */
#include "bus/event_log.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/events.h"
#include "support/log.h"

enum { SUBSCRIBERS = 3 };

/* Before the event that memory is short for. The sizes are those at which something has to grow. */
static const uint64_t histories[] = {0, 1, 3, 4, 6, 7, 11, 12, 63, 64, 65};

/* Each concerns all three subscribers, and the first one users besides whom the log does not know. */
static const char *const events[] = {"new ada newer grace linus a b c d", "*"};

static void open_log(struct test_log *t, struct subscriber *s)
{
    static const char *const names[SUBSCRIBERS] = {"ada", "grace", "linus"};

    test_log_open(t, &roomy_limits, 0);
    for (int i = 0; i < SUBSCRIBERS; i++)
        test_log_subscribe(t, &s[i], names[i]);
}

/* The first subscriber is level, the second has never walked, the third stands somewhere between. */
static void make_history(struct test_log *t, struct subscriber *s, uint64_t count)
{
    for (uint64_t i = 1; i <= count; i++)
        test_log_append(t, i % 3 == 0 ? "*" : i % 3 == 1 ? "grace ada" : "linus ken", i);
    while (test_log_take(t, &s[0]) != 0)
        continue;
    (void)test_log_take(t, &s[2]);
}

static void close_log(struct test_log *t, struct subscriber *s)
{
    for (int i = 0; i < SUBSCRIBERS; i++)
        event_log_unsubscribe(t->log, &s[i]);
    test_log_close(t);
}

/* Walks to the event at `position`. Returns false when the subscriber is told of a loss instead. */
static bool finds(struct test_log *t, const struct subscriber *s, uint64_t position)
{
    struct log_cursor cursor = s->cursor;
    struct event *ev;
    enum log_walk walk;

    assert_true(s->behind); /* or nobody would walk */
    while ((walk = event_log_next(t->log, s, &cursor, &ev)) == LOG_EVENT)
        if (ev->position == position)
            return true;
    assert_that(walk == LOG_LOST, "silence about event %llu", (unsigned long long)position);
    return false;
}

/* Appends with the allocation number `failing` refused. Returns false once there are not so many. */
static bool append_without(size_t failing, const char *users, uint64_t before)
{
    struct test_log t;
    struct subscriber s[SUBSCRIBERS];
    struct event *ev = make_event_for(users, before + 1);

    open_log(&t, s);
    make_history(&t, s, before);
    alloc_fail_once(failing);
    event_log_append(t.log, ev);
    bool failed = alloc_permit_all();
    assert_int_equal(event_log_head(t.log), before + 1);
    for (int i = 0; i < SUBSCRIBERS; i++) {
        assert_int_equal(finds(&t, &s[i], before + 1), !failed);
        event_log_skip(t.log, &s[i]);
        /* Who resumes from before it must not be told that all is well either. */
        if (failed)
            assert_false(event_log_seek(t.log, &s[i], before));
    }
    test_log_append(&t, "ada grace linus", before + 2);
    for (int i = 0; i < SUBSCRIBERS; i++)
        assert_sees(&t, &s[i], before + 2);
    close_log(&t, s);
    assert_int_equal(atomic_load(&ev->references), 1);
    event_unref(ev);
    return failed;
}

TEST(an_event_is_seen_or_a_gap)
{
    size_t failures = 0;

    for (size_t h = 0; h < sizeof histories / sizeof *histories; h++) {
        for (size_t e = 0; e < sizeof events / sizeof *events; e++) {
            size_t failing = 0;
            while (append_without(failing, events[e], histories[h]))
                failing++;
            failures += failing;
        }
    }
    assert_true(failures > 20);
}

/* Memory that stays short through many events. */
TEST(a_log_without_memory_is_one_gap)
{
    struct test_log t;
    struct subscriber s[SUBSCRIBERS];
    struct event *ev[20];

    open_log(&t, s);
    make_history(&t, s, 10);
    for (uint64_t i = 0; i < 20; i++)
        ev[i] = make_event_for("ada grace linus", 11 + i);
    alloc_permit(0);
    for (int i = 0; i < 20; i++)
        event_log_append(t.log, ev[i]);
    assert_true(alloc_permit_all());
    assert_int_equal(event_log_head(t.log), 30);
    for (int i = 0; i < SUBSCRIBERS; i++)
        assert_lost(&t, &s[i]);
    close_log(&t, s);
    for (int i = 0; i < 20; i++)
        event_unref(ev[i]);
}

TEST(a_subscription_succeeds_or_changes_nothing)
{
    bool done = false;

    for (size_t permitted = 0; !done; permitted++) {
        struct test_log t;
        struct subscriber s[SUBSCRIBERS];
        struct subscriber late = {0};
        open_log(&t, s);
        alloc_permit(permitted);
        bool ok = event_log_subscribe(t.log, &late, STR("ken"));
        done = !alloc_permit_all();
        assert_that(ok == done, "with %zu allocations", permitted);
        test_log_append(&t, "ken ada", 1);
        assert_int_equal(late.behind, ok);
        if (ok)
            assert_sees(&t, &late, 1);
        event_log_unsubscribe(t.log, &late);
        close_log(&t, s);
    }
}

/* The table of users grows now and then; the subscription that makes it grow must fail cleanly too. */
TEST(many_subscriptions_succeed_or_change_nothing)
{
    static struct subscriber many[200];
    char name[4] = "u00";
    struct test_log t;
    size_t refused = 0;

    test_log_open(&t, &roomy_limits, 0);
    for (size_t i = 0; i < 200; i++) {
        name[1] = (char)('0' + i / 14);
        name[2] = (char)('0' + i % 14);
        alloc_fail_once(1);
        bool ok = event_log_subscribe(t.log, &many[i], str_of(name));
        bool failed = alloc_permit_all();
        assert_int_equal(ok, !failed);
        refused += !ok;
        if (!ok)
            test_log_subscribe(&t, &many[i], name);
    }
    assert_true(refused > 0);
    test_log_append(&t, "*", 1);
    for (size_t i = 0; i < 200; i++) {
        assert_sees(&t, &many[i], 1);
        event_log_unsubscribe(t.log, &many[i]);
    }
    test_log_close(&t);
}

TEST(a_log_that_cannot_be_made_is_none)
{
    static struct counters counters;

    alloc_permit(0);
    struct event_log *log = event_log_create(&roomy_limits, 0, &counters, NULL, NULL);
    (void)alloc_permit_all();
    assert_null(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_is_seen_or_a_gap),
        cmocka_unit_test(a_log_without_memory_is_one_gap),
        cmocka_unit_test(a_subscription_succeeds_or_changes_nothing),
        cmocka_unit_test(many_subscriptions_succeed_or_change_nothing),
        cmocka_unit_test(a_log_that_cannot_be_made_is_none),
    };

    return RUN_TESTS(tests);
}
