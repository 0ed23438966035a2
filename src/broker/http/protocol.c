/* The door's calls, by whatever protocol an exchange came. */
#include "http/http.h"

void http_count(struct exchange *ex, enum counter which)
{
    counter_add(ex->protocol->counters(ex), which, 1);
}

struct stream_hub *http_hub(struct exchange *ex)
{
    return ex->protocol->hub(ex);
}

uint64_t http_take_turn(struct exchange *ex, uint64_t now_ns)
{
    struct rate *rates = ex->protocol->rates(ex);

    return rates == NULL ? 0 : rate_take(rates, ex->address_key, now_ns);
}

void http_respond(struct exchange *ex)
{
    ex->protocol->respond(ex);
}

void http_respond_error(struct exchange *ex, int status, const char *code, const char *message, const char *field)
{
    response_set_error(ex, status, code, message, field);
    ex->protocol->respond(ex);
}

void http_respond_file(struct exchange *ex, const struct static_mount *mount, struct str path)
{
    ex->protocol->respond_file(ex, mount, path);
}

void http_open_stream(struct exchange *ex, const struct stream_request *request)
{
    ex->protocol->open_stream(ex, request);
}

void http_refuse_stream(struct exchange *ex, const char *reason)
{
    ex->protocol->refuse_stream(ex, reason);
}

void http_inquire(struct exchange *ex)
{
    ex->protocol->inquire(ex);
}
