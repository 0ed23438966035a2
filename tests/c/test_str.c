#include "base/str.h"

#include "support/check.h"

TEST(compares_bytes)
{
    assert_true(str_eq(STR("abc"), STR("abc")));
    assert_true(str_eq(STR(""), STR_NONE));
    assert_true(str_eq(STR("a\0b"), STR("a\0b")));
    assert_false(str_eq(STR("a\0b"), STR("a\0c")));
    assert_false(str_eq(STR("abc"), STR("abcd")));
    assert_false(str_eq(STR("abc"), STR("Abc")));
    assert_int_equal(str_of(NULL).len, 0);
}

TEST(finds_a_prefix)
{
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_true(str_starts_with(STR("abc"), STR_NONE));
    assert_true(str_starts_with(STR_NONE, STR_NONE));
    assert_false(str_starts_with(STR("ab"), STR("abc")));
    assert_false(str_starts_with(STR("abc"), STR("b")));
}

TEST(ignores_the_case_of_ascii_letters_only)
{
    assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
    assert_true(str_eq_nocase(STR_NONE, STR("")));
    assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
    assert_false(str_eq_nocase(STR("a"), STR("ab")));
    /* '@' and '`', '[' and '{' differ by the bit that tells 'A' from 'a'. */
    assert_false(str_eq_nocase(STR("@"), STR("`")));
    assert_false(str_eq_nocase(STR("["), STR("{")));
}

TEST(compares_secrets)
{
    assert_true(str_eq_secret(STR("key"), STR("key")));
    assert_true(str_eq_secret(STR_NONE, STR("")));
    assert_false(str_eq_secret(STR("key"), STR("kez")));
    assert_false(str_eq_secret(STR("zey"), STR("key")));
    assert_false(str_eq_secret(STR_NONE, STR("key")));
    assert_false(str_eq_secret(STR("key"), STR("")));
    /* Repetition and truncation are not equality, though the bytes compared are the same. */
    assert_false(str_eq_secret(STR("kk"), STR("k")));
    assert_false(str_eq_secret(STR("k"), STR("kk")));
    assert_false(str_eq_secret(STR("keykey"), STR("key")));
}

/* RFC 9110 section 5.6.2 */
static bool is_tchar(int c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

TEST(knows_what_a_token_is_made_of)
{
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', (char)c};
        bool token = str_is_token((struct str){text, 2});
        assert_that(token == is_tchar(c), "byte 0x%02x", (unsigned)c);
    }
    assert_false(str_is_token(STR_NONE));
}

TEST(trims_spaces_and_tabs)
{
    assert_str(str_trim(STR(" \t a b\t ")), "a b");
    assert_str(str_trim(STR("a")), "a");
    assert_str(str_trim(STR(" \t ")), "");
    assert_str(str_trim(STR_NONE), "");
    assert_str(str_trim(STR("\na\r")), "\na\r");
}

TEST(splits_at_each_separator)
{
    struct str rest = STR("a,,b,");
    struct str part;

    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "a");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "b");
    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "");
    assert_null(rest.ptr);
    assert_false(str_split(&rest, ',', &part));
}

TEST(splits_an_empty_str_into_one_empty_part)
{
    struct str rest = STR("");
    struct str none = STR_NONE;
    struct str part;

    assert_true(str_split(&rest, ',', &part));
    assert_str(part, "");
    assert_false(str_split(&rest, ',', &part));
    assert_false(str_split(&none, ',', &part));
}

static void reads(const char *text, unsigned long long expected)
{
    unsigned long long value = 7;

    assert_that(str_to_u64(str_of(text), &value), "%s was refused", text);
    assert_that(value == expected, "%s was read as %llu", text, value);
}

static void does_not_read(const char *text)
{
    unsigned long long value = 7;

    assert_that(!str_to_u64(str_of(text), &value), "'%s' was read as %llu", text, value);
    assert_int_equal(value, 7);
}

TEST(reads_whole_decimal_numbers)
{
    reads("0", 0);
    reads("00042", 42);
    reads("9223372036854775808", 1ull << 63);
    reads("18446744073709551615", ~0ull);
    reads("00000000000000000001", 1);
}

TEST(refuses_what_is_no_number_of_64_bits)
{
    static const char *const wrong[] = {"",
                                        "+1",
                                        "-1",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "0x1",
                                        "1e3",
                                        "18446744073709551616",
                                        "18446744073709551620",
                                        "99999999999999999999",
                                        "000000000000000000001",
                                        "100000000000000000000"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        does_not_read(wrong[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_bytes),
        cmocka_unit_test(finds_a_prefix),
        cmocka_unit_test(ignores_the_case_of_ascii_letters_only),
        cmocka_unit_test(compares_secrets),
        cmocka_unit_test(knows_what_a_token_is_made_of),
        cmocka_unit_test(trims_spaces_and_tabs),
        cmocka_unit_test(splits_at_each_separator),
        cmocka_unit_test(splits_an_empty_str_into_one_empty_part),
        cmocka_unit_test(reads_whole_decimal_numbers),
        cmocka_unit_test(refuses_what_is_no_number_of_64_bits),
    };

    return RUN_TESTS(tests);
}
