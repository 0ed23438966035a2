#include "support/fake_sink.h"

#include "support/check.h"

static size_t take(struct sink *base, const struct frame *frames, size_t count, bool *full)
{
    struct fake_sink *sink = (struct fake_sink *)(void *)base;
    size_t taken = count < sink->room ? count : sink->room;

    assert_false(sink->ended);
    assert_true(count > 0);
    sink->sends++;
    for (size_t i = 0; i < taken; i++)
        buf_append_str(&sink->bytes, frames[i].bytes);
    sink->frames += taken;
    if (count > sink->most)
        sink->most = count;
    if (sink->room != SIZE_MAX)
        sink->room -= taken;
    *full = sink->room == 0;
    return taken;
}

static void end(struct sink *base)
{
    struct fake_sink *sink = (struct fake_sink *)(void *)base;

    assert_false(sink->ended);
    sink->ended = true;
}

void fake_sink_init(struct fake_sink *sink)
{
    static const struct sink_ops ops = {take, end};

    *sink = (struct fake_sink){.base = {&ops}, .room = SIZE_MAX};
}

void fake_sink_read(struct fake_sink *sink, struct sse_client *client)
{
    sse_client_read(client, buf_str(&sink->bytes));
    fake_sink_forget(sink);
}

void fake_sink_forget(struct fake_sink *sink)
{
    sink->bytes.len = 0;
}

void fake_sink_free(struct fake_sink *sink)
{
    buf_free(&sink->bytes);
}
