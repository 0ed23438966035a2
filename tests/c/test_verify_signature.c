#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "base/base64.h"
#include "base/verify_key.h"
#include "support/check.h"
#include "support/openssl.h"
#include "support/text.h"

/* --- the RFCs' examples --- */

#define JOE_PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"

struct example {
    const char *algorithm;
    struct jwk jwk;
    const char *message;
    const char *signature;
};

/* RFC 7515 appendices A.1, A.2 and A.3, RFC 8037 appendix A.4 */
static const struct example examples[] = {
    {"HS256",
     {.kty = {"oct", 3},
      .k = {"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", 86}},
     "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." JOE_PAYLOAD,
     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    {"RS256",
     {.kty = {"RSA", 3},
      .n = {"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-"
            "SFd2lZ"
            "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
            "UTo7WTBEMa2"
            "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
            "h9iaGNj8q2ethFkMLs91kzk2PAcD"
            "TW9gb54h4FRWyuXpoQ",
            342},
      .e = {"AQAB", 4}},
     "eyJhbGciOiJSUzI1NiJ9." JOE_PAYLOAD,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
     "O8W2Fp5jujGbds9uJdbF9CUAr7t1d"
     "nZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
     "xi12jzDwu"
     "sC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77R"
     "w"},
    {"ES256",
     {.kty = {"EC", 2},
      .crv = {"P-256", 5},
      .x = {"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", 43},
      .y = {"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0", 43}},
     "eyJhbGciOiJFUzI1NiJ9." JOE_PAYLOAD,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"EdDSA",
     {.kty = {"OKP", 3}, .crv = {"Ed25519", 7}, .x = {"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", 43}},
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

enum { EXAMPLES = sizeof examples / sizeof *examples };

static struct verify_key *key_of(const struct example *example)
{
    struct error e;
    struct verify_key *key = verify_key_from_jwk(&example->jwk, &e);

    assert_that(key != NULL, "%s: %s", example->algorithm, e.message);
    assert_string_equal(verify_key_algorithm(key), example->algorithm);
    return key;
}

/* Writes the example's signature to `out`. */
static struct str signature_of(const struct example *example, unsigned char out[512])
{
    assert_true(base64_decode(out, BASE64_URL, str_of(example->signature)));
    return (struct str){(const char *)out, base64_decoded_len(strlen(example->signature))};
}

TEST(the_rfcs_examples_are_verified)
{
    unsigned char bytes[512];

    for (size_t i = 0; i < EXAMPLES; i++) {
        struct verify_key *key = key_of(&examples[i]);
        assert_true(verify_key_verify(key, str_of(examples[i].message), signature_of(&examples[i], bytes)));
        verify_key_free(key);
    }
}

TEST(a_changed_message_is_not_verified)
{
    unsigned char bytes[512];

    for (size_t i = 0; i < EXAMPLES; i++) {
        struct verify_key *key = key_of(&examples[i]);
        struct str signature = signature_of(&examples[i], bytes);
        char *message = strdup(examples[i].message);
        size_t len = strlen(message);
        for (size_t at = 0; at < len; at += 7) {
            message[at] ^= 1;
            assert_false(verify_key_verify(key, (struct str){message, len}, signature));
            message[at] ^= 1;
        }
        assert_false(verify_key_verify(key, (struct str){message, len - 1}, signature));
        assert_false(verify_key_verify(key, STR_NONE, signature));
        assert_true(verify_key_verify(key, (struct str){message, len}, signature));
        free(message);
        verify_key_free(key);
    }
}

TEST(a_changed_signature_is_not_verified)
{
    unsigned char bytes[512];

    for (size_t i = 0; i < EXAMPLES; i++) {
        struct verify_key *key = key_of(&examples[i]);
        struct str signature = signature_of(&examples[i], bytes);
        for (size_t at = 0; at < signature.len; at++) {
            bytes[at] ^= 0x10;
            assert_that(!verify_key_verify(key, str_of(examples[i].message), signature), "%s, byte %zu",
                        examples[i].algorithm, at);
            bytes[at] ^= 0x10;
        }
        memset(bytes, 0, signature.len);
        assert_false(verify_key_verify(key, str_of(examples[i].message), signature));
        memset(bytes, 0xff, signature.len);
        assert_false(verify_key_verify(key, str_of(examples[i].message), signature));
        verify_key_free(key);
    }
}

TEST(a_signature_of_another_length_is_not_verified)
{
    unsigned char bytes[512] = {0};

    for (size_t i = 0; i < EXAMPLES; i++) {
        struct verify_key *key = key_of(&examples[i]);
        struct str signature = signature_of(&examples[i], bytes);
        for (size_t len = 0; len <= signature.len + 1; len++) {
            char *exact = text_exact((struct str){(const char *)bytes, len});
            assert_that(verify_key_verify(key, str_of(examples[i].message), (struct str){exact, len}) ==
                            (len == signature.len),
                        "%s, %zu bytes", examples[i].algorithm, len);
            free(exact);
        }
        assert_false(verify_key_verify(key, str_of(examples[i].message), STR_NONE));
        verify_key_free(key);
    }
}

TEST(a_key_verifies_nothing_of_another_kind)
{
    unsigned char bytes[512];

    for (size_t i = 0; i < EXAMPLES; i++) {
        struct verify_key *key = key_of(&examples[i]);
        for (size_t j = 0; j < EXAMPLES; j++)
            assert_true(verify_key_verify(key, str_of(examples[j].message), signature_of(&examples[j], bytes)) ==
                        (i == j));
        verify_key_free(key);
    }
}

/* The form that OpenSSL itself writes, which is not that of JSON Web Signatures. */
TEST(a_der_signature_is_not_verified)
{
    EVP_PKEY *pair = EVP_EC_gen("prime256v1");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    BIO *out = BIO_new(BIO_s_mem());
    unsigned char signature[128];
    size_t len = sizeof signature;
    char *pem;
    struct error e;

    assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, pair), 1);
    assert_int_equal(EVP_DigestSign(context, signature, &len, (const unsigned char *)"text", 4), 1);
    assert_int_equal(PEM_write_bio_PUBKEY(out, pair), 1);
    size_t pem_len = (size_t)BIO_get_mem_data(out, &pem);
    struct verify_key *key = verify_key_from_pem((struct str){pem, pem_len}, &e);
    assert_non_null(key);
    assert_false(verify_key_verify(key, STR("text"), (struct str){(const char *)signature, len}));
    verify_key_free(key);
    BIO_free(out);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pair);
}

