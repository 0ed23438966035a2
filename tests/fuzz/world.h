/*
 * world.h - an I/O loop with a few clients, and a handler whose answers the requests themselves choose.
 *
 * The loop is libuv's and is never run: time passes, and events and finished requests arrive, when the test says so.
 * Takes the place of server.c, too.
 */
#ifndef PILLAR_FUZZ_WORLD_H
#define PILLAR_FUZZ_WORLD_H

#include "fake_transport.h"

enum { WORLD_WIRES = 6, WORLD_CONNECTIONS = 3 };

/* Limits that a short input can reach. */
enum {
    WORLD_HEADER_BYTES = 512,
    WORLD_HEADERS = 6,
    WORLD_TARGET_BYTES = 80,
    WORLD_BODY_BYTES = 1024,
    WORLD_BODY_MEMORY = 2048
};

struct world {
    struct io_loop loop;
    struct http_config config;
    struct http_handler handler;
    struct wire wires[WORLD_WIRES];
    size_t wire_count;
    struct wire *current;
    struct exchange *parked[2 * WORLD_WIRES]; /* elsewhere, oldest first */
    size_t parked_count;
    size_t admitted;
    uint64_t position;
    uint64_t now_ms;
    unsigned refuse_next; /* the next connection cannot be accepted */
    bool disturbed;       /* what happens depends on how the input is cut: memory ran short */
};

void world_begin(struct world *w);

/* Another client; it becomes the current one. Nothing happens when there are as many as there may be. */
void world_connect(struct world *w);

/* Lets the loop turn until nothing is left to do. */
void world_settle(struct world *w);

/* A request that is elsewhere comes back: the oldest, or the newest. */
void world_complete(struct world *w, bool newest);

/* The loop gives up on the oldest request that is elsewhere. */
void world_give_up(struct world *w);

/* The current connection's timeout runs out. */
void world_expire(struct world *w);

/* An event for everybody. */
void world_publish(struct world *w);

/* So much time that streams must be kept awake. */
void world_pass_time(struct world *w);

void world_drain(struct world *w);

/* Ends all that is under way and checks that nothing is left. */
void world_end(struct world *w);

#endif
