#include "bus/sse.h"

#include <string.h>

static bool has_any(struct str s, const char *bytes, size_t n)
{
    for (size_t i = 0; i < s.len; i++)
        if (memchr(bytes, s.ptr[i], n) != NULL)
            return true;
    return false;
}

static void append_field(struct buf *out, struct str name, struct str value)
{
    buf_append_str(out, name);
    buf_append(out, ": ", 2);
    buf_append_str(out, value);
    buf_append_char(out, '\n');
}

/* A line ends at CR LF, LF or CR; all three end a data line for the client, so each line needs its own field. */
static void append_data(struct buf *out, struct str data)
{
    size_t from = 0;

    if (data.len > 0 && memchr(data.ptr, '\n', data.len) == NULL && memchr(data.ptr, '\r', data.len) == NULL) {
        append_field(out, STR("data"), data); /* as all JSON of our own */
        return;
    }
    for (size_t i = 0; i < data.len; i++) {
        if (data.ptr[i] != '\n' && data.ptr[i] != '\r')
            continue;
        append_field(out, STR("data"), (struct str){data.ptr + from, i - from});
        if (data.ptr[i] == '\r' && i + 1 < data.len && data.ptr[i + 1] == '\n')
            i++;
        from = i + 1;
    }
    append_field(out, STR("data"), str_from(data, from));
}

bool sse_append_event(struct buf *out, const struct sse_event *event, struct error *e)
{
    size_t before = out->len;

    if (has_any(event->name, "\r\n", 2))
        return error_field(e, "event", "a line break in an event's name");
    if (has_any(event->id, "\r\n\0", 3))
        return error_field(e, "id", "a line break or NUL in an event's id");
    if (event->id.len > 0)
        append_field(out, STR("id"), event->id);
    if (event->name.len > 0)
        append_field(out, STR("event"), event->name);
    append_data(out, event->data);
    buf_append_char(out, '\n');
    if (!out->failed)
        return true;
    out->len = before;
    return error_no_memory(e);
}

void sse_append_retry(struct buf *out, unsigned milliseconds)
{
    buf_printf(out, "retry: %u\n\n", milliseconds);
}

void sse_append_comment(struct buf *out, struct str text)
{
    buf_append(out, ": ", 2);
    buf_append_str(out, text);
    buf_append(out, "\n\n", 2);
}
