#include "support/hub.h"

#include <stdio.h>

#include "support/check.h"
#include "support/events.h"

const struct stream_config test_hub_config = {
    .log = {.max_events = 1 << 20, .max_bytes = 1 << 30, .max_age_ms = 1ull << 40},
    .heartbeat_ms = 30000,
    .retry_min_ms = 1000,
    .retry_max_ms = 5000,
};

void test_hub_open(struct test_hub *t, const struct stream_config *config, uint64_t position)
{
    *t = (struct test_hub){.hub = NULL};
    t->hub = stream_hub_create(config, 0, &t->counters);
    assert_non_null(t->hub);
    stream_hub_begin(t->hub, &test_generation, position);
}

void test_hub_close(struct test_hub *t)
{
    stream_hub_free(t->hub);
}

void test_hub_append(struct test_hub *t, const char *users, uint64_t position)
{
    struct event *ev = make_event_for(users, position);

    stream_hub_deliver(t->hub, &ev, 1);
    event_unref(ev);
}

void test_hub_deliver(struct test_hub *t, const char *users, uint64_t position)
{
    test_hub_append(t, users, position);
    assert_false(stream_hub_flush(t->hub, SIZE_MAX));
}

void test_client_request(struct test_hub *t, struct test_client *c, const struct stream_request *request)
{
    *c = (struct test_client){.hub = t->hub, .read = SSE_CLIENT_EMPTY};
    fake_sink_init(&c->sink);
    c->stream = stream_open(t->hub, request, &c->sink.base, STR_NONE);
    assert_non_null(c->stream);
    (void)stream_hub_flush(t->hub, SIZE_MAX);
    test_client_read(c);
}

void test_client_open(struct test_hub *t, struct test_client *c, const char *user, const char *session,
                      const char *last_event_id)
{
    test_client_request(t, c,
                        &(struct stream_request){.user_id = str_of(user),
                                                 .session_id = str_of(session),
                                                 .last_event_id = str_of(last_event_id)});
}

void test_client_close(struct test_client *c)
{
    if (c->stream != NULL && !c->sink.ended)
        stream_close(c->stream);
    c->stream = NULL;
    fake_sink_free(&c->sink);
    sse_client_free(&c->read);
}

void test_client_drain(struct test_client *c, size_t room)
{
    c->sink.room = room;
    stream_writable(c->stream);
    (void)stream_hub_flush(c->hub, SIZE_MAX);
}

void test_client_read(struct test_client *c)
{
    fake_sink_read(&c->sink, &c->read);
}

void test_client_forget(struct test_client *c)
{
    test_client_read(c);
    sse_client_free(&c->read);
}

static struct str id_of(char out[POSITION_TEXT_MAX], uint64_t position)
{
    return position_text(out, &test_generation, position);
}

void test_client_gets(struct test_client *c, const uint64_t *positions, size_t count, const char *file, int line)
{
    char id[POSITION_TEXT_MAX];

    sse_client_free(&c->read);
    test_client_read(c);
    for (size_t i = 0; i < c->read.count && i < count; i++) {
        check_bytes(buf_str(&c->read.messages[i].name), STR("sync"), file, line);
        check_bytes(buf_str(&c->read.messages[i].id), id_of(id, positions[i]), file, line);
    }
    if (c->read.count != count)
        check_failed(file, line, "%zu messages instead of %zu", c->read.count, count);
}

void test_client_gets_resync(struct test_client *c, const char *reason, uint64_t position, const char *file, int line)
{
    char id[POSITION_TEXT_MAX];
    char data[128];

    id_of(id, position);
    snprintf(data, sizeof data, "{\"reason\":\"%s\",\"position\":\"%s\"}", reason, id);
    sse_client_free(&c->read);
    test_client_read(c);
    test_client_message(c, 0, "resync", id, data, file, line);
    if (c->read.count != 1)
        check_failed(file, line, "%zu messages instead of one", c->read.count);
}

void test_client_message(const struct test_client *c, size_t index, const char *name, const char *id, const char *data,
                         const char *file, int line)
{
    if (index >= c->read.count)
        check_failed(file, line, "there is no message %zu, only %zu", index, c->read.count);
    const struct sse_message *m = &c->read.messages[index];
    check_bytes(buf_str(&m->name), str_of(name), file, line);
    check_bytes(buf_str(&m->id), str_of(id), file, line);
    check_bytes(buf_str(&m->data), str_of(data), file, line);
}
