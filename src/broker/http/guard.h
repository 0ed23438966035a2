/*
 * guard.h - what stands between the wire and http-parser, which is lenient where leniency is how requests are smuggled.
 *
 * Everything that is received passes the guard first, byte for byte: a head as one block, a chunked body as
 * it comes. The guard follows RFC 9112 (HTTP/1.1) and RFC 9110 and is stricter wherever a recipient may be:
 * no bare LF, no folded headers, no coding but one exact `chunked`, no second Content-Length, even an equal one.
 */
#ifndef PILLAR_HTTP_GUARD_H
#define PILLAR_HTTP_GUARD_H

#include <stdint.h>

#include "base/str.h"

struct guard_limits {
    size_t header_bytes; /* of a whole head, request line included; and of a chunked body's framing */
    size_t header_count;
    size_t target_bytes;
    size_t body_bytes;
};

/* Why something is refused. status 0: it is not. The code and message go into the answer. */
struct refusal {
    int status;
    const char *code;
    const char *message;
};

/* --- the head --- */

enum head_progress { HEAD_PARTIAL, HEAD_COMPLETE, HEAD_REFUSED };

/* Zero before the first byte of each request. */
struct head_scan {
    size_t scanned; /* so many bytes were looked at */
    size_t line;    /* where the line begins that is being read */
    size_t lines;   /* lines that ended */
};

/*
 * Looks for the end of the head in `data`, which holds all that came of it so far; `scan` says how far the
 * last look got. HEAD_COMPLETE: *len is the head's length, its empty line included. HEAD_REFUSED: *why is
 * set; a bare LF or CR, a control character, a request line or head over its limit is refused as soon as it is seen.
 */
enum head_progress guard_find_head(struct str data, struct head_scan *scan, const struct guard_limits *limits,
                                   size_t *len, struct refusal *why);

enum body_framing { BODY_NONE, BODY_LENGTH, BODY_CHUNKED };

struct head_verdict {
    struct refusal refusal;
    bool sound; /* it may be parsed, though perhaps the body it announces is too large */
    struct str method;
    struct str target;
    bool http_1_0;
    enum body_framing framing;
    uint64_t content_length;
    bool expect_continue;
    size_t header_count;
    struct str authority; /* the Host, or of an absolute target its authority */
};

/* Judges a complete head. The strs in *v point into it. */
void guard_check_head(struct str head, const struct guard_limits *limits, struct head_verdict *v);

/* --- a chunked body --- */

struct chunk_guard {
    int state; /* zero at the start */
    uint64_t chunk_left;
    unsigned size_digits;
    size_t framing_bytes; /* chunk lines and trailers so far */
    size_t body_bytes;
    size_t line_bytes;   /* of the trailer line being read */
    char line_start[18]; /* the first of them, in lower case: room for the longest name that matters, and a colon */
    size_t trailers;
};

enum chunk_progress { CHUNK_MORE, CHUNK_END, CHUNK_REFUSED };

/*
 * Follows the framing of a chunked body. *used is how much of `data` belongs to it: all of it for CHUNK_MORE,
 * up to and with the last CR LF for CHUNK_END.
 */
enum chunk_progress guard_chunked(struct chunk_guard *g, const struct guard_limits *limits, struct str data,
                                  size_t *used, struct refusal *why);

#endif
