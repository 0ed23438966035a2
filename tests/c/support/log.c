#include "support/log.h"

#include "support/check.h"
#include "support/events.h"

const struct event_log_limits roomy_limits = {.max_events = 1 << 20, .max_bytes = 1 << 30, .max_age_ms = 1ull << 40};

static void on_event(void *context, struct subscriber *s)
{
    struct test_log *t = context;

    t->wakes++;
    t->woken = s;
}

void test_log_open(struct test_log *t, const struct event_log_limits *limits, uint64_t position)
{
    *t = (struct test_log){.log = NULL};
    t->log = event_log_create(limits, position, &t->counters, on_event, t);
    assert_non_null(t->log);
}

void test_log_close(struct test_log *t)
{
    event_log_free(t->log);
}

void test_log_append(struct test_log *t, const char *users, uint64_t position)
{
    struct event *ev = make_event_for(users, position);

    event_log_append(t->log, ev);
    event_unref(ev);
}

void test_log_subscribe(struct test_log *t, struct subscriber *s, const char *user)
{
    assert_true(event_log_subscribe(t->log, s, str_of(user)));
}

void test_log_sees(struct test_log *t, struct subscriber *s, const uint64_t *positions, size_t count, const char *file,
                   int line)
{
    struct log_cursor cursor = s->cursor;
    struct event *ev = NULL;

    for (size_t i = 0; i < count; i++) {
        enum log_walk walk = event_log_next(t->log, s, &cursor, &ev);
        if (walk != LOG_EVENT)
            check_failed(file, line, "%s instead of event %llu", walk == LOG_END ? "the end" : "a loss",
                         (unsigned long long)positions[i]);
        if (ev->position != positions[i])
            check_failed(file, line, "event %llu instead of %llu", (unsigned long long)ev->position,
                         (unsigned long long)positions[i]);
    }
    enum log_walk last = event_log_next(t->log, s, &cursor, &ev);
    if (last != LOG_END)
        check_failed(file, line, "%s instead of the end", last == LOG_LOST ? "a loss" : "another event");
    s->cursor = cursor;
    event_log_level(s);
}

void test_log_lost(struct test_log *t, const struct subscriber *s, const char *file, int line)
{
    struct log_cursor cursor = s->cursor;
    struct event *ev;
    enum log_walk walk = event_log_next(t->log, s, &cursor, &ev);

    if (walk != LOG_LOST)
        check_failed(file, line, "%s instead of a loss", walk == LOG_END ? "the end" : "an event");
}

uint64_t test_log_take(struct test_log *t, struct subscriber *s)
{
    struct event *ev;

    switch (event_log_next(t->log, s, &s->cursor, &ev)) {
    case LOG_EVENT:
        return ev->position;
    case LOG_END:
        event_log_level(s);
        return 0;
    default:
        check_failed(__FILE__, __LINE__, "a loss instead of an event");
    }
}
