#include "base/verify_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/buf.h"
#include "support/alloc.h"
#include "support/check.h"
#include "support/openssl.h"
#include "support/text.h"

/* --- pairs, and what is written of them --- */

static EVP_PKEY *rsa;
static EVP_PKEY *p256;
static EVP_PKEY *ed25519;

static int make_pairs(void **state)
{
    (void)state;
    rsa = EVP_RSA_gen(2048);
    p256 = EVP_EC_gen("P-256");
    ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    return rsa != NULL && p256 != NULL && ed25519 != NULL ? 0 : -1;
}

static int free_pairs(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(ed25519);
    return 0;
}

static struct buf take_text(BIO *out)
{
    struct buf text = BUF_EMPTY;
    char *data;
    long len = BIO_get_mem_data(out, &data);

    buf_append(&text, data, (size_t)len);
    buf_append_char(&text, '\0');
    text.len--;
    BIO_free(out);
    return text;
}

static struct buf public_pem(EVP_PKEY *pair)
{
    BIO *out = BIO_new(BIO_s_mem());

    assert_int_equal(PEM_write_bio_PUBKEY(out, pair), 1);
    return take_text(out);
}

static struct buf private_pem(EVP_PKEY *pair, bool traditional)
{
    BIO *out = BIO_new(BIO_s_mem());

    assert_int_equal(traditional ? PEM_write_bio_PrivateKey_traditional(out, pair, NULL, NULL, 0, NULL, NULL)
                                 : PEM_write_bio_PrivateKey(out, pair, NULL, NULL, 0, NULL, NULL),
                     1);
    return take_text(out);
}

/* Signed by nobody who matters, and expired. */
static struct buf certificate_pem(EVP_PKEY *pair)
{
    X509 *certificate = X509_new();
    BIO *out = BIO_new(BIO_s_mem());

    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -100));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), -50));
    assert_int_equal(X509_set_pubkey(certificate, pair), 1);
    assert_true(X509_sign(certificate, p256, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509(out, certificate), 1);
    X509_free(certificate);
    return take_text(out);
}

/* --- what is right --- */

static void accepts_pem(struct str pem, const char *algorithm)
{
    struct error e;
    struct verify_key *key = verify_key_from_pem(pem, &e);

    assert_that(key != NULL, "%s: %s", algorithm, e.message);
    assert_string_equal(verify_key_algorithm(key), algorithm);
    verify_key_free(key);
}

static void accepts_pair(EVP_PKEY *pair, const char *algorithm)
{
    struct buf pem = public_pem(pair);
    struct buf certificate = certificate_pem(pair);

    accepts_pem(buf_str(&pem), algorithm);
    accepts_pem(buf_str(&certificate), algorithm);
    buf_free(&pem);
    buf_free(&certificate);
}

TEST(public_keys_and_certificates_are_taken)
{
    accepts_pair(rsa, "RS256");
    accepts_pair(p256, "ES256");
    accepts_pair(ed25519, "EdDSA");
}

TEST(text_around_the_block_does_not_matter)
{
    struct buf pem = public_pem(p256);
    struct buf text = BUF_EMPTY;

    buf_printf(&text, "The key of the issuer:\r\n\r\n%.*s\nThat was it.\n", STR_ARG(buf_str(&pem)));
    accepts_pem(buf_str(&text), "ES256");
    buf_free(&text);
    buf_free(&pem);
}

TEST(a_secret_is_for_hs256)
{
    struct error e;
    struct verify_key *key = verify_key_from_secret(STR("0123456789abcdef0123456789abcde\0"), &e);

    assert_non_null(key);
    assert_string_equal(verify_key_algorithm(key), "HS256");
    verify_key_free(key);
    verify_key_free(NULL);
}

/* --- what is wrong --- */

static void refuses_pem(struct str pem, const char *why)
{
    struct error e = {0};
    char *exact = text_exact(pem);

    openssl_leave_error();
    assert_that(verify_key_from_pem((struct str){exact, pem.len}, &e) == NULL, "accepted: %s", why);
    openssl_check_errors();
    assert_error(&e, "invalid_key", "");
    assert_that(strstr(e.message, why) != NULL, "'%s' does not say '%s'", e.message, why);
    assert_null(verify_key_from_pem((struct str){exact, pem.len}, NULL));
    free(exact);
    ERR_clear_error();
}

