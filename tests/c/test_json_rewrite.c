/* What json_scan does with a marker, and the writing of strings. */
#include "base/json.h"

#include <stdio.h>

#include "support/alloc.h"
#include "support/check.h"
#include "support/dice.h"

#define MARKER "MARK"

static void rewrites(const char *text, const char *expected)
{
    struct buf out = BUF_EMPTY;
    struct error e;

    assert_that(json_scan(str_of(text), STR(MARKER), &out, &e), "%s: %s", text, e.message);
    assert_str(buf_str(&out), expected);
    buf_free(&out);
}

static void leaves(const char *text)
{
    rewrites(text, "");
}

TEST(empty_lists_become_marked_strings)
{
    rewrites("[]", "\"MARK[]\"");
    rewrites(" [ \n ] ", " \"MARK[]\" ");
    rewrites("[[],[ ]]", "[\"MARK[]\",\"MARK[]\"]");
    rewrites("{\"a\":[],\"b\":[1,[]]}", "{\"a\":\"MARK[]\",\"b\":[1,\"MARK[]\"]}");
}

TEST(what_only_looks_like_an_empty_list_stays)
{
    leaves("{}");
    leaves("[0]");
    leaves("\"[]\"");
    leaves("{\"[]\":\"MARK[]\"}");
    leaves("[{}]");
    leaves("[\"\\\"[]\"]");
}

TEST(integers_of_up_to_15_digits_stay)
{
    leaves("0");
    leaves("-0");
    leaves("999999999999999");
    leaves("-999999999999999");
    leaves("[123456789012345,1]");
}

TEST(longer_integers_become_marked_strings)
{
    rewrites("1000000000000000", "\"MARK1000000000000000\"");
    rewrites("-1000000000000000", "\"MARK-1000000000000000\"");
    rewrites("[9007199254740993, 1]", "[\"MARK9007199254740993\", 1]");
    rewrites("{\"id\":9007199254740993}", "{\"id\":\"MARK9007199254740993\"}");
    rewrites(" 9007199254740993 ", " \"MARK9007199254740993\" ");
}

TEST(the_limits_of_64_bits_are_exact)
{
    rewrites("9223372036854775807", "\"MARK9223372036854775807\"");
    rewrites("-9223372036854775808", "\"MARK-9223372036854775808\"");
    leaves("9223372036854775808");
    leaves("-9223372036854775809");
    leaves("18446744073709551615");
    leaves("18446744073709551616");
    leaves("-18446744073709551616");
    leaves("100000000000000000000");
    leaves("123456789012345678901234567890");
}

TEST(numbers_that_are_not_integers_stay)
{
    leaves("1000000000000000.0");
    leaves("1000000000000000e0");
    leaves("1000000000000000E2");
    leaves("0.1000000000000000");
    leaves("1e1000000000000000");
    leaves("{\"1000000000000000\":\"1000000000000000\"}");
}

TEST(without_a_marker_nothing_is_rewritten)
{
    assert_true(json_scan(STR("[[],1000000000000000]"), STR_NONE, NULL, NULL));
}

TEST(an_invalid_text_is_refused_with_a_marker_too)
{
    struct buf out = BUF_EMPTY;
    struct error e;

    assert_false(json_scan(STR("[[],1000000000000000"), STR(MARKER), &out, &e));
    assert_error(&e, "invalid_json", "");
    buf_free(&out);
}

/* Writes a random value, and how it is to look once it is rewritten. */
static void write_both(struct buf *text, struct buf *expected, const char *part, const char *rewritten)
{
    buf_append_str(text, str_of(part));
    buf_append_str(expected, str_of(rewritten));
}

static void write_value(struct dice *d, struct buf *text, struct buf *expected, int depth);

static void write_members(struct dice *d, struct buf *text, struct buf *expected, int depth, bool object)
{
    size_t count = dice_roll(d, 4) + 1;

    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            write_both(text, expected, ", ", ", ");
        if (object)
            write_both(text, expected, "\"k\\\"[]\" : ", "\"k\\\"[]\" : ");
        write_value(d, text, expected, depth + 1);
    }
}

static void write_value(struct dice *d, struct buf *text, struct buf *expected, int depth)
{
    static const char *const plain[] = {"null", "true", "-12.5e3", "\"a \\u00e4 []\"", "{}", "123456789012345", "\"\""};
    char number[32];
    char marked[48];

    switch (dice_roll(d, depth > 6 ? 3 : 5)) {
    case 0:
        write_both(text, expected, dice_percent(d, 50) ? "[]" : "[ ]", "\"MARK[]\"");
        return;
    case 1:
        snprintf(number, sizeof number, "-%zu", (dice_roll(d, SIZE_MAX) >> 1 & 0xffffffffffffff) + 1000000000000000);
        snprintf(marked, sizeof marked, "\"MARK%s\"", number);
        write_both(text, expected, number, marked);
        return;
    case 2: {
        const char *same = plain[dice_roll(d, sizeof plain / sizeof *plain)];
        write_both(text, expected, same, same);
        return;
    }
    case 3:
        write_both(text, expected, "[", "[");
        write_members(d, text, expected, depth, false);
        write_both(text, expected, "]", "]");
        return;
    default:
        write_both(text, expected, "{", "{");
        write_members(d, text, expected, depth, true);
        write_both(text, expected, "}", "}");
    }
}

