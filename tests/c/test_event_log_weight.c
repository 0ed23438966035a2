/*
 * What a log weighs against what it takes: --history-bytes is a bound of memory, whatever the events are like. Held is what
 * malloc has given away, its own share included.
 */
#include "bus/event_log.h"

#include <stdio.h>

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"
#include "support/events.h"
#include "support/log.h"

enum {
    MAX_BYTES = 1 << 20,
    EMPTY_BYTES = 8192, /* of a log without events, and of what it rounds up at the least */
    USERS_MAX = 1000,
    NAME_MAX = 200,
};

/* Of a user's name, in digits with zeros in front. */
static int name_bytes = 8;

/* An event for `count` users from number `first` on, with so many bytes of data. */
static struct event *make(size_t first, size_t count, size_t data, uint64_t position)
{
    static char names[USERS_MAX][NAME_MAX + 1];
    static struct str targets[USERS_MAX];
    static char text[64 * 1024];
    struct event_fields fields = {.entity = STR("task"), .action = STR("updated"), .targets = targets};

    for (size_t i = 0; i < count; i++)
        targets[i] =
            (struct str){names[i], (size_t)snprintf(names[i], sizeof names[i], "%0*zu", name_bytes, first + i)};
    fields.target_count = count;
    fields.everyone = count == 0;
    if (data > 0) {
        text[0] = text[data + 1] = '"';
        for (size_t i = 1; i <= data; i++)
            text[i] = 'x';
        fields.data = (struct str){text, data + 2};
    }
    struct event *ev = make_event(&fields, position, position);
    event_drop_data(ev); /* as the journal does */
    return ev;
}

struct scale {
    struct test_log t;
    struct event_log_limits limits;
    size_t before; /* held without the log */
    uint64_t position;
};

static void open_scale(struct scale *s, size_t max_events)
{
    *s = (struct scale){.limits = {.max_events = max_events, .max_bytes = MAX_BYTES, .max_age_ms = 1ull << 40},
                        .before = alloc_held()};
    test_log_open(&s->t, &s->limits, 0);
}

static void close_scale(struct scale *s)
{
    test_log_close(&s->t);
    assert_int_equal(alloc_held(), s->before);
}

static size_t held(const struct scale *s)
{
    return alloc_held() - s->before;
}

/* Appends, and sees that the log stays within its bound. */
static void put(struct scale *s, size_t first, size_t count, size_t data)
{
    struct event *ev = make(first, count, data, ++s->position);

    event_log_append(s->t.log, ev);
    event_unref(ev);
    assert_that(held(s) <= MAX_BYTES + EMPTY_BYTES, "%zu bytes are held behind event %llu for %zu users", held(s),
                (unsigned long long)s->position, count);
}

/* The worst case of a note: a user of whom the log knows for one event alone. The weight is not far from what that takes. */
static void put_strangers(struct scale *s, size_t users, size_t events)
{
    for (size_t i = 0; i < events; i++)
        put(s, (i + 1) * users, users, 20);
    assert_true(event_log_floor(s->t.log) > 0);
    assert_true(held(s) >= MAX_BYTES / 2);
}

TEST(events_for_one_stranger_each)
{
    struct scale s;

    open_scale(&s, 1 << 20);
    put_strangers(&s, 1, 5000);
    close_scale(&s);
}

TEST(events_for_many_strangers_each)
{
    struct scale s;

    open_scale(&s, 1 << 20);
    put_strangers(&s, USERS_MAX, 50);
    close_scale(&s);
}

TEST(events_for_strangers_with_long_names)
{
    struct scale s;

    name_bytes = NAME_MAX;
    open_scale(&s, 1 << 20);
    put_strangers(&s, USERS_MAX / 20, 100);
    close_scale(&s);
    name_bytes = 8;
}

TEST(events_for_everyone)
{
    struct scale s;

    open_scale(&s, 1 << 20);
    put_strangers(&s, 0, 10000);
    close_scale(&s);
}

/* What the log has grown to for many users and many events does not stay when a few large events are all there is. */
TEST(large_events_behind_many_small_ones)
{
    struct scale s;

    open_scale(&s, 1 << 20);
    put_strangers(&s, 3, 3000);
    for (size_t i = 0; i < 100; i++)
        put(&s, i, 1, 60000);
    close_scale(&s);
}

/* Each was busy once, one after the other, and is named once a while since: what they took when they were busy is given
 * back though the log knew them all the time. */
TEST(users_who_were_named_often_and_are_named_once)
{
    struct scale s;

    open_scale(&s, 1 << 20);
    for (size_t group = 0; group < 10; group++) {
        for (size_t i = 0; i < 20; i++)
            put(&s, group * USERS_MAX / 10, USERS_MAX / 10, 0);
        put(&s, 0, USERS_MAX, 0);
    }
    for (size_t i = 0; i < 20; i++)
        put(&s, 0, 1, 60000);
    close_scale(&s);
}

static void put_at_random(struct dice *d)
{
    struct scale s;

    open_scale(&s, 100 + dice_roll(d, 3000));
    for (size_t i = 0; i < 3000; i++) {
        size_t users = dice_percent(d, 5) ? dice_roll(d, USERS_MAX) : dice_roll(d, 5);
        put(&s, dice_roll(d, dice_percent(d, 50) ? 100 : 1 << 20), users,
            dice_percent(d, 3) ? dice_roll(d, 60000) : 30);
    }
    close_scale(&s);
}

TEST(events_at_random)
{
    dice_for_each_seed(put_at_random);
}

/* It is a function of the event alone, for whoever keeps events elsewhere. */
TEST(a_weight_is_the_same_for_the_same_event)
{
    struct event *ev = make(1, 10, 100, 1);
    struct event *same = make(1, 10, 100, 2);
    struct event *more = make(1, 11, 100, 1);
    struct event *larger = make(1, 10, 101, 1);

    assert_int_equal(event_weight(ev), event_weight(same));
    assert_true(event_weight(more) > event_weight(ev));
    assert_int_equal(event_weight(larger), event_weight(ev) + 1);
    event_unref(ev);
    event_unref(same);
    event_unref(more);
    event_unref(larger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_for_one_stranger_each),
        cmocka_unit_test(events_for_many_strangers_each),
        cmocka_unit_test(events_for_strangers_with_long_names),
        cmocka_unit_test(events_for_everyone),
        cmocka_unit_test(large_events_behind_many_small_ones),
        cmocka_unit_test(users_who_were_named_often_and_are_named_once),
        cmocka_unit_test(events_at_random),
        cmocka_unit_test(a_weight_is_the_same_for_the_same_event),
    };

    return RUN_TESTS(tests);
}
