#include "support/events.h"

#include "support/check.h"

const struct generation test_generation = {"0123456789ab"};
const struct generation other_generation = {"fedcba987654"};

enum { TARGETS_MAX = 4096 };

struct event *make_event(const struct event_fields *fields, uint64_t position, uint64_t timestamp_ms)
{
    struct error e;
    struct event *ev = event_create(fields, &e);

    assert_that(ev != NULL, "the event was refused: %s", e.message);
    assert_true(event_seal(ev, &test_generation, position, timestamp_ms, &e));
    return ev;
}

struct event *make_event_for(const char *users, uint64_t position)
{
    static _Thread_local struct str targets[TARGETS_MAX];
    struct str rest = str_of(users);
    struct event_fields fields = {.entity = STR("task"), .action = STR("updated"), .targets = targets};

    if (str_eq(rest, STR("*"))) {
        fields.everyone = true;
        return make_event(&fields, position, position);
    }
    while (fields.target_count < TARGETS_MAX && str_split(&rest, ' ', &targets[fields.target_count]))
        fields.target_count++;
    return make_event(&fields, position, position);
}

struct event *make_disconnect(const char *user, const char *session, uint64_t position)
{
    struct error e;
    struct event *ev = event_create_disconnect(str_of(user), str_of(session), &e);

    assert_that(ev != NULL, "it was refused: %s", e.message);
    assert_true(event_seal(ev, &test_generation, position, position, &e));
    return ev;
}
