/*
 * cost.c - fixed work for callgrind to count: check.lua runs it, and reads a dump for each figure.
 *
 * Run by itself it prints what it was built with, and counts nothing. Chance is taken out of it (see CMakeLists.txt), so
 * that a count is the same each time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

#include "base/random.h"
#include "crowd.h"
#include "http/parse.h"

enum { LOG_EVENTS = 1000, ROUNDS = 20, BURST = 8, EVENTS = ROUNDS * BURST };
enum { OPENED = 1000, MADE = 500, RECONNECTS = 200, MISSED = 10, OTHERS = 490 };

/* In place of the core's: the keys of its hashes, and the jitter of its reconnection times. */
void __wrap_random_bytes(void *bytes, size_t len);
uint64_t __wrap_random_u64(void);

void __wrap_random_bytes(void *bytes, size_t len)
{
    unsigned char *at = bytes;

    for (size_t i = 0; i < len; i++)
        at[i] = (unsigned char)(i * 151 + 83);
}

uint64_t __wrap_random_u64(void)
{
    return 0x9e3779b97f4a7c15u;
}

/* --- counting --- */

static void begin(void)
{
    CALLGRIND_TOGGLE_COLLECT;
}

/* What was counted since begin() is the cost of `units` of what the text names. */
static void end(size_t units, const char *text)
{
    char label[128];

    CALLGRIND_TOGGLE_COLLECT;
    snprintf(label, sizeof label, "%zu %s", units, text);
    CALLGRIND_DUMP_STATS_AT(label);
}

/* --- events --- */

static void make(struct crowd *c, struct event **events, size_t count, size_t first, size_t targets)
{
    for (size_t i = 0; i < count; i++)
        events[i] = crowd_event(c, first, targets);
}

static void deliver_to_everyone(size_t streams, size_t at_once, const char *text)
{
    struct crowd c;
    struct event *events[EVENTS];
    size_t count = ROUNDS * at_once;

    crowd_begin(&c, LOG_EVENTS);
    crowd_grow(&c, streams);
    make(&c, events, count, 0, CROWD_EVERYONE);
    begin();
    for (size_t i = 0; i < count; i += at_once)
        crowd_deliver(&c, &events[i], at_once);
    end(count * streams, text);
    crowd_end(&c);
}

static void deliver_to_one(size_t streams, const char *text)
{
    struct crowd c;
    struct event *events[EVENTS];

    crowd_begin(&c, LOG_EVENTS);
    crowd_grow(&c, streams);
    for (size_t i = 0; i < EVENTS; i++)
        events[i] = crowd_event(&c, i * 6 + 1, 1);
    begin();
    for (size_t i = 0; i < EVENTS; i++)
        crowd_deliver(&c, &events[i], 1);
    end(EVENTS, text);
    crowd_end(&c);
}

static void make_events(const char *text)
{
    struct crowd c;
    struct event *events[MADE];

    crowd_begin(&c, LOG_EVENTS);
    begin();
    make(&c, events, MADE, 7, 1);
    end(MADE, text);
    for (size_t i = 0; i < MADE; i++)
        event_unref(events[i]);
    crowd_end(&c);
}

/* --- streams --- */

static void open_streams(size_t before, const char *text)
{
    struct crowd c;

    crowd_begin(&c, LOG_EVENTS);
    crowd_grow(&c, before);
    begin();
    crowd_grow(&c, before + OPENED);
    end(OPENED, text);
    crowd_end(&c);
}

/* The events that the client has missed lie among those of others. */
static void reconnect(size_t streams, const char *text)
{
    struct crowd c;
    char id[POSITION_TEXT_MAX];

    crowd_begin(&c, LOG_EVENTS);
    crowd_grow(&c, streams);
    struct str from = crowd_position(&c, id);
    for (size_t i = 0; i < MISSED + OTHERS; i++) {
        size_t user = i % (1 + OTHERS / MISSED);
        struct event *ev = crowd_event(&c, user, 1);
        crowd_deliver(&c, &ev, 1);
    }
    begin();
    for (size_t i = 0; i < RECONNECTS; i++) {
        stream_close(c.streams[0]);
        c.streams[0] = crowd_connect(&c, 0, from);
        crowd_deliver(&c, NULL, 0);
    }
    end(RECONNECTS, text);
    must(counter_get(&c.counters, COUNT_DELIVERIES) == OTHERS + MISSED * (1 + RECONNECTS),
         "a client did not get just what it has missed");
    crowd_end(&c);
}

/* --- requests --- */

static const char post[] = "POST /api/tasks/4711 HTTP/1.1\r\n"
                           "Host: tasks.example.org\r\n"
                           "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
                           "Accept: application/json\r\n"
                           "Accept-Language: de,en-US;q=0.7,en;q=0.3\r\n"
                           "Accept-Encoding: gzip, deflate, br, zstd\r\n"
                           "Content-Type: application/json\r\n"
                           "Content-Length: 182\r\n"
                           "X-Session-Id: 5f3c9a52-8d0e-4b7e-a1c6-90e2b7d4f318\r\n"
                           "Idempotency-Key: 0190b1c4-7a55-7c3e-9f10-2f64a1d5e8b7\r\n"
                           "Origin: https://tasks.example.org\r\n"
                           "Cookie: session=eyJ1IjoiNDIiLCJlIjoxODkzNDU2MDAwfQ.qJ2dV8m3o5kX0u7yZb1tYw9rA4cE6gHs\r\n"
                           "Sec-Fetch-Site: same-origin\r\n"
                           "Connection: keep-alive\r\n\r\n";

/* As a connection does it: what follows the head is left out. */
static void parse_post(void)
{
    static const struct guard_limits limits = {
        .header_bytes = 16384, .header_count = 100, .target_bytes = 8192, .body_bytes = 1 << 20};
    struct exchange *ex = calloc(1, sizeof *ex);
    struct parse parse = {.ex = NULL};
    struct head_scan scan = {0};
    struct head_verdict verdict = {.sound = false};
    struct refusal why;
    size_t len;

    must(ex != NULL, "there is no memory for a request");
    must(guard_find_head((struct str){post, sizeof post - 1}, &scan, &limits, &len, &why) == HEAD_COMPLETE,
         "the guard finds no head");
    struct str head = arena_copy(&ex->arena, (struct str){post, len});
    guard_check_head(head, &limits, &verdict);
    must(verdict.sound && parse_head(&parse, ex, head, &verdict, &why), "the head is refused");
    parse_end(&parse);
    arena_free(&ex->arena);
    free(ex);
}

static void parse_posts(const char *text)
{
    parse_setup();
    begin();
    for (size_t i = 0; i < MADE; i++)
        parse_post();
    end(MADE, text);
}

int main(void)
{
    print_environment(true);
    deliver_to_everyone(1000, 1, "a delivery of an event to everyone, with 1000 streams");
    deliver_to_everyone(1000, BURST, "a delivery of 8 events at once to everyone, with 1000 streams");
    deliver_to_one(1000, "an event to one user, with 1000 streams");
    deliver_to_one(10000, "an event to one user, with 10000 streams");
    make_events("an event with its frame, 200 bytes of data");
    open_streams(1000, "a stream that opens, with 1000 to 2000 others");
    reconnect(1000, "a stream that closes and comes back to 10 missed events");
    parse_posts("the head of a POST, guarded and parsed");
    return 0;
}
