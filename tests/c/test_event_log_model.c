/*
 * The log against a naive one: an array of all events with their targets, through which each subscriber is
 * walked event by event. What the model takes from the log itself is only its floor, so it need not weigh
 * events as the log does.
 *
 * A chance script appends events for one user, a few, many and everyone, while subscribers come, go, come
 * back with a position, walk a part of their way and stop. Each must see what the model says, in order, once;
 * or be told of a loss, just when something it had yet to see is gone. And it steps on nothing else.
 */
#include "bus/event_log.h"

#include <stdlib.h>

#include "support/check.h"
#include "support/dice.h"
#include "support/events.h"

enum { USERS = 8, SUBSCRIBERS = 24, STEPS = 2500, FEW = 3 };

/* An event as the model knows it. */
struct entry {
    uint64_t position;
    unsigned users; /* a bit each */
};

/* A subscriber, and what the model expects of it. */
struct member {
    struct subscriber subscriber;
    bool present;
    unsigned user;
    size_t next; /* the first of the entries that it has not looked at */
    bool behind;
    bool gap;
    bool woken;      /* on_event was called since it was last level */
    uint64_t resume; /* the position to come back with */
};

struct world {
    struct counters counters;
    struct dice *dice;
    struct event_log *log;
    struct event_log_limits limits;
    struct entry *entries;
    size_t count;
    uint64_t position;
    uint64_t clock_ms;
    struct member members[SUBSCRIBERS];
    size_t losses;
    size_t seen;
};

static void on_event(void *context, struct subscriber *s)
{
    struct member *m = (struct member *)(void *)s; /* its first field */

    (void)context;
    assert_false(m->woken);
    m->woken = true;
}

static struct str user_name(unsigned user)
{
    static const char names[USERS + 1] = "abcdefgh";

    return (struct str){names + user, 1};
}

static bool concerns(const struct member *m, const struct entry *e)
{
    return (e->users >> m->user & 1) != 0;
}

/* --- what the model says --- */

static void expect_woken(struct member *m)
{
    if (!m->behind)
        assert_that(m->woken, "a level subscriber was not called");
    m->behind = true;
}

static void model_append(struct world *w, struct entry e)
{
    w->entries[w->count++] = e;
    for (size_t i = 0; i < SUBSCRIBERS; i++) {
        struct member *m = &w->members[i];
        if (!m->present)
            continue;
        /* Who is level has looked at all before this one. */
        if (!m->behind)
            m->next = w->count - 1;
        if (concerns(m, &e))
            expect_woken(m);
        else if (!m->behind)
            m->next = w->count;
        assert_int_equal(m->behind, m->subscriber.behind);
        assert_true(m->behind || !m->woken);
    }
}

static bool is_gone(const struct world *w, const struct entry *e)
{
    return e->position <= event_log_floor(w->log);
}

/* Something that the subscriber was still to see is gone. */
static bool has_lost(const struct world *w, const struct member *m)
{
    for (size_t i = m->next; i < w->count && is_gone(w, &w->entries[i]); i++)
        if (concerns(m, &w->entries[i]))
            return true;
    return m->gap;
}

/* The next entry to see, or w->count. */
static size_t model_next(const struct world *w, const struct member *m)
{
    size_t i = m->next;

    while (i < w->count && !concerns(m, &w->entries[i]))
        i++;
    return i;
}

static void model_skip(struct world *w, struct member *m)
{
    m->next = w->count;
    m->behind = false;
    m->woken = false;
    m->gap = false;
}

/* --- what happens --- */

static unsigned draw_users(struct world *w, size_t least, size_t most)
{
    size_t wanted = least + dice_roll(w->dice, most - least + 1);
    unsigned users = 0;

    while ((size_t)__builtin_popcount(users) < wanted)
        users |= 1u << dice_roll(w->dice, USERS);
    return users;
}

static void append(struct world *w)
{
    struct str targets[USERS];
    struct event_fields fields = {.entity = STR("e"), .action = STR("a"), .targets = targets};
    struct entry e = {.users = (1u << USERS) - 1};
    size_t kind = dice_roll(w->dice, 10);

    fields.everyone = kind == 0;
    if (kind == 1)
        e.users = draw_users(w, FEW + 1, USERS);
    else if (kind > 1)
        e.users = draw_users(w, 1, kind > 6 ? FEW : 1);
    if (!fields.everyone) {
        for (unsigned u = 0; u < USERS; u++)
            if ((e.users >> u & 1) != 0)
                targets[fields.target_count++] = user_name(u);
    }
    /* Positions may have holes. */
    w->position += 1 + (dice_percent(w->dice, 20) ? dice_roll(w->dice, 5) : 0);
    w->clock_ms += dice_roll(w->dice, 20);
    e.position = w->position;
    struct event *ev = make_event(&fields, e.position, w->clock_ms);
    event_log_append(w->log, ev);
    event_unref(ev);
    model_append(w, e);
    assert_int_equal(event_log_head(w->log), w->position);
}

static void subscribe(struct world *w, struct member *m)
{
    m->user = (unsigned)dice_roll(w->dice, USERS);
    m->present = true;
    assert_true(event_log_subscribe(w->log, &m->subscriber, user_name(m->user)));
    model_skip(w, m);
}

/* The first of the entries behind a position. */
static size_t first_behind(const struct world *w, uint64_t position)
{
    size_t i = w->count;

    while (i > 0 && w->entries[i - 1].position > position)
        i--;
    return i;
}

