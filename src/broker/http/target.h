/*
 * target.h - takes a request target apart: path, segments and query, percent-decoded once.
 */
#ifndef PILLAR_HTTP_TARGET_H
#define PILLAR_HTTP_TARGET_H

#include "base/exchange.h"
#include "http/guard.h"

/*
 * Fills path, segments, segment_count and query of the request from its target, which passed the guard.
 * Refused with 400: a '%' without two hex digits; an encoded NUL; a decoded path or query that is not UTF-8;
 * a path segment "." or "..", encoded or not (a client resolves those itself, RFC 3986 section 5.2.4); more
 * than TARGET_SEGMENTS_MAX segments or TARGET_QUERY_MAX parameters. With 500 when memory is short.
 */
bool target_parse(struct request *r, struct arena *arena, struct refusal *why);

enum { TARGET_SEGMENTS_MAX = 64, TARGET_QUERY_MAX = 256 };

#endif