static void refuses_pair(EVP_PKEY *pair, const char *why)
{
    struct buf pem = public_pem(pair);

    assert_non_null(pair);
    refuses_pem(buf_str(&pem), why);
    buf_free(&pem);
    EVP_PKEY_free(pair);
}

TEST(private_keys_are_refused)
{
    EVP_PKEY *pairs[] = {rsa, p256, ed25519};

    for (size_t i = 0; i < 3; i++) {
        for (int traditional = 0; traditional <= (i < 2 ? 1 : 0); traditional++) {
            struct buf pem = private_pem(pairs[i], traditional != 0);
            refuses_pem(buf_str(&pem), "private key");
            buf_free(&pem);
        }
    }
}

TEST(weak_keys_are_refused)
{
    refuses_pair(EVP_RSA_gen(1024), "1024 bits");
    refuses_pair(EVP_RSA_gen(2040), "2040 bits");
}

TEST(other_curves_and_kinds_are_refused)
{
    refuses_pair(EVP_EC_gen("P-384"), "secp384r1");
    refuses_pair(EVP_EC_gen("secp256k1"), "secp256k1");
    refuses_pair(EVP_PKEY_Q_keygen(NULL, NULL, "X25519"), "another kind");
    refuses_pair(EVP_PKEY_Q_keygen(NULL, NULL, "ED448"), "another kind");
}

/* RSASSA-PSS is another algorithm, PS256. */
TEST(a_key_for_rsa_pss_is_refused)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *pair = NULL;

    assert_int_equal(EVP_PKEY_keygen_init(context), 1);
    assert_int_equal(EVP_PKEY_generate(context, &pair), 1);
    EVP_PKEY_CTX_free(context);
    refuses_pair(pair, "another kind");
}

