/* Request heads: each is fed whole, one byte at a time and in random pieces, and always judged the same. */
#include "http/guard.h"

#include <stdlib.h>

#include "support/check.h"
#include "support/pieces.h"
#include "support/text.h"

static const struct guard_limits limits = {
    .header_bytes = 512, .header_count = 5, .target_bytes = 64, .body_bytes = 1000};

/* The head's own bytes, and what the guard said of them. */
struct judged {
    char *bytes; /* owned, of exactly the size that arrived */
    size_t len;  /* of the head; 0 when it was refused before its end, or never ended */
    struct head_verdict v;
};

static struct judged judge_in(struct pieces p, struct str text)
{
    struct judged j = {.bytes = NULL};
    struct head_scan scan = {0};

    for (size_t have = 0; have < text.len;) {
        have += pieces_next(&p, text.len - have);
        /* A fresh block each time: the guard must keep nothing, and read nothing beyond what came. */
        free(j.bytes);
        j.bytes = text_exact((struct str){text.ptr, have});
        switch (guard_find_head((struct str){j.bytes, have}, &scan, &limits, &j.len, &j.v.refusal)) {
        case HEAD_REFUSED:
            j.len = 0;
            return j;
        case HEAD_COMPLETE:
            guard_check_head((struct str){j.bytes, j.len}, &limits, &j.v);
            return j;
        default:
            j.len = 0;
        }
    }
    j.v.refusal.status = -1; /* it never ended */
    return j;
}

static struct judged judge(struct str text)
{
    return judge_in(pieces_way(0), text);
}

static void free_judged(struct judged *j)
{
    free(j->bytes);
}

static bool is_sound(struct str text)
{
    struct judged j = judge(text);
    bool sound = j.v.sound;

    free_judged(&j);
    return sound;
}

static void check_refusal(struct str text, int status, const char *code)
{
    for (int way = 0; way < PIECES_WAYS; way++) {
        struct judged j = judge_in(pieces_way(way), text);
        assert_that(j.v.refusal.status == status, "way %d: %d (%s) instead of %d: %.*s", way, j.v.refusal.status,
                    j.v.refusal.status > 0 ? j.v.refusal.message : "", status, STR_ARG(text));
        assert_string_equal(j.v.refusal.code, code);
        assert_non_null(j.v.refusal.message);
        free_judged(&j);
    }
}

static void check_accepted(struct str text)
{
    for (int way = 0; way < PIECES_WAYS; way++) {
        struct judged j = judge_in(pieces_way(way), text);
        assert_that(j.v.refusal.status == 0, "way %d: %d (%s): %.*s", way, j.v.refusal.status,
                    j.v.refusal.status > 0 ? j.v.refusal.message : "it never ended", STR_ARG(text));
        assert_int_equal(j.len, text.len);
        free_judged(&j);
    }
}

#define HOST                        "Host: a\r\n"
#define REFUSED(status, code, text) check_refusal(STR(text), status, code)
#define BAD(text)                   REFUSED(400, "bad_request", text)
#define ACCEPTED(text)              check_accepted(STR(text))
/* A request with these fields, a line each with its CR LF, beside its Host. */
#define GET_WITH(fields)  "GET / HTTP/1.1\r\n" HOST fields "\r\n"
#define POST_WITH(fields) "POST / HTTP/1.1\r\n" HOST fields "\r\n"

/* --- what is good --- */

TEST(says_what_a_request_is)
{
    struct judged j = judge(STR("PATCH /a?b=c HTTP/1.1\r\nHost: example.org:80\r\nContent-Length: 12\r\n"
                                "Expect: 100-Continue\r\nX-A:\r\n\r\nbody"));

    assert_int_equal(j.v.refusal.status, 0);
    assert_str(j.v.method, "PATCH");
    assert_str(j.v.target, "/a?b=c");
    assert_str(j.v.authority, "example.org:80");
    assert_false(j.v.http_1_0);
    assert_int_equal(j.v.framing, BODY_LENGTH);
    assert_int_equal(j.v.content_length, 12);
    assert_true(j.v.expect_continue);
    assert_int_equal(j.v.header_count, 4);
    assert_memory_equal(j.bytes + j.len, "body", 4); /* the head ends behind its empty line */
    free_judged(&j);
}

