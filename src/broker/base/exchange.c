#include "base/exchange.h"

#include "base/error.h"
#include "base/json.h"

const struct str method_names[METHOD_COUNT] = {
    [METHOD_GET] = {"GET", 3},         [METHOD_HEAD] = {"HEAD", 4},   [METHOD_POST] = {"POST", 4},
    [METHOD_PUT] = {"PUT", 3},         [METHOD_PATCH] = {"PATCH", 5}, [METHOD_DELETE] = {"DELETE", 6},
    [METHOD_OPTIONS] = {"OPTIONS", 7},
};

struct str pairs_get(const struct pairs *p, struct str name)
{
    for (size_t i = 0; i < p->count; i++)
        if (str_eq(p->at[i].name, name))
            return p->at[i].value;
    return STR_NONE;
}

static bool frames_the_message(struct str name)
{
    static const struct str framing[] = {
        {"connection", 10}, {"content-length", 14},    {"date", 4},    {"keep-alive", 10}, {"te", 2},
        {"trailer", 7},     {"transfer-encoding", 17}, {"upgrade", 7},
    };

    for (size_t i = 0; i < sizeof framing / sizeof *framing; i++)
        if (str_eq_nocase(name, framing[i]))
            return true;
    return false;
}

static bool value_is_clean(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool response_add_header(struct exchange *ex, struct str name, struct str value, struct error *e)
{
    struct response *r = &ex->response;

    if (!str_is_token(name))
        return error_set(e, "invalid_header", "'%.*s' is not a header name", STR_ARG(name));
    if (frames_the_message(name))
        return error_set(e, "invalid_header", "the header %.*s is set by the broker", STR_ARG(name));
    if (!value_is_clean(value))
        return error_set(e, "invalid_header",
                         "the value of the header %.*s holds a control character (CR, LF, NUL, ...)", STR_ARG(name));
    if (r->headers.count == r->headers_room) {
        size_t room = r->headers_room == 0 ? 8 : r->headers_room * 2;
        struct pair *at = arena_alloc(&ex->arena, room * sizeof *at);
        if (at == NULL)
            return error_no_memory(e);
        if (r->headers.count > 0)
            memcpy(at, r->headers.at, r->headers.count * sizeof *at);
        r->headers.at = at;
        r->headers_room = room;
    }
    struct pair header = {arena_copy(&ex->arena, name), arena_copy(&ex->arena, value)};
    if (header.name.ptr == NULL || header.value.ptr == NULL)
        return error_no_memory(e);
    r->headers.at[r->headers.count++] = header;
    return true;
}

void response_clear(struct exchange *ex)
{
    ex->response.status = 0;
    ex->response.headers.count = 0;
    buf_free(&ex->response.body);
}

void response_set_error(struct exchange *ex, int status, const char *code, const char *message, const char *field)
{
    response_clear(ex);
    ex->response.status = status;
    struct buf *body = &ex->response.body;
    buf_append_str(body, STR("{\"error\":{\"code\":"));
    json_append_string(body, str_of(code));
    buf_append_str(body, STR(",\"message\":"));
    json_append_any_string(body, str_of(message));
    if (field[0] != '\0') {
        buf_append_str(body, STR(",\"field\":"));
        json_append_any_string(body, str_of(field));
    }
    buf_append_str(body, STR("}}"));
    /* Short of memory, the answer goes out without a body: the status says enough. */
    if (body->failed || !response_add_header(ex, STR("Content-Type"), STR("application/json"), NULL))
        buf_free(body);
}

void response_set_error_for_now(struct exchange *ex, int status, const char *code, const char *message,
                                uint64_t seconds)
{
    struct buf text = BUF_EMPTY;

    response_set_error(ex, status, code, message, "");
    buf_append_u64(&text, seconds);
    (void)response_add_header(ex, STR("Retry-After"), buf_str(&text), NULL);
    buf_free(&text);
}

bool exchange_start(struct exchange *ex, uint64_t now_ns)
{
    int expected = EXCHANGE_QUEUED;

    atomic_store(&ex->started_ns, now_ns);
    return atomic_compare_exchange_strong(&ex->state, &expected, EXCHANGE_RUNNING);
}

bool exchange_settle(struct exchange *ex)
{
    int expected = EXCHANGE_RUNNING;

    return atomic_compare_exchange_strong(&ex->state, &expected, EXCHANGE_SETTLED);
}

bool exchange_expire(struct exchange *ex, enum exchange_state from)
{
    int expected = (int)from;

    return atomic_compare_exchange_strong(&ex->state, &expected, EXCHANGE_EXPIRED);
}
