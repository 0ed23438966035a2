/*
 * sse_client.h - reads an event stream as a browser does (WHATWG HTML section 9.2.6), from bytes that are all
 * there.
 *
 * It shares nothing with the encoder, so that the two check each other.
 */
#ifndef PILLAR_TESTS_SSE_CLIENT_H
#define PILLAR_TESTS_SSE_CLIENT_H

#include "base/buf.h"
#include "base/str.h"

struct sse_message {
    struct buf id; /* the client's last event id when the message is dispatched */
    struct buf name;
    struct buf data;
};

struct sse_client {
    struct sse_message *messages; /* owned */
    size_t count;
    struct buf last_id;
    size_t comments;
    size_t retries;    /* how often the reconnection time was set */
    uint64_t retry_ms; /* the last one */
};

#define SSE_CLIENT_EMPTY ((struct sse_client){0})

/* Reads whole lines; a message without its blank line at the end is discarded, as the specification says. */
void sse_client_read(struct sse_client *c, struct str bytes);
void sse_client_free(struct sse_client *c);

#endif
