#include "base/json.h"

#include <stdlib.h>

#include "support/check.h"
#include "support/text.h"

static bool scan(struct str text, struct error *e)
{
    return json_scan(text, STR_NONE, NULL, e);
}

static void check_valid(const struct str *texts, size_t count)
{
    struct error e;

    for (size_t i = 0; i < count; i++)
        assert_that(scan(texts[i], &e), "refused: %.*s: %s", STR_ARG(texts[i]), e.message);
}

/* The message names a byte: one of the text, or the one behind it. */
static void check_offset(struct str text, const char *message)
{
    const char *at = strstr(message, "byte ");

    assert_that(at != NULL, "%.*s: no offset in \"%s\"", STR_ARG(text), message);
    assert_that(strtoull(at + 5, NULL, 10) <= text.len, "%.*s: no such byte: %s", STR_ARG(text), message);
}

static void check_invalid(const struct str *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error e = {0};
        assert_that(!scan(texts[i], &e), "accepted: %.*s", STR_ARG(texts[i]));
        assert_error(&e, "invalid_json", "");
        if (texts[i].len > 0)
            check_offset(texts[i], e.message);
        assert_false(scan(texts[i], NULL));
    }
}

#define VALID(...)   CHECK_ALL(check_valid, __VA_ARGS__)
#define INVALID(...) CHECK_ALL(check_invalid, __VA_ARGS__)
#define CHECK_ALL(check, ...)                                                                                          \
    do {                                                                                                               \
        const struct str texts[] = {__VA_ARGS__};                                                                      \
        check(texts, sizeof texts / sizeof *texts);                                                                    \
    } while (0)

TEST(accepts_each_kind_of_value)
{
    VALID(STR("null"), STR("true"), STR("false"), STR("0"), STR("\"\""), STR("\"text\""), STR("[]"), STR("{}"));
    VALID(STR("[null]"), STR("[1,2,3]"), STR("[[],[[]],{}]"), STR("[[1],[2,[3]]]"), STR("[\"\",\"\"]"));
    VALID(STR("{\"a\":1}"), STR("{\"a\":{\"b\":[{}]}}"), STR("{\"\":0}"), STR("{\"a\":1,\"a\":2}"));
}

TEST(accepts_white_space_between_tokens)
{
    VALID(STR(" 1"), STR("1 "), STR("\t\r\n 1\t\r\n "), STR(" [ ] "), STR("[ 1 , 2 ]"), STR(" { } "),
          STR("{ \"a\" : 1 , \"b\" : 2 }"), STR("[\n[\r\n]\t,[ ]\n]"));
}

TEST(refuses_other_white_space)
{
    INVALID(STR("\v1"), STR("\f1"), STR("[1\f]"), STR("1\0"),
            STR("\xc2\xa0"
                "1"),
            STR("\xe2\x80\xa8"
                "1"),
            STR("\xef\xbb\xbf[]"), STR("[\0]"), STR("\0"));
}

TEST(refuses_a_text_without_a_value)
{
    INVALID(STR_NONE, STR(""), STR(" "), STR("\n"), STR(","), STR(":"), STR("]"), STR("}"));
}

TEST(refuses_what_is_behind_the_value)
{
    INVALID(STR("1 2"), STR("[]]"), STR("[] x"), STR("{}}"), STR("\"a\"x"), STR("null,"), STR("[1],"),
            STR("true false"), STR("{}#"), STR("[][]"), STR("1\x00"), STR("[]\0"));
}

TEST(refuses_misspelt_words)
{
    INVALID(STR("nul"), STR("nulls"), STR("Null"), STR("TRUE"), STR("True"), STR("tru"), STR("fals"), STR("falsee"),
            STR("undefined"), STR("[nul]"), STR("a"), STR("*"), STR("'a'"), STR("[a]"), STR("<null>"));
}

TEST(refuses_broken_lists)
{
    INVALID(STR("["), STR("[1"), STR("[1,"), STR("[,"), STR("[,1]"), STR("[1,]"), STR("[1,,2]"), STR("[,]"),
            STR("[1 2]"), STR("[1;2]"), STR("[}"), STR("[1}"), STR("[\"a\":1]"), STR("[:1]"), STR("[[]"), STR("[1]]"),
            STR("[\"a\""), STR("[//\n]"), STR("[/**/]"), STR("(1)"));
}

TEST(refuses_broken_objects)
{
    INVALID(STR("{"), STR("{\"a\""), STR("{\"a\":"), STR("{\"a\":1"), STR("{\"a\":1,"), STR("{\"a\":1,}"), STR("{,}"),
            STR("{,\"a\":1}"), STR("{\"a\":1,,\"b\":2}"), STR("{\"a\"}"), STR("{\"a\",1}"), STR("{\"a\" 1}"),
            STR("{\"a\"::1}"), STR("{:1}"), STR("{1:1}"), STR("{a:1}"), STR("{'a':1}"), STR("{null:1}"), STR("{[]:1}"),
            STR("{\"a\":1]"), STR("{]"), STR("{\"a\":1 \"b\":2}"), STR("{\"a\":1}}"), STR("{\"a\":}"),
            STR("{\"a\"=1}"));
}

