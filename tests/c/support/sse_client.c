#include "support/sse_client.h"

#include <stdlib.h>

#include "support/check.h"

static void set(struct buf *b, struct str value)
{
    b->len = 0;
    buf_append_str(b, value);
}

static void on_field(struct sse_client *c, struct sse_message *m, struct str name, struct str value)
{
    if (str_eq(name, STR("event"))) {
        set(&m->name, value);
    } else if (str_eq(name, STR("data"))) {
        buf_append_str(&m->data, value);
        buf_append_char(&m->data, '\n');
    } else if (str_eq(name, STR("id"))) {
        if (value.len == 0 || memchr(value.ptr, '\0', value.len) == NULL)
            set(&c->last_id, value);
    } else if (str_eq(name, STR("retry"))) {
        unsigned long long ms;
        assert_true(str_to_u64(value, &ms));
        c->retry_ms = ms;
        c->retries++;
    } else {
        check_failed(__FILE__, __LINE__, "a field that nobody knows: %.*s", STR_ARG(name));
    }
}

static void on_line(struct sse_client *c, struct sse_message *m, struct str line)
{
    struct str name;

    if (line.ptr[0] == ':') {
        c->comments++;
        return;
    }
    (void)str_split(&line, ':', &name);
    if (line.len > 0 && line.ptr[0] == ' ')
        line = str_from(line, 1);
    on_field(c, m, name, line);
}

static void free_message(struct sse_message *m)
{
    buf_free(&m->id);
    buf_free(&m->name);
    buf_free(&m->data);
}

/* A blank line: the message counts if it has data. */
static void dispatch(struct sse_client *c, struct sse_message *m)
{
    if (m->data.len == 0) {
        free_message(m);
    } else {
        m->data.len--;
        buf_append_str(&m->id, buf_str(&c->last_id));
        c->messages = realloc(c->messages, (c->count + 1) * sizeof *c->messages);
        assert_non_null(c->messages);
        c->messages[c->count++] = *m;
    }
    *m = (struct sse_message){BUF_EMPTY, BUF_EMPTY, BUF_EMPTY};
}

void sse_client_read(struct sse_client *c, struct str bytes)
{
    struct sse_message m = {BUF_EMPTY, BUF_EMPTY, BUF_EMPTY};
    size_t from = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] != '\n' && bytes.ptr[i] != '\r')
            continue;
        if (i == from)
            dispatch(c, &m);
        else
            on_line(c, &m, (struct str){bytes.ptr + from, i - from});
        if (bytes.ptr[i] == '\r' && i + 1 < bytes.len && bytes.ptr[i + 1] == '\n')
            i++;
        from = i + 1;
    }
    free_message(&m);
}

void sse_client_free(struct sse_client *c)
{
    for (size_t i = 0; i < c->count; i++)
        free_message(&c->messages[i]);
    free(c->messages);
    buf_free(&c->last_id);
    *c = SSE_CLIENT_EMPTY;
}
