/*
 * parse.h - http-parser, fed with what the guard let through, filling a request.
 *
 * http-parser is asked to agree with the guard on everything: where it does not, the request is refused.
 */
#ifndef PILLAR_HTTP_PARSE_H
#define PILLAR_HTTP_PARSE_H

#include <http_parser.h>

#include "base/exchange.h"
#include "http/guard.h"

struct parse {
    http_parser parser;
    struct exchange *ex; /* borrowed; its request is being filled */
    struct buf body;
    size_t headers_room;
    bool value_last;    /* the last header callback was for a value */
    bool head_complete; /* what follows are trailers, which are dropped */
    bool complete;
    bool keep_alive;
};

/* Once in the process, before any thread parses: http-parser's own limit on heads is a global. */
void parse_setup(void);

/*
 * Parses a head that the guard accepted with verdict `v`; `head` must stay in place as long as the exchange,
 * and its header names are put in lower case. Returns false with a refusal when http-parser disagrees or
 * memory is short.
 */
bool parse_head(struct parse *p, struct exchange *ex, struct str head, const struct head_verdict *v,
                struct refusal *why);

/* Parses more of the body. p->complete tells when the message has ended. */
bool parse_body(struct parse *p, struct str bytes, struct refusal *why);

/* Releases what a message left behind. Harmless when there is nothing. */
void parse_end(struct parse *p);

#endif
