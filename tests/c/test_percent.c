#include "base/percent.h"

#include <stdlib.h>

#include "support/check.h"
#include "support/text.h"

static void decodes(const char *text, bool plus, struct str expected)
{
    struct str whole = str_of(text);
    char *out = text_exact(whole); /* its room is enough, and it may be done in place */
    size_t len = 99;

    assert_that(percent_decode(whole, plus, out, &len), "refused: %s", text);
    assert_bytes(((struct str){out, len}), expected);
    free(out);
    out = text_exact(whole);
    assert_true(percent_decode((struct str){out, whole.len}, plus, out, &len));
    assert_bytes(((struct str){out, len}), expected);
    free(out);
}

static void does_not_decode(const char *text)
{
    char out[64];
    size_t len;

    assert_that(!percent_decode(str_of(text), false, out, &len), "accepted: %s", text);
    assert_that(!percent_decode(str_of(text), true, out, &len), "accepted: %s", text);
}

TEST(decodes_escapes_once)
{
    decodes("", false, STR(""));
    decodes("abc", false, STR("abc"));
    decodes("%41%62%7a", false, STR("Abz"));
    decodes("%2f%2F%25%20", false, STR("//% "));
    decodes("%2541", false, STR("%41"));
    decodes("%c3%A4%fF", false, STR("\xc3\xa4\xff"));
    decodes("a%01b", false,
            STR("a\x01"
                "b"));
    decodes("%41", true, STR("A"));
}

TEST(a_plus_is_a_space_in_a_query_only)
{
    decodes("a+b%2B", false, STR("a+b+"));
    decodes("a+b%2B", true, STR("a b+"));
}

TEST(refuses_malformed_escapes)
{
    does_not_decode("%");
    does_not_decode("%4");
    does_not_decode("a%4");
    does_not_decode("%%41");
    does_not_decode("%4g");
    does_not_decode("%g4");
    does_not_decode("% 4");
    does_not_decode("%+4");
    does_not_decode("%-1");
    does_not_decode("%u0041");
    does_not_decode("%00");
    does_not_decode("a%00b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_escapes_once),
        cmocka_unit_test(a_plus_is_a_space_in_a_query_only),
        cmocka_unit_test(refuses_malformed_escapes),
    };

    return RUN_TESTS(tests);
}
