#include "base/crypto.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>

static const uint64_t SCRYPT_MEMORY_MAX = 256ull * 1024 * 1024;

/* OpenSSL takes a NULL for something that is not given at all. */
static const unsigned char *bytes_of(struct str s)
{
    return (const unsigned char *)(s.len == 0 ? "" : s.ptr);
}

bool sha256(unsigned char out[SHA256_SIZE], const struct str *parts, size_t count)
{
    ERR_set_mark();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;

    for (size_t i = 0; ok && i < count; i++)
        ok = EVP_DigestUpdate(context, bytes_of(parts[i]), parts[i].len) == 1;
    ok = ok && EVP_DigestFinal_ex(context, out, NULL) == 1;
    EVP_MD_CTX_free(context);
    ERR_pop_to_mark();
    return ok;
}

static bool update(EVP_MAC_CTX *context, const struct str *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (EVP_MAC_update(context, bytes_of(parts[i]), parts[i].len) != 1)
            return false;
    return true;
}

bool hmac_sha256(unsigned char out[HMAC_SHA256_SIZE], struct str key, const struct str *parts, size_t count)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                 OSSL_PARAM_construct_end()};
    size_t len = 0;

    ERR_set_mark();
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    bool ok = context != NULL && EVP_MAC_init(context, bytes_of(key), key.len, params) == 1 &&
              update(context, parts, count) && EVP_MAC_final(context, out, &len, HMAC_SHA256_SIZE) == 1 &&
              len == HMAC_SHA256_SIZE;
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
    ERR_pop_to_mark();
    return ok;
}

bool scrypt(unsigned char *out, size_t len, struct str password, struct str salt, struct scrypt_cost cost)
{
    if (cost.log2_n > 63)
        return false;
    ERR_set_mark();
    bool ok = EVP_PBE_scrypt((const char *)bytes_of(password), password.len, bytes_of(salt), salt.len,
                             1ull << cost.log2_n, cost.r, cost.p, SCRYPT_MEMORY_MAX, out, len) == 1;
    ERR_pop_to_mark();
    return ok;
}
