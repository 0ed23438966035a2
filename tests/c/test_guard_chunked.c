/* Chunked bodies: each is fed whole, one byte at a time and in random pieces, and always judged the same. */
#include "http/guard.h"

#include <stdlib.h>

#include "support/check.h"
#include "support/pieces.h"
#include "support/text.h"

static const struct guard_limits limits = {
    .header_bytes = 512, .header_count = 3, .target_bytes = 64, .body_bytes = 1000};

struct outcome {
    enum chunk_progress progress;
    size_t used; /* all that was said to belong to the body */
    struct refusal why;
};

static struct outcome follow(struct pieces p, struct str text)
{
    struct chunk_guard g = {0};
    struct outcome o = {CHUNK_MORE, 0, {0}};

    for (size_t at = 0; at < text.len && o.progress == CHUNK_MORE;) {
        size_t len = pieces_next(&p, text.len - at);
        size_t used = 0;
        char *piece = text_exact((struct str){text.ptr + at, len});
        o.progress = guard_chunked(&g, &limits, (struct str){piece, len}, &used, &o.why);
        free(piece);
        if (o.progress == CHUNK_MORE)
            assert_int_equal(used, len);
        at += len;
        o.used += used;
    }
    return o;
}

/* `text` is a body, and `behind` of its bytes belong to what comes after it. */
static void check_ends(struct str text, size_t behind)
{
    for (int way = 0; way < PIECES_WAYS; way++) {
        struct outcome o = follow(pieces_way(way), text);
        assert_that(o.progress == CHUNK_END, "way %d: %s: %.*s", way,
                    o.progress == CHUNK_MORE ? "it did not end" : o.why.message, STR_ARG(text));
        assert_int_equal(o.used, text.len - behind);
    }
}

static void check_goes_on(struct str text)
{
    for (int way = 0; way < PIECES_WAYS; way++) {
        struct outcome o = follow(pieces_way(way), text);
        assert_that(o.progress == CHUNK_MORE, "way %d: %s: %.*s", way,
                    o.progress == CHUNK_END ? "it ended" : o.why.message, STR_ARG(text));
    }
}

static void check_refused(struct str text, int status, const char *code)
{
    for (int way = 0; way < PIECES_WAYS; way++) {
        struct outcome o = follow(pieces_way(way), text);
        assert_that(o.progress == CHUNK_REFUSED, "way %d: accepted: %.*s", way, STR_ARG(text));
        assert_that(o.why.status == status, "way %d: %d (%s) instead of %d: %.*s", way, o.why.status, o.why.message,
                    status, STR_ARG(text));
        assert_string_equal(o.why.code, code);
    }
}

#define ENDS(text)    check_ends(STR(text), 0)
#define GOES_ON(text) check_goes_on(STR(text))
#define BAD(text)     check_refused(STR(text), 400, "bad_request")

TEST(follows_chunks_to_the_last)
{
    ENDS("0\r\n\r\n");
    ENDS("5\r\nhello\r\n0\r\n\r\n");
    ENDS("1\r\na\r\nA\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n");
    ENDS("000\r\n\r\n");
    ENDS("0005\r\nhello\r\n00\r\n\r\n");
}

TEST(data_is_not_framing)
{
    ENDS("7\r\n0\r\n\r\n\n\r\r\n0\r\n\r\n");
    ENDS("3\r\n\0\r\n\r\n0\r\n\r\n");
    ENDS("2\r\n\xff\x80\r\n0\r\n\r\n");
}

TEST(stops_behind_the_body)
{
    check_ends(STR("0\r\n\r\nGET / HTTP/1.1\r\n"), 16);
    check_ends(STR("1\r\na\r\n0\r\n\r\n0\r\n\r\n"), 5);
    check_ends(STR("0\r\nX: y\r\n\r\n\r\n"), 2);
}

TEST(waits_for_what_is_missing)
{
    GOES_ON("5");
    GOES_ON("5\r");
    GOES_ON("5\r\n");
    GOES_ON("5\r\nhell");
    GOES_ON("5\r\nhello");
    GOES_ON("5\r\nhello\r");
    GOES_ON("5\r\nhello\r\n");
    GOES_ON("5\r\nhello\r\n0\r\n");
    GOES_ON("5\r\nhello\r\n0\r\n\r");
    GOES_ON("0\r\nX: y\r\n");
}

TEST(refuses_malformed_sizes)
{
    BAD("\r\n");
    BAD("x\r\n");
    BAD("-1\r\n");
    BAD("+1\r\n");
    BAD(" 1\r\na\r\n");
    BAD("1 \r\na\r\n");
    BAD("0x1\r\na\r\n");
    BAD("1g\r\n");
    BAD("1,1\r\n");
    BAD(";ext\r\n");
    BAD("5\r\nhello\r\n\r\n");
}

TEST(refuses_lines_that_do_not_end_with_cr_lf)
{
    BAD("5\nhello\r\n");
    BAD("5\rhello\r\n");
    BAD("5\r\nhello\n0\r\n\r\n");
    BAD("5\r\nhello\rx");
    BAD("0\n\n");
    BAD("0\r\n\n");
    BAD("0\r\n\rx");
    BAD("0\r\nX: y\n\r\n");
    BAD("0\r\nX: y\rz\r\n");
    BAD("1;a\nb");
}

