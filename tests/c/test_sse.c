#include "bus/sse.h"

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"
#include "support/sse_client.h"

static void encodes(struct sse_event event, const char *expected)
{
    struct buf out = BUF_EMPTY;

    assert_true(sse_append_event(&out, &event, NULL));
    assert_str(buf_str(&out), expected);
    buf_free(&out);
}

TEST(an_event_has_its_fields_and_a_blank_line)
{
    encodes((struct sse_event){STR("7"), STR("sync"), STR("{}")}, "id: 7\nevent: sync\ndata: {}\n\n");
    encodes((struct sse_event){STR_NONE, STR("sync"), STR("{}")}, "event: sync\ndata: {}\n\n");
    encodes((struct sse_event){STR("7"), STR_NONE, STR("x")}, "id: 7\ndata: x\n\n");
}

TEST(each_line_of_data_is_a_field)
{
    encodes((struct sse_event){.data = STR("a\nb")}, "data: a\ndata: b\n\n");
    encodes((struct sse_event){.data = STR("a\rb")}, "data: a\ndata: b\n\n");
    encodes((struct sse_event){.data = STR("a\r\nb")}, "data: a\ndata: b\n\n");
    encodes((struct sse_event){.data = STR("a\n\rb")}, "data: a\ndata: \ndata: b\n\n");
    encodes((struct sse_event){.data = STR("a\r\rb")}, "data: a\ndata: \ndata: b\n\n");
    encodes((struct sse_event){.data = STR("\n")}, "data: \ndata: \n\n");
    encodes((struct sse_event){.data = STR("a\r")}, "data: a\ndata: \n\n");
    encodes((struct sse_event){.data = STR("a\r\n")}, "data: a\ndata: \n\n");
}

TEST(empty_data_is_still_an_event)
{
    encodes((struct sse_event){.data = STR("")}, "data: \n\n");
}

TEST(absent_data_counts_as_empty)
{
    encodes((struct sse_event){.data = STR_NONE}, "data: \n\n");
}

TEST(a_leading_space_of_the_data_survives)
{
    struct buf out = BUF_EMPTY;
    struct sse_client client = SSE_CLIENT_EMPTY;

    assert_true(sse_append_event(&out, &(struct sse_event){.data = STR("  a: b")}, NULL));
    sse_client_read(&client, buf_str(&out));
    assert_int_equal(client.count, 1);
    assert_str(buf_str(&client.messages[0].data), "  a: b");
    sse_client_free(&client);
    buf_free(&out);
}

static void refuses(struct sse_event event, const char *field)
{
    struct buf out = BUF_EMPTY;
    struct error e = {0};

    buf_append_str(&out, STR("before"));
    assert_false(sse_append_event(&out, &event, &e));
    assert_error(&e, "invalid_field", field);
    assert_str(buf_str(&out), "before");
    assert_false(out.failed);
    buf_free(&out);
}

TEST(names_and_ids_cannot_break_out_of_their_line)
{
    refuses((struct sse_event){STR("1"), STR("a\nb"), STR("")}, "event");
    refuses((struct sse_event){STR("1"), STR("a\r"), STR("")}, "event");
    refuses((struct sse_event){STR("1"), STR("\r\ndata: forged"), STR("")}, "event");
    refuses((struct sse_event){STR("1\n"), STR("a"), STR("")}, "id");
    refuses((struct sse_event){STR("\r1"), STR("a"), STR("")}, "id");
    refuses((struct sse_event){STR("1\0"), STR("a"), STR("")}, "id"); /* a client would ignore the whole field */
}

TEST(the_reconnection_time_is_a_field_of_its_own)
{
    struct buf out = BUF_EMPTY;

    sse_append_retry(&out, 2500);
    sse_append_retry(&out, 0);
    assert_str(buf_str(&out), "retry: 2500\n\nretry: 0\n\n");
    buf_free(&out);
}

