/*
 * sse.h - the one encoder of text/event-stream (WHATWG HTML section 9.2.6, "Interpreting an event stream").
 */
#ifndef PILLAR_BUS_SSE_H
#define PILLAR_BUS_SSE_H

#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

struct sse_event {
    struct str id;   /* empty: no id line */
    struct str name; /* empty: no event line, so the browser calls it "message" */
    struct str data; /* may hold line breaks: each line becomes a data line */
};

/*
 * Appends one event with its closing blank line.
 * Failure: false, and nothing is appended, for a line break in the name or a line break or NUL in the id
 * ("invalid_field"), or when memory is short ("out_of_memory").
 */
bool sse_append_event(struct buf *out, const struct sse_event *event, struct error *e);

/* Appends the field that sets the client's reconnection time, with a closing blank line. */
void sse_append_retry(struct buf *out, unsigned milliseconds);

/* Appends a comment, which clients ignore. The text holds no line break. */
void sse_append_comment(struct buf *out, struct str text);

#endif
