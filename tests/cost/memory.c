/*
 * memory.c - what a stream takes, in bytes, and that a delivery takes nothing. Prints a line for each figure; check.lua
 * compares them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "crowd.h"
#include "http/h1.h"
#include "support/alloc.h"

enum { STREAMS = 10000, MANY = 1000, LOG_EVENTS = 8, ROUNDS = 40 };

/* --- allocations --- */

/* How often memory is allocated for an event, once the log is full; 0 targets: it is for everyone. */
static size_t allocations(size_t streams, size_t targets)
{
    struct crowd c;
    size_t count = 0;

    crowd_begin(&c, LOG_EVENTS);
    crowd_grow(&c, streams);
    for (int i = 0; i < ROUNDS; i++) {
        struct event *ev = crowd_event(&c, 0, targets);
        size_t before = alloc_count();
        crowd_deliver(&c, &ev, 1);
        count = alloc_count() - before;
    }
    must(counter_get(&c.counters, COUNT_DELIVERIES) == ROUNDS * streams, "an event did not reach each stream once");
    crowd_end(&c);
    return count;
}

/* However many streams an event reaches, it takes as many allocations: a delivery takes none. */
static void check_deliveries(size_t one, size_t many, const char *text)
{
    char sentence[200];

    snprintf(sentence, sizeof sentence,
             "a delivery allocates memory: %s takes %zu allocations with 1 stream, and %zu with %d", text, one, many,
             MANY);
    must(one == many, sentence);
    printf("%zu allocations: %s, with 1 stream as with %d\n", many, text, MANY);
}

/* --- bytes --- */

/* A further stream of a user who has one; and no table grows for it. */
static size_t bytes_of_further_stream(struct crowd *c)
{
    size_t before = alloc_held();
    struct stream *s = crowd_connect(c, 0, STR_NONE);
    size_t bytes = alloc_held() - before;

    stream_close(s);
    return bytes;
}

/* The connection's, and the pointer with which libuv's loop knows its descriptor. */
static size_t bytes_of_connection(void)
{
    size_t before = alloc_held();
    struct h1 *connection = calloc(1, sizeof *connection);
    size_t bytes = alloc_held() - before;

    must(connection != NULL, "there is no memory for a connection");
    free(connection);
    return bytes + sizeof(void *);
}

static void print_bytes(void)
{
    struct crowd c;

    crowd_begin(&c, LOG_EVENTS);
    size_t before = alloc_held();
    crowd_grow(&c, STREAMS);
    size_t streams = alloc_held() - before - STREAMS * sizeof(struct stream *); /* the crowd's own list */
    printf("%zu bytes: a stream and its user, with their share of all tables, of %d\n", streams / STREAMS, STREAMS);
    printf("%zu bytes: a further stream of the same user\n", bytes_of_further_stream(&c));
    printf("%zu bytes: the connection of a stream\n", bytes_of_connection());
    printf("%zu bytes: of these, libuv's\n", sizeof(uv_tcp_t) + sizeof(void *));
    printf("%zu bytes: a stream, its user and its connection\n", streams / STREAMS + bytes_of_connection());
    crowd_end(&c);
}

int main(void)
{
    print_environment(false);
    check_deliveries(allocations(1, CROWD_EVERYONE), allocations(MANY, CROWD_EVERYONE), "an event to everyone");
    check_deliveries(allocations(1, 1), allocations(MANY, MANY), "an event that names each user");
    print_bytes();
    return 0;
}
