/*
 * load.h - what the parts of the load generator share: what it was asked to do, the events on their way, and the count of
 * what came.
 */
#ifndef PILLAR_BENCH_LOAD_H
#define PILLAR_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "histogram.h"

enum { HEADERS_MAX = 8, WINDOW = 4096 };

struct options {
    uint16_t port;
    pid_t pid; /* of the server that is measured */
    uint64_t streams;
    uint64_t users; /* stream i is of user i % users */
    uint64_t slope; /* memory is looked at when so many streams are open, too */
    const char *stream_target;
    const char *stream_headers[HEADERS_MAX];
    const char *tokens; /* a file with a line for each {token}; NULL: none */
    const char *emit_method;
    const char *emit_target;
    const char *emit_headers[HEADERS_MAX];
    const char *emit_body;
    uint64_t per_event;    /* users that an event is for; 0: everyone */
    uint64_t in_flight;    /* connections that emit, each one event at a time */
    uint64_t rate;         /* events a second; 0: the next as soon as one is done */
    uint64_t warmup;       /* events before the measurement */
    uint64_t warmup_users; /* whom they are for in turn, in place of `users`; 0: those */
    uint64_t events;
    uint64_t pad; /* bytes of {pad} */
};

/* An event that was sent, at seq % WINDOW. */
struct on_its_way {
    uint64_t seq;
    uint64_t at_ns;
    uint64_t left; /* deliveries still to come */
    bool answered;
};

struct results {
    uint64_t deliveries;
    uint64_t bytes; /* of their frames */
    uint64_t answers;
    uint64_t refused;    /* answers that are no success */
    uint64_t unexpected; /* events that are not on their way, or doubled */
    uint64_t reordered;
    uint64_t astray; /* told to somebody whom they are not for */
    struct histogram answer_ns;
    struct histogram delivery_ns;
};

extern struct options options;
extern struct results results;
extern struct on_its_way window[WINDOW];
extern int load_epoll; /* of all connections that are open */

uint64_t now_ns(void);

/* Says what went wrong and ends the program with status 1. */
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* A non-blocking socket on its way to the server. Each source address has a share of the ports. */
int connect_from(uint64_t index);

/* Among how many users an event's are. */
uint64_t users_at(uint64_t seq);

/* The first of them; the others are those that follow it, modulo all. */
uint64_t first_of(uint64_t seq);

/* How many streams an event reaches. */
uint64_t audience_of(uint64_t seq);

/* Whether it is for this user. */
bool concerns(uint64_t seq, uint64_t user);

/* --- streams.c --- */

/* Opens streams up to `count`, and waits until each has its response. */
void streams_open(uint64_t count);

/* Reads what a stream has got, after epoll has said that there is something. */
void streams_read(uint64_t index);

/* --- emit.c --- */

void emit_open(void);

/* Sends the events `from` to `to`, as fast as the options say. Returns when all have been answered and delivered. */
void emit_run(uint64_t from, uint64_t to);

/* Reads what the streams still have, although all events have arrived. */
void emit_drain(void);

#endif