TEST(accepts_each_method_it_implements)
{
    ACCEPTED("GET / HTTP/1.1\r\n" HOST "\r\n");
    ACCEPTED("HEAD / HTTP/1.1\r\n" HOST "\r\n");
    ACCEPTED("POST / HTTP/1.1\r\n" HOST "\r\n");
    ACCEPTED("PUT / HTTP/1.1\r\n" HOST "\r\n");
    ACCEPTED("PATCH / HTTP/1.1\r\n" HOST "\r\n");
    ACCEPTED("DELETE / HTTP/1.1\r\n" HOST "\r\n");
    ACCEPTED("OPTIONS / HTTP/1.1\r\n" HOST "\r\n");
    ACCEPTED("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
}

TEST(accepts_both_versions)
{
    struct judged j = judge(STR("GET / HTTP/1.0\r\n\r\n"));

    assert_int_equal(j.v.refusal.status, 0);
    assert_true(j.v.http_1_0);
    assert_int_equal(j.v.framing, BODY_NONE);
    free_judged(&j);
    ACCEPTED("GET / HTTP/1.0\r\n" HOST "\r\n");
}

TEST(forgives_one_empty_line_before_the_request)
{
    ACCEPTED("\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
    BAD("\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n");
}

TEST(accepts_what_fields_may_look_like)
{
    ACCEPTED(GET_WITH("X-Empty:\r\n"));
    ACCEPTED(GET_WITH("X-Empty: \t \r\n"));
    ACCEPTED(GET_WITH("X-Tabs:\ta\tb\t\r\n"));
    ACCEPTED(GET_WITH("X-Colons: a:b:c\r\n"));
    ACCEPTED(GET_WITH("X-Bytes: \xc3\xa4\xff\r\n"));
    ACCEPTED(GET_WITH("!#$%&'*+-.^_`|~09aZ: every tchar\r\n"));
    ACCEPTED(GET_WITH("Connection: close\r\nUpgrade: h2c\r\n"));
}

TEST(knows_where_the_body_ends)
{
    struct judged length = judge(STR(POST_WITH("Content-Length: 1000\r\n")));
    struct judged zero = judge(STR(POST_WITH("Content-Length: 0\r\n")));
    struct judged chunked = judge(STR(POST_WITH("Transfer-Encoding: chunked\r\n")));

    assert_int_equal(length.v.framing, BODY_LENGTH);
    assert_int_equal(length.v.content_length, 1000);
    assert_int_equal(zero.v.framing, BODY_NONE);
    assert_int_equal(chunked.v.framing, BODY_CHUNKED);
    free_judged(&length);
    free_judged(&zero);
    free_judged(&chunked);
}

static void check_authority(struct str text, const char *expected)
{
    struct judged j = judge(text);

    assert_int_equal(j.v.refusal.status, 0);
    assert_str(j.v.authority, expected);
    free_judged(&j);
}

TEST(an_absolute_target_goes_before_host)
{
    check_authority(STR("GET http://b:81/x HTTP/1.1\r\n" HOST "\r\n"), "b:81");
    check_authority(STR("GET HTTP://b HTTP/1.1\r\n" HOST "\r\n"), "b");
    check_authority(STR("GET http://b?q HTTP/1.1\r\n" HOST "\r\n"), "b");
    check_authority(STR("GET /http://b HTTP/1.1\r\n" HOST "\r\n"), "a");
    check_authority(STR("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n"), "[::1]:8080");
    check_authority(STR("GET / HTTP/1.1\r\nhOsT:a\r\n\r\n"), "a");
}

/* --- lines --- */

TEST(refuses_lines_that_do_not_end_with_cr_lf)
{
    BAD("GET / HTTP/1.1\nHost: a\n\n");
    BAD("\nGET / HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET / HTTP/1.1\r\nHost: a\n\r\n");
    BAD("GET / HTTP/1.1\r\n" HOST "\n");
    BAD("GET / HTTP/1.1\rHost: a\r\n\r\n");
    BAD("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n");
    BAD("GET / HTTP/1.1\r\n" HOST "\rX");
    BAD("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n");
    BAD("\rGET / HTTP/1.1\r\n" HOST "\r\n");
}

TEST(refuses_control_characters_anywhere)
{
    char text[] = "GET /?? HTTP/1.1\r\nHost: a\r\nX: b?c\r\n\r\n";
    size_t places[] = {0, 5, 17, 31};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char before = text[places[i]];
        for (int c = 0; c < 0x20; c++) {
            if (c == '\t' || c == '\n' || c == '\r')
                continue;
            text[places[i]] = (char)c;
            check_refusal((struct str){text, sizeof text - 1}, 400, "bad_request");
        }
        text[places[i]] = 0x7f;
        check_refusal((struct str){text, sizeof text - 1}, 400, "bad_request");
        text[places[i]] = before;
    }
}

/* --- the request line --- */

TEST(refuses_a_malformed_request_line)
{
    BAD("GET /\r\n" HOST "\r\n");
    BAD("GET\r\n" HOST "\r\n");
    BAD("GET  / HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /  HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET / HTTP/1.1 \r\n" HOST "\r\n");
    BAD(" GET / HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET\t/\tHTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /a b HTTP/1.1\r\n" HOST "\r\n");
    BAD("G(T / HTTP/1.1\r\n" HOST "\r\n");
    BAD(": / HTTP/1.1\r\n" HOST "\r\n");
    BAD(" \r\n\r\n");
}

TEST(refuses_methods_it_does_not_implement)
{
    REFUSED(501, "not_implemented", "CONNECT a:80 HTTP/1.1\r\n" HOST "\r\n");
    REFUSED(501, "not_implemented", "TRACE / HTTP/1.1\r\n" HOST "\r\n");
    REFUSED(501, "not_implemented", "get / HTTP/1.1\r\n" HOST "\r\n");
    REFUSED(501, "not_implemented", "GETT / HTTP/1.1\r\n" HOST "\r\n");
    REFUSED(501, "not_implemented", "PRI * HTTP/2.0\r\n\r\n");
    REFUSED(501, "not_implemented", "M-SEARCH / HTTP/1.1\r\n" HOST "\r\n");
}

TEST(refuses_other_versions)
{
    REFUSED(505, "version_not_supported", "GET / HTTP/2.0\r\n" HOST "\r\n");
    REFUSED(505, "version_not_supported", "GET / HTTP/0.9\r\n" HOST "\r\n");
    REFUSED(505, "version_not_supported", "GET / HTTP/1.2\r\n" HOST "\r\n");
    REFUSED(505, "version_not_supported", "GET / HTTP/3.0\r\n" HOST "\r\n");
    BAD("GET / http/1.1\r\n" HOST "\r\n");
    BAD("GET / HTTP/1.10\r\n" HOST "\r\n");
    BAD("GET / HTTP/11.1\r\n" HOST "\r\n");
    BAD("GET / HTTP/1\r\n" HOST "\r\n");
    BAD("GET / HTTP/1,1\r\n" HOST "\r\n");
    BAD("GET / HTTP/a.b\r\n" HOST "\r\n");
    BAD("GET / ICE/1.0\r\n" HOST "\r\n");
    BAD("GET / \r\n" HOST "\r\n");
}

TEST(refuses_targets_of_no_accepted_form)
{
    BAD("GET * HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET ** HTTP/1.1\r\n" HOST "\r\n");
    BAD("OPTIONS */ HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET //evil.example/ HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET a HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET ?q HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET https://a/ HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET ftp://a/ HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET http:/a HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET http:// HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET http:///a HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET http://?q HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET http://user@a/ HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET a:80 HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /a#b HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /# HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /\\a HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /\"a HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /<a> HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /\x80 HTTP/1.1\r\n" HOST "\r\n");
    BAD("GET /\t HTTP/1.1\r\n" HOST "\r\n");
}

/* --- fields --- */

TEST(refuses_malformed_fields)
{
    BAD(GET_WITH(" X: folded\r\n"));
    BAD(GET_WITH("X: a\r\n b\r\n"));
    BAD(GET_WITH("X: a\r\n\tb\r\n"));
    BAD("GET / HTTP/1.1\r\n Host: a\r\n\r\n");
    BAD(GET_WITH("X : a\r\n"));
    BAD(GET_WITH("X\t: a\r\n"));
    BAD(GET_WITH("X Y: a\r\n"));
    BAD(GET_WITH(": a\r\n"));
    BAD(GET_WITH("X\r\n"));
    BAD(GET_WITH("X=a\r\n"));
    BAD(GET_WITH("X(: a\r\n"));
    BAD(GET_WITH("X\xc3\xa4: a\r\n"));
    BAD(GET_WITH("\"X\": a\r\n"));
}

TEST(refuses_a_missing_second_or_malformed_host)
{
    BAD("GET / HTTP/1.1\r\n\r\n");
    BAD("GET http://a/ HTTP/1.1\r\n\r\n");
    BAD("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    BAD("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n");
    BAD("GET / HTTP/1.1\r\nHost:\r\n\r\n");
    BAD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    BAD("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n");
    BAD("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n");
    BAD("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n");
    BAD("GET / HTTP/1.1\r\nHost: a\"\r\n\r\n");
}

TEST(refuses_lengths_that_are_no_plain_number)
{
    BAD(POST_WITH("Content-Length:\r\n"));
    BAD(POST_WITH("Content-Length: +5\r\n"));
    BAD(POST_WITH("Content-Length: -5\r\n"));
    BAD(POST_WITH("Content-Length: 5 5\r\n"));
    BAD(POST_WITH("Content-Length: 5,5\r\n"));
    BAD(POST_WITH("Content-Length: 5, 5\r\n"));
    BAD(POST_WITH("Content-Length: 0x5\r\n"));
    BAD(POST_WITH("Content-Length: 5.0\r\n"));
    BAD(POST_WITH("Content-Length: 1e3\r\n"));
    BAD(POST_WITH("Content-Length: \xd9\xa5\r\n"));
    BAD(POST_WITH("Content-Length: 5\r\nContent-Length: 5\r\n"));
    BAD(POST_WITH("Content-Length: 5\r\ncontent-length: 6\r\n"));
}

TEST(refuses_bodies_over_the_limit)
{
    ACCEPTED(POST_WITH("Content-Length: 1000\r\n"));
    ACCEPTED(POST_WITH("Content-Length: 00000000000000001000\r\n"));
    REFUSED(413, "body_too_large", POST_WITH("Content-Length: 1001\r\n"));
    REFUSED(413, "body_too_large", POST_WITH("Content-Length: 18446744073709551615\r\n"));
    REFUSED(413, "body_too_large", POST_WITH("Content-Length: 18446744073709551616\r\n"));
    REFUSED(413, "body_too_large", POST_WITH("Content-Length: 99999999999999999999999999999999\r\n"));
}

/* Who asks is told so by name, where it can be known; a head that is bad in any other way is not read. */
TEST(a_body_over_the_limit_leaves_a_head_to_be_judged)
{
    assert_true(is_sound(STR(POST_WITH("Content-Length: 1001\r\n"))));
    assert_true(is_sound(STR(POST_WITH("Content-Length: 9223372036854775807\r\n"))));
    assert_false(is_sound(STR(POST_WITH("Content-Length: 9223372036854775808\r\n"))));
    assert_true(is_sound(STR(POST_WITH("Content-Length: 1000\r\n"))));
    BAD(POST_WITH("Content-Length: 1001\r\n" HOST));
    BAD(POST_WITH("Content-Length: 1001\r\nTransfer-Encoding: chunked\r\n"));
    BAD("POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n");
    REFUSED(417, "expectation_failed", POST_WITH("Content-Length: 1001\r\nExpect: tea\r\n"));
}

TEST(refuses_every_coding_but_chunked)
{
    REFUSED(501, "not_implemented", POST_WITH("Transfer-Encoding: gzip\r\n"));
    REFUSED(501, "not_implemented", POST_WITH("Transfer-Encoding: gzip, chunked\r\n"));
    REFUSED(501, "not_implemented", POST_WITH("Transfer-Encoding: chunked, chunked\r\n"));
    REFUSED(501, "not_implemented", POST_WITH("Transfer-Encoding: chunked;q=1\r\n"));
    REFUSED(501, "not_implemented", POST_WITH("Transfer-Encoding: identity\r\n"));
    REFUSED(501, "not_implemented", POST_WITH("Transfer-Encoding: Chunked\r\n"));
    REFUSED(501, "not_implemented", POST_WITH("Transfer-Encoding: xchunked\r\n"));
    REFUSED(501, "not_implemented", POST_WITH("Transfer-Encoding:\r\n"));
    BAD(POST_WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"));
    BAD("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(refuses_contradictions_about_the_body)
{
    BAD(POST_WITH("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"));
    BAD(POST_WITH("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"));
    BAD(POST_WITH("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n"));
    BAD(POST_WITH("Content-Length : 5\r\nTransfer-Encoding: chunked\r\n"));
}

TEST(refuses_a_body_without_a_length)
{
    REFUSED(411, "length_required", "POST / HTTP/1.0\r\n\r\n");
    REFUSED(411, "length_required", "PUT / HTTP/1.0\r\nContent-Type: a/b\r\n\r\n");
    REFUSED(411, "length_required", POST_WITH("Content-Type: application/json\r\n"));
    REFUSED(411, "length_required", "PATCH / HTTP/1.1\r\n" HOST "content-type: a/b\r\n\r\n");
    ACCEPTED("POST / HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
    ACCEPTED(GET_WITH("Content-Type: application/json\r\n"));
    ACCEPTED(POST_WITH("Content-Type: application/json\r\nContent-Length: 0\r\n"));
}

TEST(refuses_other_expectations_and_codings_of_content)
{
    REFUSED(417, "expectation_failed", POST_WITH("Expect: 200-ok\r\nContent-Length: 1\r\n"));
    REFUSED(417, "expectation_failed", GET_WITH("Expect:\r\n"));
    REFUSED(415, "unsupported_content_encoding", POST_WITH("Content-Encoding: gzip\r\nContent-Length: 1\r\n"));
    REFUSED(415, "unsupported_content_encoding",
            POST_WITH("Content-Encoding: identity, gzip\r\nContent-Length: 1\r\n"));
    ACCEPTED(POST_WITH("Content-Encoding: Identity\r\nContent-Length: 1\r\n"));
}

TEST(ignores_expect_in_http_1_0)
{
    struct judged j = judge(STR("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));

    assert_int_equal(j.v.refusal.status, 0);
    assert_false(j.v.expect_continue);
    free_judged(&j);
}

/* --- limits --- */

TEST(limits_the_target)
{
    struct buf text = BUF_EMPTY;

    check_accepted(text_repeat(&text, "GET /", 63, "a", " HTTP/1.1\r\n" HOST "\r\n"));
    check_refusal(text_repeat(&text, "GET /", 64, "a", " HTTP/1.1\r\n" HOST "\r\n"), 414, "target_too_long");
    check_refusal(text_repeat(&text, "GET /", 200, "a", " HTTP/1.1\r\n" HOST "\r\n"), 414, "target_too_long");
    /* It need not end to be too long. */
    check_refusal(text_repeat(&text, "GET /", 200, "a", ""), 414, "target_too_long");
    buf_free(&text);
}

TEST(limits_the_head)
{
    struct buf text = BUF_EMPTY;
    size_t rest = sizeof("GET / HTTP/1.1\r\n" HOST "X: \r\n\r\n") - 1;

    check_accepted(text_repeat(&text, "GET / HTTP/1.1\r\n" HOST "X: ", 512 - rest, "a", "\r\n\r\n"));
    check_refusal(text_repeat(&text, "GET / HTTP/1.1\r\n" HOST "X: ", 513 - rest, "a", "\r\n\r\n"), 431,
                  "headers_too_large");
    check_refusal(text_repeat(&text, "GET / HTTP/1.1\r\n" HOST "X: ", 800, "a", ""), 431, "headers_too_large");
    buf_free(&text);
}

TEST(limits_the_number_of_fields)
{
    ACCEPTED(GET_WITH("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n"));
    REFUSED(431, "too_many_headers", GET_WITH("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\n"));
    REFUSED(431, "too_many_headers", GET_WITH("A: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\nA: 1\r\n"));
}

/* Two faults in one head: which one is named must not depend on how the network cut it. */
static void check_one_verdict(struct str text)
{
    struct judged whole = judge(text);

    for (int way = 1; way < PIECES_WAYS; way++) {
        struct judged j = judge_in(pieces_way(way), text);
        assert_that(j.v.refusal.status == whole.v.refusal.status, "whole %d (%s), in pieces %d (%s)",
                    whole.v.refusal.status, whole.v.refusal.message, j.v.refusal.status, j.v.refusal.message);
        free_judged(&j);
    }
    free_judged(&whole);
}

TEST(a_target_over_both_limits_has_one_verdict)
{
    struct buf text = BUF_EMPTY;

    check_one_verdict(text_repeat(&text, "GET /", 600, "a", " HTTP/1.1\r\n" HOST "\r\n"));
    buf_free(&text);
}

TEST(a_long_method_has_one_verdict)
{
    struct buf text = BUF_EMPTY;

    check_one_verdict(text_repeat(&text, "", 200, "a", " / HTTP/1.1\r\n" HOST "\r\n"));
    buf_free(&text);
}

TEST(a_head_that_is_malformed_behind_its_limit_has_one_verdict)
{
    struct buf text = BUF_EMPTY;

    check_one_verdict(text_repeat(&text, "GET / HTTP/1.1\r\nHost: a\r\nX: ", 600, "a", "\n\r\n"));
    check_one_verdict(STR(GET_WITH("A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\n")));
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_a_request_is),
        cmocka_unit_test(accepts_each_method_it_implements),
        cmocka_unit_test(accepts_both_versions),
        cmocka_unit_test(forgives_one_empty_line_before_the_request),
        cmocka_unit_test(accepts_what_fields_may_look_like),
        cmocka_unit_test(knows_where_the_body_ends),
        cmocka_unit_test(an_absolute_target_goes_before_host),
        cmocka_unit_test(refuses_lines_that_do_not_end_with_cr_lf),
        cmocka_unit_test(refuses_control_characters_anywhere),
        cmocka_unit_test(refuses_a_malformed_request_line),
        cmocka_unit_test(refuses_methods_it_does_not_implement),
        cmocka_unit_test(refuses_other_versions),
        cmocka_unit_test(refuses_targets_of_no_accepted_form),
        cmocka_unit_test(refuses_malformed_fields),
        cmocka_unit_test(refuses_a_missing_second_or_malformed_host),
        cmocka_unit_test(refuses_lengths_that_are_no_plain_number),
        cmocka_unit_test(refuses_bodies_over_the_limit),
        cmocka_unit_test(a_body_over_the_limit_leaves_a_head_to_be_judged),
        cmocka_unit_test(refuses_every_coding_but_chunked),
        cmocka_unit_test(refuses_contradictions_about_the_body),
        cmocka_unit_test(refuses_a_body_without_a_length),
        cmocka_unit_test(refuses_other_expectations_and_codings_of_content),
        cmocka_unit_test(ignores_expect_in_http_1_0),
        cmocka_unit_test(limits_the_target),
        cmocka_unit_test(limits_the_head),
        cmocka_unit_test(limits_the_number_of_fields),
        cmocka_unit_test(a_target_over_both_limits_has_one_verdict),
        cmocka_unit_test(a_long_method_has_one_verdict),
        cmocka_unit_test(a_head_that_is_malformed_behind_its_limit_has_one_verdict),
    };

    return RUN_TESTS(tests);
}
