/*
 * fake_sink.h - a sink that keeps what it is given, and can be as slow as a test wants.
 */
#ifndef PILLAR_TESTS_FAKE_SINK_H
#define PILLAR_TESTS_FAKE_SINK_H

#include "base/buf.h"
#include "http/sink.h"
#include "support/sse_client.h"

struct fake_sink {
    struct sink base;
    struct buf bytes; /* of all frames taken and not yet read */
    size_t room;      /* frames it takes before it is full; fake_sink_init sets it to SIZE_MAX, no limit */
    size_t sends;     /* calls that brought at least one frame */
    size_t frames;    /* frames taken */
    size_t most;      /* the largest number of frames in one call */
    bool ended;
};

void fake_sink_init(struct fake_sink *sink);

/* Gives what was taken since the last call to the client, which the caller empties. */
void fake_sink_read(struct fake_sink *sink, struct sse_client *client);

/* Forgets what was taken so far. */
void fake_sink_forget(struct fake_sink *sink);

void fake_sink_free(struct fake_sink *sink);

#endif