TEST(accepts_numbers)
{
    VALID(STR("0"), STR("-0"), STR("1"), STR("-1"), STR("10"), STR("123456789012345678901234567890"), STR("0.0"),
          STR("-0.5"), STR("1.5"), STR("0.000"), STR("1e5"), STR("1E5"), STR("1e+5"), STR("1e-5"), STR("0e0"),
          STR("0E-00"), STR("1.5e005"), STR("-1.25E+10"), STR("1e999"), STR("[0,-0,0.1]"));
}

TEST(refuses_what_is_no_number)
{
    INVALID(STR("-"), STR("+"), STR("+1"), STR("--1"), STR("- 1"), STR("01"), STR("-01"), STR("00"), STR("00.5"),
            STR("1."), STR("-1."), STR(".5"), STR("-.5"), STR("1.e5"), STR("1e"), STR("1E"), STR("1e+"), STR("1e-"),
            STR("1e1.5"), STR("1.5.5"), STR("1e5e5"), STR("1+1"), STR("1-"), STR("1_000"), STR("1,000"), STR("0x10"),
            STR("0b1"), STR("0o7"), STR("1f"), STR("1d"), STR("1L"), STR("1a"));
    INVALID(STR("[01]"), STR("[1.]"), STR("[-]"), STR("[0x1]"), STR("[1e]"), STR("{\"a\":01}"), STR("[1 000]"));
}

TEST(refuses_numbers_that_json_does_not_have)
{
    INVALID(STR("NaN"), STR("nan"), STR("-NaN"), STR("Infinity"), STR("-Infinity"), STR("inf"), STR("-inf"), STR("Inf"),
            STR("[NaN]"), STR("[-Infinity]"), STR("{\"a\":nan}"), STR("\xef\xbc\x91"), STR("\xd9\xa1"));
}

TEST(accepts_escapes)
{
    VALID(STR("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), STR("\"\\u0000\""), STR("\"\\u00e4\\u00E4\\uABCD\\uefab\""),
          STR("\"\\ud7ff\\ue000\\uffff\""), STR("{\"\\u0061\":1}"));
}

TEST(refuses_unknown_escapes)
{
    INVALID(STR("\"\\a\""), STR("\"\\x41\""), STR("\"\\'\""), STR("\"\\0\""), STR("\"\\U0041\""), STR("\"\\ \""),
            STR("\"\\\n\""), STR("\"\\\0\""), STR("\"\\\xc3\xa4\""), STR("\"\\\""), STR("[\"\\\"]"),
            STR("{\"\\a\":1}"));
    INVALID(STR("\"\\u\""), STR("\"\\u1\""), STR("\"\\u12\""), STR("\"\\u123\""), STR("\"\\u123g\""),
            STR("\"\\u-123\""), STR("\"\\u 123\""), STR("\"\\u12"), STR("\"\\u"), STR("\"\\u00\\u0041\""),
            STR("\"\\u\xc3\xa4"
                "00\""));
}

TEST(names_a_byte_of_the_text_when_an_escape_is_cut_off)
{
    INVALID(STR("\"\\"), STR("[\"a\\"), STR("\"\\ud800\\"));
}

TEST(accepts_surrogates_in_pairs_only)
{
    VALID(STR("\"\\ud83d\\ude00\""), STR("\"\\uD800\\uDC00\""), STR("\"\\uDBFF\\uDFFF\""),
          STR("\"\\ud800\\udc00\\ud800\\udc00\""));
    INVALID(STR("\"\\ud800\""), STR("\"\\udbff\""), STR("\"\\udc00\""), STR("\"\\udfff\""), STR("\"\\udc00\\ud800\""),
            STR("\"\\ud800\\ud800\""), STR("\"\\ud800\\u0041\""), STR("\"\\ud800a\""), STR("\"\\ud800\\n\""),
            STR("\"\\ud800 \\udc00\""), STR("\"\\ud800\\"), STR("\"\\ud800\\u"), STR("\"\\ud800\\udc0\""),
            STR("\"\\ud800\\udbff\""), STR("\"\\ud800\\ue000\""), STR("\"\\ud800\\udc00\\udc00\""),
            STR("{\"\\ud800\":1}"));
}

TEST(refuses_control_characters_in_strings)
{
    char text[] = "[\"a?b\"]";

    for (int c = 0; c < 256; c++) {
        if (c == '"' || c == '\\' || c >= 0x80)
            continue;
        text[3] = (char)c;
        bool accepted = scan((struct str){text, sizeof text - 1}, NULL);
        assert_that(accepted == (c >= 0x20), "0x%02x in a string", (unsigned)c);
    }
}

TEST(refuses_strings_without_their_end)
{
    INVALID(STR("\""), STR("\"a"), STR("[\"a]"), STR("{\"a:1}"), STR("\"\"\""), STR("\"a\\\""), STR("'a\""));
}

