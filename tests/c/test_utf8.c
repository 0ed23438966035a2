#include "base/utf8.h"

#include "base/buf.h"
#include "support/check.h"

/* The code point that `len` bytes would give if nobody checked them; the reference decodes, then asks what RFC 3629
 * asks. */
static bool reference_accepts(const unsigned char *p, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code = len == 1 ? p[0] : (uint32_t)(p[0] & (0xff >> (len + 1)));

    for (size_t i = 1; i < len; i++) {
        if (p[i] >> 6 != 2)
            return false;
        code = code << 6 | (p[i] & 0x3f);
    }
    return code >= least[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static size_t length_by_first_byte(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >> 5 == 6)
        return 2;
    if (c >> 4 == 14)
        return 3;
    return c >> 3 == 30 ? 4 : 0;
}

static void check_against_reference(const unsigned char *p, size_t len)
{
    size_t expected = length_by_first_byte(p[0]);
    bool valid = expected != 0 && expected <= len && reference_accepts(p, expected);
    size_t got = utf8_sequence((struct str){(const char *)p, len});

    assert_that(got == (valid ? expected : 0), "%02x %02x %02x %02x (%zu bytes) gives %zu", p[0], p[1], p[2], p[3], len,
                got);
}

TEST(agrees_with_the_definition_on_every_lead_and_boundary)
{
    static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    enum { EDGES = sizeof edges };

    for (unsigned lead = 0; lead < 256; lead++) {
        for (size_t i = 0; i < (size_t)EDGES * EDGES * EDGES; i++) {
            unsigned char p[4] = {(unsigned char)lead, edges[i % EDGES], edges[i / EDGES % EDGES],
                                  edges[i / EDGES / EDGES]};
            for (size_t len = 1; len <= 4; len++)
                check_against_reference(p, len);
        }
    }
}

static void valid(const char *text)
{
    assert_that(utf8_valid(str_of(text)), "refused: %s", text);
}

static void invalid(struct str text)
{
    assert_that(!utf8_valid(text), "accepted: %.*s", STR_ARG(text));
    /* Neither may it be valid inside of something that is. */
    struct buf inside = BUF_EMPTY;
    buf_append_str(&inside, STR("ab"));
    buf_append_str(&inside, text);
    buf_append_str(&inside, STR("cd"));
    assert_false(utf8_valid(buf_str(&inside)));
    buf_free(&inside);
}

TEST(accepts_the_first_and_last_of_each_length)
{
    assert_true(utf8_valid(STR_NONE));
    assert_true(utf8_valid(STR("\0")));
    valid("\x7f");
    valid("\xc2\x80");
    valid("\xdf\xbf");
    valid("\xe0\xa0\x80");
    valid("\xed\x9f\xbf");
    valid("\xee\x80\x80");
    valid("\xef\xbf\xbf");
    valid("\xf0\x90\x80\x80");
    valid("\xf4\x8f\xbf\xbf");
    valid("\xef\xbb\xbf"
          "a b\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
}

TEST(refuses_what_rfc_3629_refuses)
{
    invalid(STR("\x80"));             /* a continuation alone */
    invalid(STR("\xc0\x80"));         /* overlong NUL */
    invalid(STR("\xc1\xbf"));         /* overlong */
    invalid(STR("\xe0\x9f\xbf"));     /* overlong */
    invalid(STR("\xf0\x8f\xbf\xbf")); /* overlong */
    invalid(STR("\xed\xa0\x80"));     /* first surrogate */
    invalid(STR("\xed\xbf\xbf"));     /* last surrogate */
    invalid(STR("\xf4\x90\x80\x80")); /* U+110000 */
    invalid(STR("\xf5\x80\x80\x80"));
    invalid(STR("\xf8\x88\x80\x80\x80"));
    invalid(STR("\xfe"));
    invalid(STR("\xff"));
    invalid(STR("\xc3"));
    invalid(STR("\xe2\x82"));
    invalid(STR("\xf0\x9f\x98"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_definition_on_every_lead_and_boundary),
        cmocka_unit_test(accepts_the_first_and_last_of_each_length),
        cmocka_unit_test(refuses_what_rfc_3629_refuses),
    };

    return RUN_TESTS(tests);
}