TEST(nothing_is_left_in_the_queue_of_errors)
{
    unsigned char bytes[512];

    for (size_t i = 0; i < EXAMPLES; i++) {
        struct verify_key *key = key_of(&examples[i]);
        struct str signature = signature_of(&examples[i], bytes);
        openssl_leave_error();
        assert_true(verify_key_verify(key, str_of(examples[i].message), signature));
        openssl_check_errors();
        openssl_leave_error();
        assert_false(verify_key_verify(key, STR("another"), signature));
        memset(bytes, 0xff, signature.len);
        assert_false(verify_key_verify(key, str_of(examples[i].message), signature));
        openssl_check_errors();
        verify_key_free(key);
    }
}

struct attempt {
    const struct example *example;
    const struct verify_key *key;
};

static bool verify_once(void *context)
{
    const struct attempt *a = context;
    unsigned char bytes[512];

    return verify_key_verify(a->key, str_of(a->example->message), signature_of(a->example, bytes));
}

static bool refuse_once(void *context)
{
    const struct attempt *a = context;
    unsigned char bytes[512];
    struct str signature = signature_of(a->example, bytes);

    bytes[5] ^= 1;
    assert_false(verify_key_verify(a->key, str_of(a->example->message), signature));
    return true;
}

TEST(without_memory_nothing_is_verified)
{
    for (size_t i = 0; i < EXAMPLES; i++) {
        struct verify_key *key = key_of(&examples[i]);
        struct attempt a = {&examples[i], key};
        openssl_try_each_allocation(verify_once, &a);
        openssl_try_each_allocation(refuse_once, &a);
        verify_key_free(key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_examples_are_verified),
        cmocka_unit_test(a_changed_message_is_not_verified),
        cmocka_unit_test(a_changed_signature_is_not_verified),
        cmocka_unit_test(a_signature_of_another_length_is_not_verified),
        cmocka_unit_test(a_key_verifies_nothing_of_another_kind),
        cmocka_unit_test(a_der_signature_is_not_verified),
        cmocka_unit_test(nothing_is_left_in_the_queue_of_errors),
        cmocka_unit_test(without_memory_nothing_is_verified),
    };

    openssl_take_memory();
    return RUN_TESTS(tests);
}
