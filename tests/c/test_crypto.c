#include "base/crypto.h"

#include "support/check.h"
#include "support/openssl.h"
#include "support/text.h"

/* --- SHA-256 --- */

/* FIPS 180-4's examples; the parts' borders are no part of what is hashed. */
TEST(sha256_gives_the_standards_results)
{
    static const char *const cases[][2] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    unsigned char expected[SHA256_SIZE];
    unsigned char out[SHA256_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str whole = str_of(cases[i][0]);
        size_t middle = whole.len / 2;
        struct str parts[] = {{whole.ptr, middle}, STR_NONE, str_from(whole, middle)};
        assert_true(sha256(out, parts, 3));
        assert_bytes(((struct str){(char *)out, sizeof out}), text_from_hex(expected, cases[i][1]));
    }
    assert_true(sha256(out, NULL, 0));
    assert_bytes(((struct str){(char *)out, sizeof out}), text_from_hex(expected, cases[0][1]));
}

static bool sha256_once(void *context)
{
    struct str abc = STR("abc");
    unsigned char expected[SHA256_SIZE];
    unsigned char out[SHA256_SIZE];

    (void)context;
    text_from_hex(expected, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    if (!sha256(out, &abc, 1))
        return false;
    assert_memory_equal(out, expected, sizeof out);
    return true;
}

TEST(sha256_without_memory_fails_and_leaves_no_error_behind)
{
    openssl_try_each_allocation(sha256_once, NULL);
}

/* --- HMAC-SHA256 --- */

struct hmac_case {
    const char *key;
    const char *data;
    const char *mac; /* its beginning */
};

static const char a131[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/* RFC 4231 section 4 */
static const struct hmac_case hmac_cases[] = {
    {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {"0102030405060708090a0b0c0d0e0f10111213141516171819",
     "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
     "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
    {"0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c", "546573742057697468205472756e636174696f6e",
     "a3b6167473100ee06e0c796c2955552b"},
    {a131,
     "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {a131,
     "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a65206b657920616e642061206"
     "c"
     "6172676572207468616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565647320746f2062652068617368656420626"
     "5"
     "666f7265206265696e6720757365642062792074686520484d414320616c676f726974686d2e",
     "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
};

TEST(hmac_gives_the_rfcs_results)
{
    unsigned char key[160];
    unsigned char data[200];
    unsigned char expected[HMAC_SHA256_SIZE];
    unsigned char out[HMAC_SHA256_SIZE];

    for (size_t i = 0; i < sizeof hmac_cases / sizeof *hmac_cases; i++) {
        const struct hmac_case *c = &hmac_cases[i];
        struct str whole = text_from_hex(data, c->data);
        struct str parts[] = {{whole.ptr, 1}, STR_NONE, str_from(whole, 1)};
        assert_true(hmac_sha256(out, text_from_hex(key, c->key), &whole, 1));
        assert_bytes(((struct str){(char *)out, strlen(c->mac) / 2}), text_from_hex(expected, c->mac));
        memset(out, 0, sizeof out);
        assert_true(hmac_sha256(out, text_from_hex(key, c->key), parts, 3));
        assert_bytes(((struct str){(char *)out, strlen(c->mac) / 2}), text_from_hex(expected, c->mac));
    }
}

TEST(hmac_takes_nothing_too)
{
    unsigned char expected[HMAC_SHA256_SIZE];
    unsigned char out[HMAC_SHA256_SIZE];

    assert_true(hmac_sha256(out, STR_NONE, NULL, 0));
    assert_bytes(((struct str){(char *)out, sizeof out}),
                 text_from_hex(expected, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

static bool hmac_once(void *context)
{
    unsigned char expected[HMAC_SHA256_SIZE];
    unsigned char out[HMAC_SHA256_SIZE];
    struct str data = STR("Hi There");

    (void)context;
    text_from_hex(expected, hmac_cases[0].mac);
    if (!hmac_sha256(out, STR("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"),
                     &data, 1))
        return false;
    assert_memory_equal(out, expected, sizeof out);
    return true;
}

TEST(hmac_without_memory_fails_and_leaves_no_error_behind)
{
    openssl_try_each_allocation(hmac_once, NULL);
}

/* --- scrypt --- */

/* RFC 7914 section 12, but for the last case, which takes a gigabyte */
TEST(scrypt_gives_the_rfcs_results)
{
    static const struct {
        const char *password;
        const char *salt;
        struct scrypt_cost cost;
        const char *out;
    } cases[] = {
        {"",
         "",
         {4, 1, 1},
         "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3"
         "6"
         "28cf35e20c38d18906"},
        {"password",
         "NaCl",
         {10, 8, 16},
         "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83e"
         "e"
         "6d8360cbdfa2cc0640"},
        {"pleaseletmein",
         "SodiumChloride",
         {14, 8, 1},
         "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651"
         "e"
         "40dfcf017b45575887"},
    };
    unsigned char expected[64];
    unsigned char out[64];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(scrypt(out, sizeof out, str_of(cases[i].password), str_of(cases[i].salt), cases[i].cost));
        assert_bytes(((struct str){(char *)out, sizeof out}), text_from_hex(expected, cases[i].out));
    }
}

TEST(scrypt_refuses_what_it_cannot_do)
{
    static const struct scrypt_cost bad[] = {{0, 8, 1},  {63, 8, 1}, {64, 8, 1}, {200, 8, 1},
                                             {20, 8, 1}, {4, 0, 1},  {4, 1, 0},  {4, 1u << 31, 1}};
    unsigned char out[32];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        openssl_leave_error();
        assert_that(!scrypt(out, sizeof out, STR("p"), STR("s"), bad[i]), "case %zu", i);
        openssl_check_errors();
    }
}

static bool scrypt_once(void *context)
{
    static const struct scrypt_cost cheap = {4, 1, 1};
    unsigned char expected[64];
    unsigned char out[64];

    (void)context;
    text_from_hex(expected,
                  "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17"
                  "e8d3e0fb2e0d3628cf35e20c38d18906");
    if (!scrypt(out, sizeof out, STR_NONE, STR_NONE, cheap))
        return false;
    assert_memory_equal(out, expected, sizeof out);
    return true;
}

TEST(scrypt_without_memory_fails_and_leaves_no_error_behind)
{
    openssl_try_each_allocation(scrypt_once, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_standards_results),
        cmocka_unit_test(sha256_without_memory_fails_and_leaves_no_error_behind),
        cmocka_unit_test(hmac_gives_the_rfcs_results),
        cmocka_unit_test(hmac_takes_nothing_too),
        cmocka_unit_test(hmac_without_memory_fails_and_leaves_no_error_behind),
        cmocka_unit_test(scrypt_gives_the_rfcs_results),
        cmocka_unit_test(scrypt_refuses_what_it_cannot_do),
        cmocka_unit_test(scrypt_without_memory_fails_and_leaves_no_error_behind),
    };

    openssl_take_memory();
    return RUN_TESTS(tests);
}
