/*
 * sink.h - where a stream's frames go: an HTTP/1.1 response today; any other protocol, or a test, can be one.
 */
#ifndef PILLAR_HTTP_SINK_H
#define PILLAR_HTTP_SINK_H

#include "base/str.h"
#include "bus/event.h"

struct frame {
    struct str bytes;
    struct event *event; /* whose frame this is; NULL: the bytes are valid during the call only */
};

struct sink;

struct sink_ops {
    /*
     * Takes frames in order and returns how many it took; a frame that was taken reaches the client whole or
     * the connection breaks. *full: it takes no more until it calls stream_writable. Never calls back into the stream.
     */
    size_t (*send)(struct sink *sink, const struct frame *frames, size_t count, bool *full);

    /* Ends the response cleanly behind what was sent. The stream is gone when this is called. */
    void (*end)(struct sink *sink);
};

/* Embedded in the protocol's connection. */
struct sink {
    const struct sink_ops *ops;
};

#endif