static void seek(struct world *w, struct member *m, uint64_t position)
{
    bool found = event_log_seek(w->log, &m->subscriber, position);

    assert_int_equal(found, position >= event_log_floor(w->log) && position <= event_log_head(w->log));
    model_skip(w, m);
    if (found) {
        m->next = first_behind(w, position);
        m->behind = m->subscriber.behind;
        /* Behind without a call; or level, and then with nothing to see. */
        if (!m->behind)
            assert_int_equal(model_next(w, m), w->count);
    }
    assert_int_equal(m->subscriber.behind, m->behind);
}

static void come_back(struct world *w, struct member *m)
{
    unsigned user = m->user;

    subscribe(w, m);
    if (m->user != user || dice_percent(w->dice, 20))
        m->resume = dice_roll(w->dice, w->position + 3);
    if (dice_percent(w->dice, 80))
        seek(w, m, m->resume);
}

static void leave(struct world *w, struct member *m)
{
    event_log_unsubscribe(w->log, &m->subscriber);
    m->present = false;
    m->woken = false;
    m->resume = m->next == 0 ? 0 : w->entries[m->next - 1].position;
}

/* Looks at up to `most` events and takes the first `takes` of them. Returns false once it has nothing more to see. */
static bool walk(struct world *w, struct member *m, size_t most, size_t takes)
{
    struct log_cursor cursor = m->subscriber.cursor;
    struct member ahead = *m;
    struct event *ev;

    for (size_t looked = 0; looked < most; looked++) {
        uint64_t steps = counter_get(&w->counters, COUNT_LOG_STEPS);
        enum log_walk result = event_log_next(w->log, &m->subscriber, &cursor, &ev);
        size_t expected = model_next(w, &ahead);
        if (result == LOG_LOST) {
            assert_true(has_lost(w, &ahead));
            w->losses++;
            event_log_skip(w->log, &m->subscriber);
            model_skip(w, m);
            return false;
        }
        assert_false(has_lost(w, &ahead));
        assert_int_equal(result, expected == w->count ? LOG_END : LOG_EVENT);
        if (result == LOG_END && looked <= takes) {
            m->subscriber.cursor = cursor;
            event_log_level(&m->subscriber);
            model_skip(w, m);
        }
        assert_int_equal(counter_get(&w->counters, COUNT_LOG_STEPS) - steps, result == LOG_EVENT);
        if (result == LOG_END)
            return false;
        assert_int_equal(ev->position, w->entries[expected].position);
        ahead.next = expected + 1;
        if (looked < takes) {
            w->seen++;
            m->next = ahead.next;
            m->subscriber.cursor = cursor;
        }
    }
    return true;
}

static void step(struct world *w)
{
    struct member *m = &w->members[dice_roll(w->dice, SUBSCRIBERS)];
    size_t kind = dice_roll(w->dice, 100);

    if (kind < 45) {
        append(w);
    } else if (!m->present) {
        come_back(w, m);
    } else if (kind < 85) {
        size_t most = 1 + dice_roll(w->dice, 6);
        if (m->behind)
            (void)walk(w, m, most, dice_roll(w->dice, most + 1));
    } else if (kind < 95) {
        leave(w, m);
    } else if (kind < 98) {
        seek(w, m, dice_roll(w->dice, w->position + 3));
    } else if (kind == 98) {
        w->clock_ms += dice_roll(w->dice, 100);
        event_log_trim(w->log, w->clock_ms);
    } else if (dice_percent(w->dice, 20)) {
        w->position += dice_roll(w->dice, 3);
        event_log_gap(w->log, w->position);
        for (size_t i = 0; i < SUBSCRIBERS; i++) {
            if (!w->members[i].present)
                continue;
            expect_woken(&w->members[i]);
            w->members[i].gap = true;
        }
    }
}

static void check_limits(const struct world *w)
{
    size_t kept = 0;

    while (kept < w->count && !is_gone(w, &w->entries[w->count - 1 - kept]))
        kept++;
    assert_true(kept <= w->limits.max_events);
    assert_true(event_log_floor(w->log) <= event_log_head(w->log));
}

static void finish(struct world *w)
{
    for (size_t i = 0; i < SUBSCRIBERS; i++) {
        struct member *m = &w->members[i];
        if (!m->present)
            continue;
        while (m->behind && walk(w, m, 10, 10))
            continue;
        assert_int_equal(model_next(w, m), w->count);
        event_log_unsubscribe(w->log, &m->subscriber);
    }
}

/* Each seed has limits of its own: by count alone, or by bytes or age as well. */
static struct event_log_limits draw_limits(struct dice *d)
{
    struct event_log_limits limits = {
        .max_events = 5 + dice_roll(d, 60), .max_bytes = 1 << 30, .max_age_ms = 1ull << 40};

    if (dice_percent(d, 30))
        limits.max_bytes = 4000 + dice_roll(d, 20000);
    if (dice_percent(d, 30))
        limits.max_age_ms = 50 + dice_roll(d, 300);
    return limits;
}

static void run(struct dice *d)
{
    static struct world w;

    w = (struct world){.dice = d, .limits = draw_limits(d), .position = dice_roll(d, 100)};
    w.entries = calloc(STEPS, sizeof *w.entries);
    w.log = event_log_create(&w.limits, w.position, &w.counters, on_event, &w);
    assert_non_null(w.log);
    for (int i = 0; i < STEPS; i++) {
        step(&w);
        check_limits(&w);
    }
    finish(&w);
    event_log_free(w.log);
    free(w.entries);
    /* A script that never walked or never lost would prove nothing. */
    assert_true(w.seen > 100);
    assert_true(w.losses > 0);
}

TEST(every_subscriber_sees_what_a_naive_log_would_show)
{
    dice_for_each_seed(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_subscriber_sees_what_a_naive_log_would_show),
    };

    return RUN_TESTS(tests);
}