static void random_texts(struct dice *d)
{
    for (int round = 0; round < 100; round++) {
        struct buf text = BUF_EMPTY;
        struct buf expected = BUF_EMPTY;
        struct buf out = BUF_EMPTY;
        write_value(d, &text, &expected, 0);
        assert_true(json_scan(buf_str(&text), STR(MARKER), &out, NULL));
        /* Empty when nothing needed rewriting. */
        assert_bytes(out.len == 0 ? buf_str(&text) : buf_str(&out), buf_str(&expected));
        buf_free(&text);
        buf_free(&expected);
        buf_free(&out);
    }
}

TEST(random_texts_are_rewritten_exactly)
{
    dice_for_each_seed(random_texts);
}

TEST(a_text_is_rewritten_whole_or_refused_for_want_of_memory)
{
    struct buf text = BUF_EMPTY;
    bool done = false;

    for (int i = 0; i < 200; i++)
        buf_append_str(&text, str_of(i == 0 ? "[[]" : ",[]"));
    buf_append_char(&text, ']');
    for (size_t permitted = 0; !done; permitted++) {
        struct buf out = BUF_EMPTY;
        struct error e = {0};
        alloc_permit(permitted);
        bool ok = json_scan(buf_str(&text), STR(MARKER), &out, &e);
        done = !alloc_permit_all();
        assert_that(ok == done, "with %zu allocations", permitted);
        if (ok)
            assert_int_equal(out.len, 200 * (sizeof "\"MARK[]\"" - 1) + 199 + 2);
        else
            assert_error(&e, "out_of_memory", "");
        buf_free(&out);
    }
    buf_free(&text);
}

/* --- strings --- */

static void writes(struct str text, const char *expected)
{
    struct buf out = BUF_EMPTY;

    json_append_string(&out, text);
    assert_str(buf_str(&out), expected);
    /* What is valid is valid for both. */
    out.len = 0;
    json_append_any_string(&out, text);
    assert_str(buf_str(&out), expected);
    assert_true(json_scan(buf_str(&out), STR_NONE, NULL, NULL));
    buf_free(&out);
}

TEST(strings_are_escaped_where_json_asks_for_it)
{
    writes(STR("plain"), "\"plain\"");
    writes(STR(""), "\"\"");
    writes(STR("\"\\/"), "\"\\\"\\\\/\"");
    writes(STR("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    writes(STR("\0\x01\x1f "), "\"\\u0000\\u0001\\u001f \"");
    writes(STR("a\nb"), "\"a\\nb\"");
    writes(STR("\x7f\xc3\xa4\xf0\x9f\x98\x80"), "\"\x7f\xc3\xa4\xf0\x9f\x98\x80\"");
}

TEST(an_absent_str_is_written_as_an_empty_string)
{
    writes(STR_NONE, "\"\"");
}

static void writes_any(struct str text, const char *expected)
{
    struct buf out = BUF_EMPTY;

    json_append_any_string(&out, text);
    assert_str(buf_str(&out), expected);
    buf_free(&out);
}

#define FFFD "\xef\xbf\xbd"

TEST(bytes_that_are_not_utf_8_are_replaced_one_by_one)
{
    writes_any(STR("\xff"), "\"" FFFD "\"");
    writes_any(STR("a\x80"
                   "b"),
               "\"a" FFFD "b\"");
    writes_any(STR("\xe2\x82"), "\"" FFFD FFFD "\"");
    writes_any(STR("\xed\xa0\x80"), "\"" FFFD FFFD FFFD "\"");
    writes_any(STR("\xc3\xa4\xc3"), "\"\xc3\xa4" FFFD "\"");
    writes_any(STR("\n\xff\"\0"), "\"\\n" FFFD "\\\"\\u0000\"");
}

TEST(whatever_the_bytes_the_string_is_json)
{
    struct dice d = dice_of(1);

    for (int round = 0; round < 2000; round++) {
        char bytes[12];
        struct buf out = BUF_EMPTY;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)dice_roll(&d, 256);
        json_append_any_string(&out, (struct str){bytes, dice_roll(&d, sizeof bytes + 1)});
        assert_true(json_scan(buf_str(&out), STR_NONE, NULL, NULL));
        buf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_lists_become_marked_strings),
        cmocka_unit_test(what_only_looks_like_an_empty_list_stays),
        cmocka_unit_test(integers_of_up_to_15_digits_stay),
        cmocka_unit_test(longer_integers_become_marked_strings),
        cmocka_unit_test(the_limits_of_64_bits_are_exact),
        cmocka_unit_test(numbers_that_are_not_integers_stay),
        cmocka_unit_test(without_a_marker_nothing_is_rewritten),
        cmocka_unit_test(an_invalid_text_is_refused_with_a_marker_too),
        cmocka_unit_test(random_texts_are_rewritten_exactly),
        cmocka_unit_test(a_text_is_rewritten_whole_or_refused_for_want_of_memory),
        cmocka_unit_test(strings_are_escaped_where_json_asks_for_it),
        cmocka_unit_test(bytes_that_are_not_utf_8_are_replaced_one_by_one),
        cmocka_unit_test(whatever_the_bytes_the_string_is_json),
        cmocka_unit_test(an_absent_str_is_written_as_an_empty_string),
    };

    return RUN_TESTS(tests);
}