TEST(refuses_chunks_that_are_longer_or_shorter_than_they_say)
{
    BAD("4\r\nhello\r\n0\r\n\r\n");
    BAD("6\r\nhello\r\n0\r\n\r\n");
    BAD("0\r\nhello\r\n\r\n");
}

TEST(limits_the_size)
{
    check_refused(STR("3e9\r\n"), 413, "body_too_large");
    check_refused(STR("ffffffffffffffff\r\n"), 413, "body_too_large");
    check_refused(STR("fffffffffffffff\r\n"), 413, "body_too_large");
    check_refused(STR("10000000000000001\r\n"), 413, "body_too_large");
    GOES_ON("3e8\r\n");
}

/* Chunk by chunk to the limit of 1000 and over it. */
TEST(limits_the_sum_of_the_sizes)
{
    struct buf text = BUF_EMPTY;

    check_ends(text_repeat(&text, "3e7\r\n", 999, "a", "\r\n1\r\nb\r\n0\r\n\r\n"), 0);
    check_refused(text_repeat(&text, "3e7\r\n", 999, "a", "\r\n2\r\nbc\r\n0\r\n\r\n"), 413, "body_too_large");
    check_refused(text_repeat(&text, "3e7\r\n", 999, "a", "\r\n1\r\nb\r\n1\r\nc\r\n"), 413, "body_too_large");
    buf_free(&text);
}

TEST(accepts_extensions_and_ignores_them)
{
    ENDS("5;a\r\nhello\r\n0;b=c;d=\"e f\"\r\n\r\n");
    ENDS("5;\r\nhello\r\n0\r\n\r\n");
    ENDS("5; a\tb\r\nhello\r\n0\r\n\r\n");
    BAD("5;a\0b\r\n");
    BAD("5;a\x7f\r\n");
}

TEST(limits_an_extension)
{
    struct buf text = BUF_EMPTY;

    check_ends(text_repeat(&text, "1;", 256, "a", "\r\na\r\n0\r\n\r\n"), 0);
    check_refused(text_repeat(&text, "1;", 257, "a", "\r\na\r\n0\r\n\r\n"), 400, "bad_request");
    check_refused(text_repeat(&text, "1;", 1500, "a", ""), 400, "bad_request");
    buf_free(&text);
}

TEST(accepts_trailers)
{
    ENDS("0\r\nX: y\r\n\r\n");
    ENDS("5\r\nhello\r\n0\r\nX-Sum: abc\r\nY:\r\nZ:\t \xc3\xa4\r\n\r\n");
}

TEST(refuses_malformed_trailers)
{
    BAD("0\r\n: y\r\n\r\n");
    BAD("0\r\nX\r\n\r\n");
    BAD("0\r\nX : y\r\n\r\n");
    BAD("0\r\n X: y\r\n\r\n");
    BAD("0\r\nX: y\r\n folded\r\n\r\n");
    BAD("0\r\nX Y: z\r\n\r\n");
    BAD("0\r\nX: a\0b\r\n\r\n");
    BAD("0\r\nX: a\x7f\r\n\r\n");
    BAD("0\r\n(: y\r\n\r\n");
}

TEST(limits_the_number_of_trailers)
{
    ENDS("0\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n");
    check_refused(STR("0\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n\r\n"), 431, "too_many_headers");
}

TEST(limits_the_size_of_trailers)
{
    struct buf text = BUF_EMPTY;

    check_refused(text_repeat(&text, "0\r\nX: ", 1500, "a", ""), 431, "headers_too_large");
    buf_free(&text);
}

/* Chunks of one byte cost six times what they carry: a body of the full size may not come like that. */
TEST(limits_the_framing)
{
    struct buf text = BUF_EMPTY;

    check_refused(text_repeat(&text, "", 1000, "1\r\na\r\n", "0\r\n\r\n"), 431, "headers_too_large");
    /* ... a small one may. */
    check_ends(text_repeat(&text, "", 50, "1\r\na\r\n", "0\r\n\r\n"), 0);
    buf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_chunks_to_the_last),
        cmocka_unit_test(data_is_not_framing),
        cmocka_unit_test(stops_behind_the_body),
        cmocka_unit_test(waits_for_what_is_missing),
        cmocka_unit_test(refuses_malformed_sizes),
        cmocka_unit_test(refuses_lines_that_do_not_end_with_cr_lf),
        cmocka_unit_test(refuses_chunks_that_are_longer_or_shorter_than_they_say),
        cmocka_unit_test(limits_the_size),
        cmocka_unit_test(limits_the_sum_of_the_sizes),
        cmocka_unit_test(accepts_extensions_and_ignores_them),
        cmocka_unit_test(limits_an_extension),
        cmocka_unit_test(accepts_trailers),
        cmocka_unit_test(refuses_malformed_trailers),
        cmocka_unit_test(limits_the_number_of_trailers),
        cmocka_unit_test(limits_the_size_of_trailers),
        cmocka_unit_test(limits_the_framing),
    };

    return RUN_TESTS(tests);
}