TEST(refuses_bytes_that_are_not_utf_8)
{
    VALID(STR("\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""), STR("\"\xed\x9f\xbf\xee\x80\x80\""), STR("\"\x7f\""),
          STR("{\"\xc3\xa4\":1}"));
    INVALID(STR("\"\x80\""), STR("\"\xff\""), STR("\"\xc3\""),
            STR("\"\xc3"
                "a\""),
            STR("\"\xe2\x82\""), STR("\"\xc0\x80\""), STR("\"\xed\xa0\x80\""), STR("\"\xf4\x90\x80\x80\""),
            STR("{\"\xff\":1}"), STR("[\xff]"), STR("\xff"), STR("1\xa0"), STR("\"\xf0\x9f\x98"),
            STR("\xff\xfe[\0]\0"));
}

/* Scans a list and an object in turn, `depth` deep, around `inner`. */
static bool scan_nested(size_t depth, const char *inner)
{
    struct buf text = BUF_EMPTY;

    for (size_t i = 0; i < depth; i++)
        buf_append_str(&text, i % 2 == 0 ? STR("[") : STR("{\"k\":"));
    buf_append_str(&text, str_of(inner));
    for (size_t i = depth; i-- > 0;)
        buf_append_char(&text, i % 2 == 0 ? ']' : '}');
    bool ok = scan(buf_str(&text), NULL);
    buf_free(&text);
    return ok;
}

TEST(accepts_a_depth_of_100)
{
    assert_true(scan_nested(JSON_DEPTH_MAX, "1"));
    assert_true(scan_nested(JSON_DEPTH_MAX - 1, "[],{}"));
    assert_true(scan_nested(JSON_DEPTH_MAX - 1, "{}"));
    assert_true(scan_nested(JSON_DEPTH_MAX - 1, "[]"));
}

TEST(refuses_a_depth_of_101)
{
    assert_false(scan_nested(JSON_DEPTH_MAX + 1, "1"));
    assert_false(scan_nested(JSON_DEPTH_MAX, "[]"));
    assert_false(scan_nested(JSON_DEPTH_MAX, "{}"));
    assert_false(scan_nested(JSON_DEPTH_MAX, "{\"a\":1}"));
}

TEST(counts_depth_not_containers)
{
    struct buf text = BUF_EMPTY;

    assert_true(scan(text_repeat(&text, "[", 1000, "[[]],{\"a\":{}},", "0]"), NULL));
    buf_free(&text);
}

/* A hundred thousand brackets must neither overflow the stack nor be accepted. */
TEST(refuses_an_abyss)
{
    struct buf text = BUF_EMPTY;

    assert_false(scan(text_repeat(&text, "", 100000, "[{\"\":", ""), NULL));
    buf_free(&text);
}

/* What is cut off is never a value: numbers apart, a text ends where it says. */
TEST(refuses_every_proper_beginning)
{
    static const char *const texts[] = {"{\"a\":[1,true,null,\"\\u00e4\\\"\"],\"\xc3\xa4\":{\"b\":-1.5e+3,\"c\":[]}}",
                                        "[\"\\ud83d\\ude00\",{},false]", "\"text\"", "null"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t len = strlen(texts[i]);
        assert_true(scan((struct str){texts[i], len}, NULL));
        for (size_t cut = 0; cut < len; cut++) {
            char *exact = text_exact((struct str){texts[i], cut});
            assert_that(!scan((struct str){exact, cut}, NULL), "accepted: %.*s", (int)cut, texts[i]);
            free(exact);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_each_kind_of_value),
        cmocka_unit_test(accepts_white_space_between_tokens),
        cmocka_unit_test(refuses_other_white_space),
        cmocka_unit_test(refuses_a_text_without_a_value),
        cmocka_unit_test(refuses_what_is_behind_the_value),
        cmocka_unit_test(refuses_misspelt_words),
        cmocka_unit_test(refuses_broken_lists),
        cmocka_unit_test(refuses_broken_objects),
        cmocka_unit_test(accepts_numbers),
        cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(refuses_numbers_that_json_does_not_have),
        cmocka_unit_test(accepts_escapes),
        cmocka_unit_test(refuses_unknown_escapes),
        cmocka_unit_test(names_a_byte_of_the_text_when_an_escape_is_cut_off),
        cmocka_unit_test(accepts_surrogates_in_pairs_only),
        cmocka_unit_test(refuses_control_characters_in_strings),
        cmocka_unit_test(refuses_strings_without_their_end),
        cmocka_unit_test(refuses_bytes_that_are_not_utf_8),
        cmocka_unit_test(accepts_a_depth_of_100),
        cmocka_unit_test(refuses_a_depth_of_101),
        cmocka_unit_test(counts_depth_not_containers),
        cmocka_unit_test(refuses_an_abyss),
        cmocka_unit_test(refuses_every_proper_beginning),
    };

    return RUN_TESTS(tests);
}
