/* What http-parser makes of what the guard let through. */
#include "http/parse.h"

#include <stdio.h>

#include "support/alloc.h"
#include "support/check.h"
#include "support/pieces.h"
#include "support/text.h"

static const struct guard_limits limits = {
    .header_bytes = 4096, .header_count = 20, .target_bytes = 1024, .body_bytes = 100000};

/* A message, from its bytes on. */
struct message {
    char bytes[4096]; /* the exchange's strs point into it */
    struct head_verdict verdict;
    struct parse parse;
    struct exchange ex;
    struct refusal why;
    bool ok;
    size_t head_len;
};

static void read_head(struct message *m, const char *text)
{
    struct head_scan scan = {0};
    size_t len = strlen(text);

    *m = (struct message){.ok = false};
    memcpy(m->bytes, text, len);
    assert_int_equal(guard_find_head((struct str){m->bytes, len}, &scan, &limits, &m->head_len, &m->why),
                     HEAD_COMPLETE);
    guard_check_head((struct str){m->bytes, m->head_len}, &limits, &m->verdict);
    assert_that(m->verdict.refusal.status == 0, "the guard refused: %s: %s", m->verdict.refusal.message, text);
    m->ok = parse_head(&m->parse, &m->ex, (struct str){m->bytes, m->head_len}, &m->verdict, &m->why);
}

static void done(struct message *m)
{
    parse_end(&m->parse);
    arena_free(&m->ex.arena);
}

static void accepts_head(struct message *m, const char *text)
{
    read_head(m, text);
    assert_that(m->ok, "%s: %s", m->why.message, text);
}

static struct str header(const struct message *m, const char *name)
{
    return pairs_get(&m->ex.request.headers, str_of(name));
}

TEST(fills_a_request)
{
    struct message m;

    accepts_head(&m, "GET /a/%62?c=d HTTP/1.1\r\nHost: example.org\r\nX-Session-ID:  s1 \t\r\naccept: */*\r\n\r\n");
    assert_int_equal(m.ex.request.method, METHOD_GET);
    assert_str(m.ex.request.target, "/a/%62?c=d");
    assert_str(m.ex.request.path, "/a/b");
    assert_int_equal(m.ex.request.segment_count, 2);
    assert_str(pairs_get(&m.ex.request.query, STR("c")), "d");
    assert_int_equal(m.ex.request.headers.count, 3);
    assert_str(header(&m, "host"), "example.org");
    assert_str(header(&m, "x-session-id"), "s1");
    assert_str(header(&m, "accept"), "*/*");
    assert_true(m.parse.complete);
    assert_true(m.parse.keep_alive);
    done(&m);
}

TEST(knows_each_method)
{
    for (int i = 0; i < METHOD_COUNT; i++) {
        char text[100];
        struct message m;
        snprintf(text, sizeof text, "%s / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", method_names[i].ptr);
        accepts_head(&m, text);
        assert_int_equal(m.ex.request.method, i);
        assert_false(m.parse.complete);
        done(&m);
    }
}

TEST(keeps_headers_apart)
{
    struct message m;

    accepts_head(&m, "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Blank: \t \r\nX-A: 1\r\nX-A: 2\r\nX-Bytes: "
                     "\xc3\xa4\xff\r\n\r\n");
    assert_int_equal(m.ex.request.headers.count, 6);
    assert_non_null(header(&m, "x-empty").ptr);
    assert_str(header(&m, "x-empty"), "");
    assert_str(header(&m, "x-blank"), "");
    assert_str(header(&m, "x-a"), "1");
    assert_str(m.ex.request.headers.at[4].value, "2");
    assert_str(header(&m, "x-bytes"), "\xc3\xa4\xff");
    done(&m);
}

TEST(agrees_with_the_guard_on_every_form_of_target)
{
    static const char *const heads[] = {
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a:80/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET HTTP://a HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://[::1]:80/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a//b/;c=d,e!$&'()*+@:%7e HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /{a}|^`?{b}|^` HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a??b?c=/?&&= HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\n!#$%&'*+-.^_`|~0: x\r\nHost: a\r\n\r\n",
    };

    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct message m;
        accepts_head(&m, heads[i]);
        assert_true(m.parse.complete);
        done(&m);
    }
}

static bool keeps_alive(const char *text)
{
    struct message m;

    accepts_head(&m, text);
    bool keep = m.parse.keep_alive;
    done(&m);
    return keep;
}

