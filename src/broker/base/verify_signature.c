/* Verifying with a key: RFC 7515 section 5.2, RFC 7518 section 3, RFC 8037 section 3.1. */
#include <openssl/ecdsa.h>
#include <openssl/err.h>

#include "base/crypto.h"
#include "base/verify_key_private.h"

enum { P256_NUMBER_SIZE = 32, P256_SIGNATURE_SIZE = 2 * P256_NUMBER_SIZE };

static bool verify_hmac(const struct verify_key *key, struct str message, struct str signature)
{
    unsigned char right[HMAC_SHA256_SIZE];

    return hmac_sha256(right, (struct str){key->secret, key->secret_len}, &message, 1) &&
           str_eq_secret(signature, (struct str){(const char *)right, sizeof right});
}

static bool verify_public(const struct verify_key *key, struct str message, const unsigned char *signature, size_t len)
{
    const EVP_MD *digest = key->algorithm == VERIFY_EDDSA ? NULL : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestVerifyInit(context, NULL, digest, NULL, key->public_key) == 1 &&
              EVP_DigestVerify(context, signature, len, (const unsigned char *)(message.len == 0 ? "" : message.ptr),
                               message.len) == 1;

    EVP_MD_CTX_free(context);
    return ok;
}

/* The two numbers of a signature, 32 bytes each (RFC 7518 section 3.4), in the DER that OpenSSL wants. Returns its
 * length, or 0; *der is to be freed. */
static size_t to_der(const unsigned char *numbers, unsigned char **der)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(numbers, P256_NUMBER_SIZE, NULL);
    BIGNUM *s = BN_bin2bn(numbers + P256_NUMBER_SIZE, P256_NUMBER_SIZE, NULL);
    int len = 0;

    if (signature != NULL && r != NULL && s != NULL && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = NULL; /* the signature's now */
        s = NULL;
        len = i2d_ECDSA_SIG(signature, der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return len > 0 ? (size_t)len : 0;
}

static bool verify_ecdsa(const struct verify_key *key, struct str message, struct str signature)
{
    unsigned char *der = NULL;

    if (signature.len != P256_SIGNATURE_SIZE)
        return false;
    size_t len = to_der((const unsigned char *)signature.ptr, &der);
    bool ok = len > 0 && verify_public(key, message, der, len);
    OPENSSL_free(der);
    return ok;
}

/* OpenSSL looks at the length of an RSA or Ed25519 signature itself. */
static bool verify(const struct verify_key *key, struct str message, struct str signature)
{
    switch (key->algorithm) {
    case VERIFY_HS256:
        return verify_hmac(key, message, signature);
    case VERIFY_ES256:
        return verify_ecdsa(key, message, signature);
    default:
        return verify_public(key, message, (const unsigned char *)signature.ptr, signature.len);
    }
}

bool verify_key_verify(const struct verify_key *key, struct str message, struct str signature)
{
    ERR_set_mark();
    bool ok = verify(key, message, signature);
    ERR_pop_to_mark();
    return ok;
}