TEST(comments_are_no_events)
{
    struct buf out = BUF_EMPTY;
    struct sse_client client = SSE_CLIENT_EMPTY;

    sse_append_comment(&out, STR("data: no"));
    sse_append_comment(&out, STR(""));
    sse_client_read(&client, buf_str(&out));
    assert_int_equal(client.count, 0);
    assert_int_equal(client.comments, 2);
    sse_client_free(&client);
    buf_free(&out);
}

/* For a client, a line ends at CR, LF or CR LF, and it joins lines by LF. */
static struct str with_lf(char *out, struct str data)
{
    size_t n = 0;

    for (size_t i = 0; i < data.len; i++) {
        if (data.ptr[i] == '\r' && i + 1 < data.len && data.ptr[i + 1] == '\n')
            continue;
        out[n++] = data.ptr[i] == '\r' ? '\n' : data.ptr[i];
    }
    return (struct str){out, n};
}

static void random_data(struct dice *d)
{
    for (int round = 0; round < 200; round++) {
        char data[40];
        char expected[40];
        struct buf out = BUF_EMPTY;
        struct sse_client client = SSE_CLIENT_EMPTY;
        for (size_t i = 0; i < sizeof data; i++)
            data[i] = "\r\n: d\0x"[dice_roll(d, 8)];
        struct str sent = {data, dice_roll(d, sizeof data + 1)};
        assert_true(sse_append_event(&out, &(struct sse_event){STR("1"), STR("n"), sent}, NULL));
        assert_true(sse_append_event(&out, &(struct sse_event){STR("2"), STR("n"), STR("next")}, NULL));
        sse_client_read(&client, buf_str(&out));
        assert_int_equal(client.count, 2);
        assert_bytes(buf_str(&client.messages[0].data), with_lf(expected, sent));
        assert_str(buf_str(&client.messages[1].data), "next");
        assert_str(buf_str(&client.last_id), "2");
        sse_client_free(&client);
        buf_free(&out);
    }
}

TEST(whatever_the_data_a_client_reads_it_back)
{
    dice_for_each_seed(random_data);
}

TEST(a_failed_buffer_is_reported)
{
    struct buf out = BUF_EMPTY;
    struct error e = {0};

    alloc_permit(0);
    bool ok = sse_append_event(&out, &(struct sse_event){STR("1"), STR("n"), STR("data")}, &e);
    assert_true(alloc_permit_all());
    assert_false(ok);
    assert_error(&e, "out_of_memory", "");
    buf_free(&out);
}

TEST(short_of_memory_nothing_is_appended)
{
    struct buf out = BUF_EMPTY;

    /* Room for a part of the event, and no more. */
    assert_true(buf_reserve(&out, 64));
    buf_append_str(&out, STR("before"));
    char data[500];
    memset(data, 'x', sizeof data);
    alloc_permit(0);
    bool ok = sse_append_event(&out, &(struct sse_event){STR("1"), STR("n"), {data, sizeof data}}, NULL);
    assert_true(alloc_permit_all());
    assert_false(ok);
    assert_str(buf_str(&out), "before");
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_has_its_fields_and_a_blank_line),
        cmocka_unit_test(each_line_of_data_is_a_field),
        cmocka_unit_test(empty_data_is_still_an_event),
        cmocka_unit_test(a_leading_space_of_the_data_survives),
        cmocka_unit_test(names_and_ids_cannot_break_out_of_their_line),
        cmocka_unit_test(the_reconnection_time_is_a_field_of_its_own),
        cmocka_unit_test(comments_are_no_events),
        cmocka_unit_test(whatever_the_data_a_client_reads_it_back),
        cmocka_unit_test(a_failed_buffer_is_reported),
        cmocka_unit_test(short_of_memory_nothing_is_appended),
        cmocka_unit_test(absent_data_counts_as_empty),
    };

    return RUN_TESTS(tests);
}