TEST(knows_whether_the_connection_goes_on)
{
    assert_true(keeps_alive("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_false(keeps_alive("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    assert_false(keeps_alive("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n"));
    assert_false(keeps_alive("GET / HTTP/1.0\r\nHost: a\r\n\r\n"));
    assert_true(keeps_alive("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n"));
    assert_true(keeps_alive("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"));
}

TEST(an_upgrade_that_nobody_offers_is_an_ordinary_request)
{
    struct message m;

    accepts_head(&m, "POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: "
                     "websocket\r\nContent-Length: 3\r\n\r\n");
    assert_true(parse_body(&m.parse, STR("abc"), &m.why));
    assert_true(m.parse.complete);
    assert_str(buf_str(&m.parse.body), "abc");
    done(&m);
}

/* Feeds a body in pieces; each must be taken. */
static void feed(struct message *m, struct pieces p, struct str body)
{
    while (body.len > 0) {
        size_t len = pieces_next(&p, body.len);
        assert_false(m->parse.complete);
        assert_that(parse_body(&m->parse, (struct str){body.ptr, len}, &m->why), "%s", m->why.message);
        body = str_from(body, len);
    }
}

static void check_body(const char *head, struct str sent, struct str expected)
{
    for (int way = 0; way < PIECES_WAYS; way++) {
        struct message m;
        accepts_head(&m, head);
        assert_false(m.parse.complete);
        feed(&m, pieces_way(way), sent);
        assert_true(m.parse.complete);
        assert_bytes(buf_str(&m.parse.body), expected);
        done(&m);
    }
}

TEST(reads_a_body_by_its_length)
{
    static const char head[] = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n";

    check_body(head, STR("0123456789"), STR("0123456789"));
    check_body(head,
               STR("\r\n\0\r\n\xff"
                   "GET "),
               STR("\r\n\0\r\n\xff"
                   "GET "));
}

TEST(reads_a_chunked_body)
{
    static const char head[] = "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    check_body(head, STR("0\r\n\r\n"), STR(""));
    check_body(head, STR("5\r\nhello\r\n1\r\n \r\n005\r\nworld\r\n0\r\n\r\n"), STR("hello world"));
    check_body(head, STR("7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n"), STR("0\r\n\r\n\r\n"));
    check_body(head, STR("1;ext=\"a b\"\r\na\r\n0;x\r\n\r\n"), STR("a"));
}

TEST(drops_trailers)
{
    struct message m;

    accepts_head(&m, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_true(parse_body(&m.parse, STR("1\r\na\r\n0\r\nX-User: root\r\nHost: evil\r\n\r\n"), &m.why));
    assert_true(m.parse.complete);
    assert_int_equal(m.ex.request.headers.count, 2);
    assert_str(header(&m, "host"), "a");
    assert_null(header(&m, "x-user").ptr);
    done(&m);
}

TEST(refuses_what_the_guard_would_have_refused)
{
    struct message m;

    accepts_head(&m, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_false(parse_body(&m.parse, STR("xyz\r\n"), &m.why));
    assert_int_equal(m.why.status, 400);
    done(&m);
}

TEST(refuses_a_malformed_target)
{
    struct message m;

    read_head(&m, "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_false(m.ok);
    assert_int_equal(m.why.status, 400);
    done(&m);
    read_head(&m, "GET /../a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_false(m.ok);
    done(&m);
}

/* http-parser has a limit of its own, for the whole process, which must not be in the way. */
TEST(reads_a_head_as_large_as_the_guard_allows)
{
    struct guard_limits large = {.header_bytes = 200000, .header_count = 20, .target_bytes = 100};
    struct buf text = BUF_EMPTY;
    static struct message m;

    struct str whole = text_repeat(&text, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 150000, "a", "\r\n\r\n");
    guard_check_head(whole, &large, &m.verdict);
    assert_int_equal(m.verdict.refusal.status, 0);
    assert_true(parse_head(&m.parse, &m.ex, whole, &m.verdict, &m.why));
    assert_int_equal(header(&m, "x").len, 150000);
    done(&m);
    buf_free(&text);
}

TEST(says_so_when_memory_is_short)
{
    bool all = false;

    for (size_t permitted = 0; !all; permitted++) {
        struct message m;
        alloc_permit(permitted);
        read_head(&m, "POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 300\r\n\r\n");
        char body[300] = "x";
        bool ok = m.ok && parse_body(&m.parse, (struct str){body, sizeof body}, &m.why);
        all = !alloc_permit_all();
        assert_int_equal(ok, all);
        if (!ok)
            assert_true(m.why.status == 500 || m.why.status == 503);
        done(&m);
    }
}

static int setup(void **state)
{
    (void)state;
    parse_setup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fills_a_request),
        cmocka_unit_test(knows_each_method),
        cmocka_unit_test(keeps_headers_apart),
        cmocka_unit_test(agrees_with_the_guard_on_every_form_of_target),
        cmocka_unit_test(knows_whether_the_connection_goes_on),
        cmocka_unit_test(an_upgrade_that_nobody_offers_is_an_ordinary_request),
        cmocka_unit_test(reads_a_body_by_its_length),
        cmocka_unit_test(reads_a_chunked_body),
        cmocka_unit_test(drops_trailers),
        cmocka_unit_test(refuses_what_the_guard_would_have_refused),
        cmocka_unit_test(refuses_a_malformed_target),
        cmocka_unit_test(reads_a_head_as_large_as_the_guard_allows),
        cmocka_unit_test(says_so_when_memory_is_short),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
