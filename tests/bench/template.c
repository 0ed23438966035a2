#include "template.h"

#include <inttypes.h>
#include <string.h>

static void append_users(struct buf *out, const struct template_values *v, const char *quote)
{
    for (uint64_t i = 0; i < v->count; i++)
        buf_printf(out, "%s%s%" PRIu64 "%s", i == 0 ? "" : ",", quote, (v->first + i) % v->users, quote);
}

/* Returns false for a name that is none. */
static bool append_value(struct buf *out, const char *name, size_t len, const struct template_values *v)
{
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"user", v->user}, {"index", v->index}, {"first", v->first}, {"count", v->count}, {"users", v->users}};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strlen(numbers[i].name) == len && memcmp(numbers[i].name, name, len) == 0) {
            buf_append_u64(out, numbers[i].value);
            return true;
        }
    }
    if (len == 3 && memcmp(name, "seq", 3) == 0)
        buf_printf(out, "seq=%010" PRIu64, v->seq);
    else if (len == 2 && memcmp(name, "at", 2) == 0)
        buf_printf(out, "at=%020" PRIu64, v->at);
    else if (len == 7 && memcmp(name, "targets", 7) == 0)
        append_users(out, v, "\"");
    else if (len == 8 && memcmp(name, "channels", 8) == 0)
        append_users(out, v, "");
    else if (len == 3 && memcmp(name, "pad", 3) == 0)
        for (uint64_t i = 0; i < v->pad; i++)
            buf_append_char(out, 'x');
    else
        return false;
    return true;
}

void template_append(struct buf *out, const char *text, const struct template_values *v)
{
    for (const char *at = text; *at != '\0';) {
        const char *open = strchr(at, '{');
        const char *close = open == NULL ? NULL : strchr(open, '}');
        size_t plain = open == NULL ? strlen(at) : (size_t)(open - at);
        buf_append(out, at, plain);
        at += plain;
        if (open == NULL)
            continue;
        if (close != NULL && append_value(out, open + 1, (size_t)(close - open - 1), v)) {
            at = close + 1;
        } else {
            buf_append_char(out, '{'); /* JSON's own */
            at++;
        }
    }
}