TEST(text_that_is_no_key_is_refused)
{
    struct buf pem = public_pem(p256);
    struct buf text = BUF_EMPTY;

    refuses_pem(STR_NONE, "no PEM");
    refuses_pem(STR("0123456789abcdef0123456789abcdef"), "no PEM");
    refuses_pem(STR("-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"), "");
    refuses_pem(STR("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), "cannot be read");
    refuses_pem(STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "cannot be read");
    refuses_pem(STR("-----BEGIN RSA PUBLIC KEY-----\nAAAA\n-----END RSA PUBLIC KEY-----\n"), "RSA PUBLIC KEY");
    refuses_pem(STR("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"), "X509 CRL");
    for (size_t len = 0; len < pem.len - 1; len += 3)
        refuses_pem((struct str){pem.data, len}, "");
    refuses_pem(text_repeat(&text, "", 2, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", ""),
                "more than one");
    refuses_pem(text_repeat(&text, pem.data, 9000, "too long", ""), "too long");
    buf_free(&text);
    buf_free(&pem);
}

/* The point at infinity, as SEC 1 section 2.3.3 writes it: RFC 5480 allows it in a certificate, and it signs nothing. */
TEST(the_point_at_infinity_is_refused)
{
    refuses_pem(STR("-----BEGIN PUBLIC KEY-----\nMBkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDAgAA\n-----END PUBLIC KEY-----\n"),
                "no point on the curve");
}

/* The DER of the block is read to its end. */
TEST(bytes_behind_the_key_are_refused)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(ed25519, &der);
    BIO *out = BIO_new(BIO_s_mem());

    assert_true(len > 0);
    unsigned char *longer = calloc(1, (size_t)len + 1);
    memcpy(longer, der, (size_t)len);
    assert_true(PEM_write_bio(out, "PUBLIC KEY", "", longer, len + 1) > 0);
    struct buf pem = take_text(out);
    refuses_pem(buf_str(&pem), "cannot be read");
    buf_free(&pem);
    free(longer);
    OPENSSL_free(der);
}

TEST(secrets_that_are_short_or_no_secrets_are_refused)
{
    struct buf pem = public_pem(rsa);
    struct buf text = BUF_EMPTY;
    const struct str bad[] = {
        STR_NONE,
        STR("0123456789abcdef0123456789abcde"),
        buf_str(&pem),
        STR("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        STR("\n ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBAAA"),
        STR("  {\"kty\":\"RSA\",\"n\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"e\":\"AQAB\"}"),
        text_repeat(&text, "", VERIFY_KEY_SECRET_MAX + 1, "x", ""),
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct error e = {0};
        assert_that(verify_key_from_secret(bad[i], &e) == NULL, "case %zu", i);
        assert_error(&e, "invalid_key", "");
        assert_null(verify_key_from_secret(bad[i], NULL));
    }
    buf_free(&text);
    buf_free(&pem);
}

/* --- JSON Web Keys --- */

/* RFC 7517 appendix A.1 has these. */
#define P256_X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define P256_Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
#define RSA_N                                                                                                          \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_"                          \
    "BJECPebWKRXjBZCiFV4n3oknjhM"                                                                                      \
    "stn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"                                                    \
    "FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5"                                                            \
    "hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-"                 \
    "kEgU8awapJzKnqDKgw"

static const struct jwk good_rsa = {.kty = {"RSA", 3}, .n = {RSA_N, sizeof RSA_N - 1}, .e = {"AQAB", 4}};
static const struct jwk good_ec = {
    .kty = {"EC", 2}, .crv = {"P-256", 5}, .x = {P256_X, sizeof P256_X - 1}, .y = {P256_Y, sizeof P256_Y - 1}};
static const struct jwk good_okp = {
    .kty = {"OKP", 3}, .crv = {"Ed25519", 7}, .x = {"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", 43}};
static const struct jwk good_oct = {.kty = {"oct", 3}, .k = {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", 43}};

static void accepts_jwk(struct jwk jwk, const char *algorithm)
{
    struct error e;
    struct verify_key *key = verify_key_from_jwk(&jwk, &e);

    assert_that(key != NULL, "%s: %s", algorithm, e.message);
    assert_string_equal(verify_key_algorithm(key), algorithm);
    verify_key_free(key);
}

static void refuses_jwk(struct jwk jwk, const char *why)
{
    struct error e = {0};

    openssl_leave_error();
    assert_that(verify_key_from_jwk(&jwk, &e) == NULL, "accepted: %s", why);
    openssl_check_errors();
    assert_error(&e, "invalid_key", "");
    assert_that(strstr(e.message, why) != NULL, "'%s' does not say '%s'", e.message, why);
    assert_null(verify_key_from_jwk(&jwk, NULL));
}

#define REFUSES(base, change, why)                                                                                     \
    do {                                                                                                               \
        struct jwk jwk = base;                                                                                         \
        change;                                                                                                        \
        refuses_jwk(jwk, why);                                                                                         \
    } while (0)

TEST(each_kind_of_jwk_is_taken)
{
    accepts_jwk(good_rsa, "RS256");
    accepts_jwk(good_ec, "ES256");
    accepts_jwk(good_okp, "EdDSA");
    accepts_jwk(good_oct, "HS256");
}

TEST(a_jwk_with_members_missing_or_malformed_is_refused)
{
    refuses_jwk((struct jwk){0}, "kty");
    REFUSES(good_rsa, jwk.kty = STR("rsa"), "kty");
    REFUSES(good_rsa, jwk.n = STR_NONE, "n or e");
    REFUSES(good_rsa, jwk.e = STR_NONE, "n or e");
    REFUSES(good_rsa, jwk.n = STR("not base64!"), "n or e");
    REFUSES(good_ec, jwk.x = STR_NONE, "x or y");
    REFUSES(good_ec, jwk.y = STR_NONE, "x or y");
    REFUSES(good_ec, jwk.crv = STR_NONE, "crv");
    REFUSES(good_okp, jwk.x = STR("AAAA"), "x is missing");
    REFUSES(good_okp, jwk.crv = STR("X25519"), "crv");
    REFUSES(good_oct, jwk.k = STR_NONE, "k is missing");
}

TEST(a_private_jwk_is_refused)
{
    REFUSES(good_rsa, jwk.d = STR("AAAA"), "private key");
    REFUSES(good_ec, jwk.d = STR("AAAA"), "private key");
    REFUSES(good_okp, jwk.d = STR("AAAA"), "private key");
}

TEST(a_jwk_of_rsa_has_the_numbers_of_a_key)
{
    char longer[1400];
    struct buf huge = BUF_EMPTY;

    REFUSES(good_rsa, jwk.n.len = 341, "malformed");
    REFUSES(good_rsa, jwk.n.len = 340, "2040 bits");
    REFUSES(good_rsa, jwk.e = STR("AQ"), "numbers");           /* 1: everything signs itself */
    REFUSES(good_rsa, jwk.e = STR("AA"), "");                  /* 0 */
    REFUSES(good_rsa, jwk.e = STR("Ag"), "numbers");           /* 2 */
    REFUSES(good_rsa, jwk.e = STR("AQAAAAAAAAAB"), "numbers"); /* 65 bits and more: slow */
    memset(longer, 'B', sizeof longer);
    REFUSES(good_rsa, jwk.n = ((struct str){longer, 1388}), "8");
    REFUSES(good_rsa, jwk.n = ((struct str){longer, sizeof longer}), "bits");
    REFUSES(good_rsa, jwk.n = text_repeat(&huge, "", 100000, "B", ""), "malformed");
    REFUSES(good_rsa, jwk.e = buf_str(&huge), "malformed");
    buf_free(&huge);
    char even[sizeof RSA_N];
    memcpy(even, RSA_N, sizeof even);
    even[sizeof even - 2] = 'A';
    REFUSES(good_rsa, jwk.n.ptr = even, "numbers");
}

TEST(a_jwk_of_p256_is_a_point_on_it)
{
    REFUSES(good_ec, jwk.crv = STR("P-384"), "crv");
    REFUSES(good_ec, jwk.crv = STR("secp256k1"), "crv");
    REFUSES(good_ec, jwk.y = good_ec.x, "");
    REFUSES(good_ec, jwk.x = STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
            jwk.y = STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), "");
    /* 31 bytes are a number without its leading zero, which has to be there */
    REFUSES(good_ec, jwk.x = STR("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"), "x or y");
}

/* Anybody can sign for these: the neutral element and its like. */
TEST(an_ed25519_key_of_small_order_is_refused)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    unsigned char bytes[32];
    char text[43];

    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        base64_encode(text, BASE64_URL, text_from_hex(bytes, points[i]));
        REFUSES(good_okp, jwk.x = ((struct str){text, sizeof text}), "no key");
    }
}

/* --- memory --- */

struct source {
    struct str pem;
    struct jwk jwk;
    const char *algorithm;
};

static bool load_once(void *context)
{
    const struct source *source = context;
    struct error e;
    struct verify_key *key =
        source->pem.len > 0 ? verify_key_from_pem(source->pem, &e) : verify_key_from_jwk(&source->jwk, &e);

    if (key != NULL)
        assert_string_equal(verify_key_algorithm(key), source->algorithm);
    verify_key_free(key);
    return key != NULL;
}

TEST(without_memory_there_is_no_key)
{
    struct buf pem = public_pem(p256);
    struct buf certificate = certificate_pem(p256);
    struct source sources[] = {
        {.pem = buf_str(&pem), .algorithm = "ES256"}, {.pem = buf_str(&certificate), .algorithm = "ES256"},
        {.jwk = good_rsa, .algorithm = "RS256"},      {.jwk = good_ec, .algorithm = "ES256"},
        {.jwk = good_okp, .algorithm = "EdDSA"},      {.jwk = good_oct, .algorithm = "HS256"}};

    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        openssl_try_each_allocation(load_once, &sources[i]);
        for (size_t count = 0;; count++) { /* ours */
            alloc_permit(count);
            bool ok = load_once(&sources[i]);
            if (!alloc_permit_all()) {
                assert_true(ok);
                break;
            }
            assert_false(ok);
        }
    }
    buf_free(&pem);
    buf_free(&certificate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys_and_certificates_are_taken),
        cmocka_unit_test(text_around_the_block_does_not_matter),
        cmocka_unit_test(a_secret_is_for_hs256),
        cmocka_unit_test(private_keys_are_refused),
        cmocka_unit_test(weak_keys_are_refused),
        cmocka_unit_test(other_curves_and_kinds_are_refused),
        cmocka_unit_test(a_key_for_rsa_pss_is_refused),
        cmocka_unit_test(text_that_is_no_key_is_refused),
        cmocka_unit_test(the_point_at_infinity_is_refused),
        cmocka_unit_test(bytes_behind_the_key_are_refused),
        cmocka_unit_test(secrets_that_are_short_or_no_secrets_are_refused),
        cmocka_unit_test(each_kind_of_jwk_is_taken),
        cmocka_unit_test(a_jwk_with_members_missing_or_malformed_is_refused),
        cmocka_unit_test(a_private_jwk_is_refused),
        cmocka_unit_test(a_jwk_of_rsa_has_the_numbers_of_a_key),
        cmocka_unit_test(a_jwk_of_p256_is_a_point_on_it),
        cmocka_unit_test(an_ed25519_key_of_small_order_is_refused),
        cmocka_unit_test(without_memory_there_is_no_key),
    };

    openssl_take_memory();
    return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
