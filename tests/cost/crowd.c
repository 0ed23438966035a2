#include "crowd.h"

#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AUTHOR  "0190b1c4-7a55-7c3e-9f10-2f64a1d5e8b7"
#define SESSION "5f3c9a52-8d0e-4b7e-a1c6-90e2b7d4f318"
#define DATA                                                                                                           \
    "{\"id\":4711,\"title\":\"Ask the printer about the posters\",\"done\":false,\"assignee\":\"user-0000042\","       \
    "\"due\":\"2031-05-17\",\"labels\":[\"print\",\"urgent\"],\"note\":\"A2, matt, forty of them, by Thursday\","      \
    "\"version\":12}"

enum { TARGETS_MAX = 1024, USER_ID_LEN = 12 };

static const struct generation generation = {"0123456789ab"};

void must(bool holds, const char *sentence)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", sentence);
    exit(1);
}

void print_environment(bool with_compiler)
{
    if (with_compiler)
#ifdef __clang__
        printf("%s, " COST_BUILD ", ", __VERSION__);
#else
        printf("gcc %s, " COST_BUILD ", ", __VERSION__);
#endif
    printf("glibc %s, " COST_PROCESSOR "%s\n", gnu_get_libc_version(), COST_SANITIZED ? ", with a sanitizer" : "");
}

/* --- a client --- */

static size_t take(struct sink *sink, const struct frame *frames, size_t count, bool *full)
{
    (void)sink;
    (void)frames;
    (void)full;
    return count;
}

static void end(struct sink *sink)
{
    (void)sink;
}

/* Writes "user-0000042" by hand, since it is counted with the rest and printf would be seen in the figures. */
static struct str user_id(char out[USER_ID_LEN], size_t user)
{
    static const char zero[USER_ID_LEN] = "user-0000000";

    memcpy(out, zero, USER_ID_LEN);
    for (char *digit = out + USER_ID_LEN - 1; user > 0; user /= 10)
        *digit-- = (char)('0' + user % 10);
    return (struct str){out, USER_ID_LEN};
}

struct stream *crowd_connect(struct crowd *c, size_t user, struct str last_event_id)
{
    static const struct sink_ops ops = {take, end};
    static struct sink sink = {&ops};
    char id[USER_ID_LEN];
    struct stream_request request = {.user_id = user_id(id, user),
                                     .session_id = STR(SESSION),
                                     .last_event_id = last_event_id,
                                     .expires_ms = UINT64_MAX,
                                     .address = (uint32_t)user * 2654435761u};
    struct stream *s = stream_open(c->hub, &request, &sink, STR("HTTP/1.1 200 OK\r\n\r\n"));

    must(s != NULL, "a stream does not open");
    return s;
}

/* --- the crowd --- */

struct str crowd_position(const struct crowd *c, char out[POSITION_TEXT_MAX])
{
    return position_text(out, &generation, c->position);
}

struct event *crowd_event(struct crowd *c, size_t first, size_t targets)
{
    static char ids[TARGETS_MAX][USER_ID_LEN];
    static struct str users[TARGETS_MAX];
    struct event_fields fields = {.entity = STR("task"),
                                  .action = STR("updated"),
                                  .entity_id = STR("4711"),
                                  .project_id = STR("posters"),
                                  .user_id = STR(AUTHOR),
                                  .session_id = STR(SESSION),
                                  .data = STR(DATA),
                                  .everyone = targets == CROWD_EVERYONE,
                                  .targets = users,
                                  .target_count = targets};
    struct error e;

    must(targets <= TARGETS_MAX, "more targets than there is room for");
    for (size_t i = 0; i < targets; i++)
        users[i] = user_id(ids[i], first + i);
    struct event *ev = event_create(&fields, &e);
    must(ev != NULL, "an event is refused");
    c->position++;
    must(event_seal(ev, &generation, c->position, 1893456000000 + c->position, &e), "an event is not sealed");
    return ev;
}

void crowd_deliver(struct crowd *c, struct event *const *events, size_t count)
{
    stream_hub_deliver(c->hub, events, count);
    for (size_t i = 0; i < count; i++)
        event_unref(events[i]);
    must(!stream_hub_flush(c->hub, SIZE_MAX), "a flush without a limit leaves something");
}

void crowd_begin(struct crowd *c, size_t log_events)
{
    struct stream_config config = {
        .log = {.max_events = log_events, .max_bytes = 1 << 30, .max_age_ms = 1ull << 40},
        .heartbeat_ms = 30000,
        .retry_min_ms = 1000,
        .retry_max_ms = 5000,
        .max_per_user = 10,
        .max_per_address = 10,
        .expiry_notice_ms = 60000,
        .delivery_log = 1000,
    };

    *c = (struct crowd){.count = 0};
    c->hub = stream_hub_create(&config, 0, &c->counters);
    must(c->hub != NULL, "there is no memory for a hub");
    stream_hub_begin(c->hub, &generation, 0);
    for (size_t i = 0; i < 2 * log_events; i++) {
        struct event *ev = crowd_event(c, 0, CROWD_EVERYONE);
        crowd_deliver(c, &ev, 1);
    }
}

void crowd_grow(struct crowd *c, size_t count)
{
    c->streams = realloc(c->streams, count * sizeof(struct stream *));
    must(c->streams != NULL, "there is no memory for a crowd");
    for (; c->count < count; c->count++)
        c->streams[c->count] = crowd_connect(c, c->count, STR_NONE);
}

void crowd_end(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++)
        stream_close(c->streams[i]);
    free(c->streams);
    stream_hub_free(c->hub);
}
