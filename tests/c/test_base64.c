#include "base/base64.h"

#include "support/check.h"

static void check_both_ways(enum base64_alphabet alphabet, struct str bytes, const char *text)
{
    char encoded[64];
    unsigned char decoded[64];
    size_t len = base64_encoded_len(bytes.len);

    assert_int_equal(len, strlen(text));
    base64_encode(encoded, alphabet, bytes);
    assert_str(((struct str){encoded, len}), text);
    assert_int_equal(base64_decoded_len(len), bytes.len);
    assert_true(base64_decode(decoded, alphabet, str_of(text)));
    assert_bytes(((struct str){(const char *)decoded, bytes.len}), bytes);
}

/* RFC 4648 section 10, without the padding */
TEST(gives_the_rfcs_texts)
{
    static const char *const cases[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},         {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_both_ways(BASE64_STANDARD, str_of(cases[i][0]), cases[i][1]);
        check_both_ways(BASE64_URL, str_of(cases[i][0]), cases[i][1]);
    }
    check_both_ways(BASE64_URL, STR("\x03\xec\xff\xe0\xc1"), "A-z_4ME"); /* RFC 7515 appendix C */
    check_both_ways(BASE64_STANDARD, STR("\x03\xec\xff\xe0\xc1"), "A+z/4ME");
    check_both_ways(BASE64_URL, STR("\0\0\0"), "AAAA");
}

TEST(every_byte_survives)
{
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            char bytes[] = {(char)a, (char)b};
            char text[3];
            unsigned char back[2];
            base64_encode(text, BASE64_URL, (struct str){bytes, 2});
            assert_true(base64_decode(back, BASE64_URL, (struct str){text, 3}));
            assert_memory_equal(back, bytes, 2);
        }
    }
}

static bool decodes(enum base64_alphabet alphabet, struct str text)
{
    unsigned char out[64];

    return base64_decode(out, alphabet, text);
}

TEST(refuses_every_other_character)
{
    for (int c = 0; c < 256; c++) {
        char text[] = {'A', 'A', (char)c, 'A'};
        bool letter = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        assert_that(decodes(BASE64_URL, (struct str){text, 4}) == (letter || c == '-' || c == '_'), "character %d", c);
        assert_that(decodes(BASE64_STANDARD, (struct str){text, 4}) == (letter || c == '+' || c == '/'), "character %d",
                    c);
    }
}

TEST(refuses_padding_space_and_a_single_character)
{
    static const char *const bad[] = {"Zg==", "Zm8=", "Zm9v=", "=",         "Zm9v\n", " Zm9v",
                                      "Zm 9", "Z",    "Zm9vY", "Zm9vYmFyZ", "A",      "AAAAA"};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_that(!decodes(BASE64_URL, str_of(bad[i])), "accepted: %s", bad[i]);
        assert_that(!decodes(BASE64_STANDARD, str_of(bad[i])), "accepted: %s", bad[i]);
    }
}

/* RFC 4648 section 3.5: else several texts would mean the same bytes. */
TEST(refuses_bits_that_are_left_over)
{
    assert_true(decodes(BASE64_URL, STR("Zg")));
    assert_true(decodes(BASE64_URL, STR("Zm8")));
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (size_t i = 0; i < 64; i++) {
        char two[] = {'Z', alphabet[i]};
        char three[] = {'Z', 'm', alphabet[i]};
        assert_true(decodes(BASE64_URL, (struct str){two, 2}) == (i % 16 == 0));
        assert_true(decodes(BASE64_URL, (struct str){three, 3}) == (i % 4 == 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_rfcs_texts),
        cmocka_unit_test(every_byte_survives),
        cmocka_unit_test(refuses_every_other_character),
        cmocka_unit_test(refuses_padding_space_and_a_single_character),
        cmocka_unit_test(refuses_bits_that_are_left_over),
    };

    return RUN_TESTS(tests);
}
