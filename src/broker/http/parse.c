#include "http/parse.h"

#include <stdint.h>

#include "http/target.h"

static struct parse *self(http_parser *parser)
{
    return parser->data;
}

/* http-parser reports a run of bytes in pieces, some of them empty; in one block they are neighbours. */
static void extend(struct str *s, const char *at, size_t len)
{
    if (s->ptr == NULL)
        s->ptr = at;
    s->len += len;
}

static int on_url(http_parser *parser, const char *at, size_t len)
{
    extend(&self(parser)->ex->request.target, at, len);
    return 0;
}

static int on_header_field(http_parser *parser, const char *at, size_t len)
{
    struct parse *p = self(parser);
    struct pairs *headers = &p->ex->request.headers;

    if (p->head_complete)
        return 0;
    if (p->value_last || headers->count == 0) {
        if (headers->count == p->headers_room)
            return 1;
        headers->at[headers->count++] = (struct pair){STR_NONE, {"", 0}};
        p->value_last = false;
    }
    extend(&headers->at[headers->count - 1].name, at, len);
    return 0;
}

static int on_header_value(http_parser *parser, const char *at, size_t len)
{
    struct parse *p = self(parser);
    struct pairs *headers = &p->ex->request.headers;

    if (p->head_complete)
        return 0;
    if (headers->count == 0)
        return 1;
    if (!p->value_last)
        headers->at[headers->count - 1].value = STR_NONE;
    p->value_last = true;
    extend(&headers->at[headers->count - 1].value, at, len);
    return 0;
}

static int on_headers_complete(http_parser *parser)
{
    struct parse *p = self(parser);

    p->head_complete = true;
    p->keep_alive = http_should_keep_alive(parser) != 0;
    parser->upgrade = 0; /* we offer no upgrade, so the request goes on as if none were asked for (RFC 9110 7.8) */
    return 0;
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
    struct parse *p = self(parser);

    buf_append(&p->body, at, len);
    return p->body.failed ? 1 : 0;
}

static int on_message_complete(http_parser *parser)
{
    self(parser)->complete = true;
    parser->upgrade = 0;
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

void parse_setup(void)
{
    http_parser_set_max_header_size(UINT32_MAX / 2); /* the guard has limits of its own, a server each */
}

static bool disagree(const struct parse *p, struct refusal *why)
{
    if (p->body.failed)
        *why = (struct refusal){503, "overloaded", "the server is short of memory"};
    else
        *why = (struct refusal){400, "bad_request", "the request is not well-formed HTTP"};
    return false;
}

static void lower_names(struct pairs *headers)
{
    for (size_t i = 0; i < headers->count; i++) {
        char *name = (char *)headers->at[i].name.ptr;
        for (size_t j = 0; j < headers->at[i].name.len; j++)
            name[j] = ascii_lower(name[j]);
        headers->at[i].value = str_trim(headers->at[i].value);
    }
}

static enum method method_of(struct str name)
{
    int i = 0;

    while (!str_eq(name, method_names[i]))
        i++;
    return (enum method)i;
}

bool parse_head(struct parse *p, struct exchange *ex, struct str head, const struct head_verdict *v,
                struct refusal *why)
{
    struct request *r = &ex->request;

    *p = (struct parse){.ex = ex, .headers_room = v->header_count};
    r->headers.at = arena_alloc(&ex->arena, (v->header_count + 1) * sizeof *r->headers.at);
    if (r->headers.at == NULL) {
        *why = (struct refusal){503, "overloaded", "the server is short of memory"};
        return false;
    }
    http_parser_init(&p->parser, HTTP_REQUEST);
    p->parser.data = p;
    size_t used = http_parser_execute(&p->parser, &settings, head.ptr, head.len);
    bool agreed = used == head.len && HTTP_PARSER_ERRNO(&p->parser) == HPE_OK && p->head_complete &&
                  p->complete == (v->framing == BODY_NONE) && r->headers.count == v->header_count &&
                  str_eq(r->target, v->target);
    if (!agreed)
        return disagree(p, why);
    r->method = method_of(v->method);
    lower_names(&r->headers);
    return target_parse(r, &ex->arena, why);
}

bool parse_body(struct parse *p, struct str bytes, struct refusal *why)
{
    if (bytes.len == 0)
        return true;
    size_t used = http_parser_execute(&p->parser, &settings, bytes.ptr, bytes.len);

    if (used != bytes.len || HTTP_PARSER_ERRNO(&p->parser) != HPE_OK)
        return disagree(p, why);
    return true;
}

void parse_end(struct parse *p)
{
    buf_free(&p->body);
}
