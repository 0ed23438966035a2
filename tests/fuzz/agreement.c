/*
 * The guard and http-parser, looked at while they work: the link has h1.c's calls come here first (--wrap=parse_head
 * and so on). Whatever the guard lets pass, http-parser must read in the same way: where it does not, one of them is
 * wrong about where a request ends.
 */
#include <string.h>

#include "check.h"
#include "fake_transport.h"
#include "http/h1_private.h"
#include "world.h"

/* The linker's names. */
bool __real_parse_head(struct parse *p, struct exchange *ex, struct str head, const struct head_verdict *v,
                       struct refusal *why);
bool __wrap_parse_head(struct parse *p, struct exchange *ex, struct str head, const struct head_verdict *v,
                       struct refusal *why);
bool __real_parse_body(struct parse *p, struct str bytes, struct refusal *why);
bool __wrap_parse_body(struct parse *p, struct str bytes, struct refusal *why);
enum chunk_progress __real_guard_chunked(struct chunk_guard *g, const struct guard_limits *limits, struct str data,
                                         size_t *used, struct refusal *why);
enum chunk_progress __wrap_guard_chunked(struct chunk_guard *g, const struct guard_limits *limits, struct str data,
                                         size_t *used, struct refusal *why);
void __real_h1_refuse(struct h1 *c, const struct refusal *why);
void __wrap_h1_refuse(struct h1 *c, const struct refusal *why);

static bool chunks_ended; /* the guard's word on the bytes that parse_body gets next */

static bool http_parser_refused(const struct parse *p)
{
    return HTTP_PARSER_ERRNO(&p->parser) != HPE_OK;
}

bool __wrap_parse_head(struct parse *p, struct exchange *ex, struct str head, const struct head_verdict *v,
                       struct refusal *why)
{
    bool ok = __real_parse_head(p, ex, head, v, why);

    chunks_ended = false;
    CHECK(ok || !http_parser_refused(p), "the guard lets a head pass that http-parser refuses");
    if (!ok) {
        CHECK(strcmp(why->message, "the request is not well-formed HTTP") != 0,
              "the guard and http-parser read a head differently");
        return false;
    }
    CHECK(p->complete == (v->framing == BODY_NONE), "they do not agree whether there is a body");
    CHECK(str_eq(str_of(http_method_str((enum http_method)p->parser.method)), v->method), "nor on the method");
    CHECK(p->parser.http_major == 1 && p->parser.http_minor == (v->http_1_0 ? 0 : 1), "nor on the version");
    CHECK(((p->parser.flags & F_CHUNKED) != 0) == (v->framing == BODY_CHUNKED), "nor on the coding");
    CHECK(v->framing != BODY_LENGTH || p->parser.content_length == v->content_length, "nor on the length");
    return true;
}

enum chunk_progress __wrap_guard_chunked(struct chunk_guard *g, const struct guard_limits *limits, struct str data,
                                         size_t *used, struct refusal *why)
{
    enum chunk_progress progress = __real_guard_chunked(g, limits, data, used, why);

    CHECK(*used <= data.len && (progress != CHUNK_MORE || *used == data.len), "the guard used what is not there");
    chunks_ended = progress == CHUNK_END;
    return progress;
}

bool __wrap_parse_body(struct parse *p, struct str bytes, struct refusal *why)
{
    bool ok = __real_parse_body(p, bytes, why);

    if (!ok && p->body.failed)
        return false;
    CHECK(ok, "the guard lets a body pass that http-parser refuses");
    if ((p->parser.flags & F_CHUNKED) != 0)
        CHECK(p->complete == chunks_ended, "they do not agree where a chunked body ends");
    chunks_ended = false;
    return true;
}

void __wrap_h1_refuse(struct h1 *c, const struct refusal *why)
{
    struct wire *w = wire_of(&c->transport);
    struct world *world = h1_loop(c)->handler->context;
    const struct h1_message *m = c->message;
    /* When memory ran short the head may not have been looked at, and the verdict be that of an older one. */
    bool judged = m != NULL && m->ex != NULL && why->status != 503;
    bool head = judged && str_eq(m->verdict.method, STR("HEAD"));

    CHECK(!w->refused, "a second refusal");
    CHECK(c->state == H1_HEAD || c->state == H1_BODY, "a refusal at the wrong time");
    w->refused = true;
    w->refused_blindly = why->status == 503;
    w->methods[w->due++] = head ? METHOD_HEAD : METHOD_GET;
    if (why->status == 503)
        world->disturbed = true;
    __real_h1_refuse(c, why);
}
